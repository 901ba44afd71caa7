"""A district's own limits: stored for each kind, and refused outside the documented range."""

from __future__ import annotations

import pytest

from rollbook.domain.guard import GUARDED, Threshold
from rollbook.errors import BadSetting
from rollbook.store.district import districts, thresholds
from rollbook.store.engine.database import Database


def test_limits_are_the_documented_ones_until_changed_for_a_kind_of_a_district(database: Database) -> None:
    ash, birch = districts.create(database, "Ash"), districts.create(database, "Birch")
    assert thresholds.read(database, ash) == {kind: Threshold(75, 10) for kind in GUARDED}
    thresholds.write(database, ash, "students", Threshold(0, 90))
    thresholds.write(database, ash, "students", Threshold(100, 0))
    thresholds.write(database, ash, "terms", Threshold(75, 100))
    assert thresholds.read(database, ash)["students"] == Threshold(100, 0)
    assert thresholds.read(database, ash)["terms"] == Threshold(75, 100)
    assert thresholds.read(database, ash)["teachers"] == Threshold()
    assert thresholds.read(database, birch) == {kind: Threshold() for kind in GUARDED}


REFUSED = (
    ("students", Threshold(101, 10), "updated: expected 0 to 100 percent, got 101"),
    ("students", Threshold(-1, 10), "updated: expected 0 to 100 percent, got -1"),
    ("students", Threshold(75, 91), "deleted: expected 0 to 90 percent, got 91"),
    ("students", Threshold(75, -1), "deleted: expected 0 to 90 percent, got -1"),
    ("terms", Threshold(75, 101), "deleted: expected 0 to 100 percent, got 101"),
)


def test_limits_out_of_range_are_refused_by_name_and_change_nothing(database: Database) -> None:
    district = districts.create(database, "Ash")
    for kind, threshold, message in REFUSED:
        with pytest.raises(BadSetting) as caught:
            thresholds.write(database, district, kind, threshold)
        assert message == str(caught.value)
    for kind in ("courses", "resources", "users", "pupils"):
        with pytest.raises(BadSetting, match="kind: expected one of schools, "):
            thresholds.write(database, district, kind, Threshold())
    assert thresholds.read(database, district) == {kind: Threshold() for kind in GUARDED}
