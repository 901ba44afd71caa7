"""Syncs of the small world, on both databases: what changes, what stays, and what is refused."""

from __future__ import annotations

from tests import world
from tests.journeys.hub import Hub


def test_second_sync_of_same_files_changes_nothing(hub: Hub) -> None:
    hub.sync(world.FILES)
    client = hub.client(hub.connect())
    before = client.everything()
    again = hub.sync(world.FILES)
    assert again.number == 2
    assert {(0, 0, 0)} == {(counts.created, counts.updated, counts.deleted) for counts in again.kinds.values()}
    after = client.everything()
    assert {path for path in before if before[path] != after.get(path)} == {"/v3.0/districts"}
    (old,), (new,) = before["/v3.0/districts"], after["/v3.0/districts"]
    assert {**old, "last_sync": again.created} == new


def test_a_contact_belongs_to_its_students_also_without_a_column_for_the_relationship(hub: Hub) -> None:
    files = world.without_columns(world.FILES, "students.csv", "Contact_relationship")
    assert hub.sync(files).problem_counts == {}
    client = hub.client(hub.connect())
    (byron,) = client.records("/v3.0/users?role=contact")
    emmy, alan = (user["id"] for user in client.records("/v3.0/users?role=student") if user["name"]["first"] != "Katherine")
    assert byron["roles"]["contact"]["student_relationships"] == [
        {"student": emmy, "type": "Primary"},
        {"student": alan, "type": "Emergency"},
    ]
    assert [user["id"] for user in client.records(f"/v3.0/users/{byron['id']}/mystudents")] == [emmy, alan]
    assert client.records(f"/v3.0/users/{emmy}/mycontacts") == [byron]
