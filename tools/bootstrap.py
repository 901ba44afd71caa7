"""Make a virtual environment and install pinned requirements into it, using only Python itself.

Debian's `python3` has no `ensurepip`, so pip comes from the wheel beside this file, which Python can run
directly.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

PIP = next(Path(__file__).parent.glob("pip-*.whl")) / "pip"


def main(folder: str, *requirements: str) -> None:
    """Install each requirements file (exact versions, hashes checked), then the project itself, editable."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what a too old Python runs first
        sys.exit(
            f"Rollbook needs Python 3.11 or later; {sys.executable} is "
            f"{sys.version.split()[0]}. Try: make PYTHON=python3.12"
        )
    python = Path(folder) / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=False)
    for name in requirements:
        pip(python, "--require-hashes", "--requirement", name)
    if any("build" in name for name in requirements):
        pip(python, "--no-deps", "--no-build-isolation", "--editable", ".")


def pip(python: Path, *arguments: str) -> None:
    command = [str(python), str(PIP), "install", "--quiet", "--disable-pip-version-check", *arguments]
    outcome = subprocess.run(command, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}, check=False)
    if outcome.returncode:
        sys.exit(outcome.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
