"""The limits at their exact edges, for each kind."""

from __future__ import annotations

import pytest

from rollbook.domain.guard import GUARDED, NAMED, Counts, Reason, Threshold, reasons


def found(kind: str, counts: Counts, limits: Threshold | None = None) -> list[str]:
    return [reason.verb for reason in reasons({kind: counts}, {kind: limits} if limits else {})]


@pytest.mark.parametrize("kind", GUARDED)
def test_each_kind_is_held_from_75_percent_updated_and_above_10_percent_deleted(kind: str) -> None:
    assert found(kind, Counts(existing=1000, updated=749)) == []
    assert found(kind, Counts(existing=1000, updated=750)) == ["updated"]
    assert found(kind, Counts(existing=1000, deleted=100)) == []
    assert found(kind, Counts(existing=1000, deleted=101)) == ["deleted"]
    assert found(kind, Counts(existing=1000, updated=899, deleted=101)) == ["updated", "deleted"]


@pytest.mark.parametrize("kind", ["courses", "resources", "districts", "pupils"])
def test_kinds_without_limits_are_never_held(kind: str) -> None:
    assert found(kind, Counts(existing=10, updated=10, deleted=10)) == []


def test_limits_hold_for_their_own_kind_only() -> None:
    counts = {"students": Counts(existing=100, deleted=20), "teachers": Counts(existing=100, deleted=20)}
    assert [reason.kind for reason in reasons(counts, {"students": Threshold(deleted=20)})] == ["teachers"]


def test_an_update_limit_of_0_is_off() -> None:
    assert found("students", Counts(existing=10, updated=10), Threshold(updated=0)) == []


def test_an_update_limit_of_100_holds_when_all_are_updated() -> None:
    assert found("students", Counts(existing=10, updated=9), Threshold(updated=100)) == []
    assert found("students", Counts(existing=10, updated=10), Threshold(updated=100)) == ["updated"]


def test_a_deletion_limit_of_0_holds_at_the_first_one() -> None:
    assert found("students", Counts(existing=1000, deleted=0), Threshold(deleted=0)) == []
    assert found("students", Counts(existing=1000, deleted=1), Threshold(deleted=0)) == ["deleted"]


def test_creations_and_bad_rows_hold_nothing() -> None:
    assert found("students", Counts(existing=1, created=1000, errors=1000)) == []


def test_a_kind_that_had_no_records_holds_nothing() -> None:
    assert found("students", Counts(created=5)) == []


@pytest.mark.parametrize("kind", GUARDED)
def test_a_name_is_asked_for_above_95_percent_deleted_of_schools_and_people(kind: str) -> None:
    at, above = (reasons({kind: Counts(existing=100, deleted=deleted)}, {})[0] for deleted in (95, 96))
    assert not at.needs_name
    assert above.needs_name == (kind in NAMED)


def test_updates_never_ask_for_a_name() -> None:
    assert not Reason("students", "updated", 100, 100, 75).needs_name


def test_a_reason_is_a_sentence_with_numbers_and_the_limit() -> None:
    reason = Reason("district_admins", "deleted", 1500, 3000, 10)
    assert str(reason) == "1,500 of 3,000 district admins (50 %) would be deleted; the limit is 10 %"
