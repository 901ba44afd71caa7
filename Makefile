# The two commands of the README are `make demo` and `make test`; each sets up all it needs in .venv/.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run
DEV    := $(VENV)/.dev

# Programs that tests start begin with compiled files.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test gate coverage check bench docs dist lock clean format

setup: $(RUN)

$(RUN): requirements/runtime.txt requirements/build.txt pyproject.toml tools/bootstrap.py
	$(PYTHON) tools/bootstrap.py $(VENV) requirements/runtime.txt requirements/build.txt
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	$(PYTHON) tools/bootstrap.py $(VENV) requirements/dev.txt
	@touch $@

demo: $(RUN)
	$(BIN)/rollbook demo

PYTEST := pytest -n auto --dist worksteal
# The tests of the packages in tools/coverage_gate.ini: their own, those that import one of them, and pages of sign-ins.
GATED = tests/contract tests/domain tests/auth tests/operations $(filter-out tests/web/test_every_state.py, $(sort \
  $(shell grep -lE "rollbook\.(auth|operations)" tests/commands/test_*.py tests/jobs/test_*.py tests/sharing/test_*.py \
  tests/web/test_*.py) $(wildcard tests/commands/test_mail_command.py tests/commands/test_night.py \
  tests/commands/test_status.py tests/web/test_badges.py tests/web/test_console*.py tests/web/test_mail_pages.py \
  tests/web/test_role_records.py tests/web/test_sign*.py tests/web/test_versions.py)))

test: $(DEV)
	$(BIN)/python -m $(PYTEST) $(TESTS)

# Some of the tests again, measured: on SQLite, and those of backups on PostgreSQL, too.
gate: $(DEV)
	rm -rf .coverage
	$(BIN)/python -m coverage run --rcfile=tools/coverage_gate.ini -m $(PYTEST) -k "not postgresql or backing_up" $(GATED)
	$(BIN)/python -m tools.coverage_floor --gate

# The tests again, measured: what they run must reach the floors of tools/coverage_floor.py.
coverage: $(DEV)
	rm -rf .coverage
	$(BIN)/python -m coverage run -m $(PYTEST) $(TESTS)
	$(BIN)/python -m tools.coverage_floor

check: $(DEV)
	$(BIN)/ruff format --check src tests bench tools examples
	$(BIN)/ruff check src tests bench tools examples
	$(BIN)/mypy
	$(BIN)/python -m tools.docs --check

format: $(DEV)
	$(BIN)/ruff format src tests bench tools examples
	$(BIN)/ruff check --fix src tests bench tools examples

docs: $(DEV)
	$(BIN)/python -m tools.docs

# A wheel and an sdist, with documentation, templates and data.
dist: $(RUN)
	$(BIN)/python -m tools.dist

bench: $(DEV)
	$(BIN)/python -m bench $(BENCH)

# Needs uv. The files carry versions and hashes, and no addresses.
lock:
	for name in runtime build dev; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --upgrade \
	    --custom-compile-command "make lock" requirements/$$name.in --output-file requirements/$$name.txt; \
	done

clean:
	rm -rf $(VENV) .coverage dist .mypy_cache .ruff_cache .pytest_cache tests/node/node_modules
