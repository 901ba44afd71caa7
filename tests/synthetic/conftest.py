"""Districts for several tests, which do not change them."""

from __future__ import annotations

import pytest

from tests.synthetic.written import Rows, written


@pytest.fixture(scope="session")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """A district of 1,000 students on its first day."""
    return written(tmp_path_factory.mktemp("first-day"), students=1000)


@pytest.fixture(scope="session")
def any_day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """The same district in the second semester of its second year."""
    return written(tmp_path_factory.mktemp("any-day"), students=1000, day=365 + 190)
