"""What pyproject.toml cannot say: a wheel carries the documentation, which stands beside the package in the
repository (see `rollbook.web.docs.doc_sources.root`)."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
CARRIED = ("docs", "examples")


class BuildWithDocumentation(build_py):
    """Builds the package, and puts the documentation inside."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # the package lies in the repository and finds it there
        inside = Path(self.build_lib) / "rollbook" / "documentation"
        shutil.rmtree(inside, ignore_errors=True)
        for folder in CARRIED:
            shutil.copytree(HERE / folder, inside / folder, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithDocumentation})
