"""Invented districts on their days, on both databases: after a sync the roster is that of the files, whatever
was there before."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.synthetic import writer
from tests.journeys.canonical import Lists, canonical
from tests.journeys.hub import Hub

YEARS = 3 * 365
NUMBERS = count()


def read(hub: Hub) -> Lists:
    return hub.client(hub.connect()).everything(one_user_in=9)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    students=st.integers(50, 200),
    seed=st.integers(0, 2**31),
    day=st.integers(0, YEARS),
    later=st.sampled_from([1, 7, 90, 365]),
)
def test_a_roster_follows_from_its_files_alone(
    hub: Hub, students: int, seed: int, day: int, later: int
) -> None:
    files = hub.folder / "files"
    number = next(NUMBERS)
    lived, fresh = hub.beside(f"Lived {number}"), hub.beside(f"Fresh {number}")
    reader = lived.client(lived.connect())

    writer.write(files, students=students, seed=seed, day=day)
    lived.sync(files)
    before = reader.everything(one_user_in=9)
    again = lived.sync(files)
    assert {(0, 0, 0)} == {
        (counts.created, counts.updated, counts.deleted) for counts in again.kinds.values()
    }
    after = reader.everything(one_user_in=9)
    assert {"/v3.0/districts"} == {path for path in {*before, *after} if before.get(path) != after.get(path)}

    writer.write(files, students=students, seed=seed, day=day + later)
    changed, begun = lived.sync(files), fresh.sync(files)
    assert {
        kind: counts.existing + counts.created - counts.deleted for kind, counts in changed.kinds.items()
    } == {kind: begun.kinds[kind].created if kind in begun.kinds else 0 for kind in changed.kinds}
    left, right = canonical(reader.everything(one_user_in=9)), canonical(read(fresh))
    assert left.keys() == right.keys()
    for path, records in right.items():
        if path != "/v3.0/districts":
            assert (path, records) == (path, left[path])
