"""The gate on coverage: a package below its floor is named with the lines and branches that no test ran."""

from __future__ import annotations

import configparser
from typing import Any

import pytest
from tools.coverage_floor import FLOORS, GATE, ROOT, rows, table


def file(covered: int, total: int, lines: tuple[int, ...] = (), branches: Any = ()) -> dict[str, Any]:
    """A file as `coverage json` tells of it; a tenth of what it counts are branches."""
    return {
        "summary": {
            "covered_lines": covered - total // 10,
            "covered_branches": total // 10,
            "num_statements": total - total // 10,
            "num_branches": total // 10,
        },
        "missing_lines": list(lines),
        "missing_branches": [list(branch) for branch in branches],
    }


def test_a_package_below_its_floor_is_told_with_its_missed_lines_and_branches() -> None:
    found = [
        *rows(
            {
                "src/rollbook/auth/tokens.py": file(38, 40, (7,), ((7, 8), (12, 15), (20, -1))),
                "src/rollbook/domain/kinds.py": file(10, 10),
                "src/rollbook/web/app.py": file(96, 100, (1, 2, 3, 4)),
                "src/rollbook/errors.py": file(10, 10),
            },
            {"auth": 100, "domain": 100, "": 95},
        )
    ]
    assert [(row.package, row.percent, row.is_reached) for row in found] == [
        ("auth", 95.0, False),
        ("domain", 100.0, True),
        ("the rest", pytest.approx(96.36, abs=0.01), True),
    ]
    assert table(found).splitlines()[1:3] == [
        "auth           95.00%    100%",
        "    no test runs src/rollbook/auth/tokens.py: 7, 12->15, 20->exit",
    ]
    assert "web/app.py" not in table(found)


def test_a_package_is_its_folder_and_no_other_of_a_similar_name() -> None:
    (auth, rest) = rows({"src/rollbook/authors.py": file(0, 10, (1,))}, {"auth": 100, "": 95})
    assert (auth.percent, rest.percent) == (100.0, 0.0)


def test_a_package_without_files_has_nothing_to_reach() -> None:
    assert [row.is_reached for row in rows({}, {"jobs": 100})] == [True]


def test_the_gate_measures_the_packages_whose_every_branch_must_run() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "tools" / "coverage_gate.ini")
    measured = {name.removeprefix("rollbook.") for name in config["run"]["source_pkgs"].split()}
    assert measured == {*GATE} == {name for name, floor in FLOORS.items() if floor == 100}
