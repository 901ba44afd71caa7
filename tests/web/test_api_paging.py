"""Paging over every list with pages, on both databases: at any limit, in both directions, exactly the whole
list."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint
from tests.journeys.hub import Client
from tests.journeys.oracle import Roster

paged_rows = pytest.mark.parametrize(
    "row", [row for row in ENDPOINTS if row.has_paging], ids=lambda row: row.path
)

HEX = st.text("0123456789abcdef", min_size=24, max_size=24)
STEPS_MAX = 1_000


def fullest(row: Endpoint, roster: Roster) -> str:
    """The address of the longest list of the row."""
    if row.shape == "list":
        return f"/v3.0{row.path}"
    id_ = max(roster.records[row.source], key=lambda id_: (len(roster.related(row.path, id_)), id_))
    return f"/v3.0{row.path}".replace("{id}", id_)


def ids_of(page: Any) -> list[str]:
    return [element["data"]["id"] for element in page["data"]]


def rel(page: Any, name: str) -> str | None:
    found = [link["uri"] for link in page["links"] if link["rel"] == name]
    assert len(found) <= 1
    return found[0] if found else None


def follow(reader: Client, start: str, name: str) -> list[Any]:
    """The elements of all pages from a start along the links of that name, in the order of the walk."""
    pages: list[list[Any]] = []
    at: str | None = start
    while at:
        page = reader.read(at)
        assert at == page["links"][0]["uri"]
        pages.append(page["data"])
        at = rel(page, name)
        assert len(pages) < STEPS_MAX
    return [element for page in (reversed(pages) if name == "prev" else pages) for element in page]


@paged_rows
def test_following_links_forward_or_back_gives_the_whole_list_at_any_limit(
    reader: Client, roster: Roster, row: Endpoint
) -> None:
    path = fullest(row, roster)
    whole = reader.read(f"{path}?limit=10000")["data"]
    assert len(whole) > 1
    for limit in (1, 2, 3, 7, len(whole) - 1, len(whole), len(whole) + 1):
        if limit < 3 and len(whole) > 60:
            continue  # those rows are walked with small limits by the roles below
        assert whole == follow(reader, f"{path}?limit={limit}", "next")
        assert whole == follow(reader, f"{path}?limit={limit}&ending_before=last", "prev")


@pytest.mark.parametrize(
    "asked",
    [
        *(
            f"/v3.0/users?role={role}"
            for role in ("contact", "district_admin", "staff", "student", "teacher")
        ),
        *(f"/v3.0/schools/{{school}}/users?role={role}" for role in ("staff", "student", "teacher")),
        "/v3.0/schools/{school}/users?primary=true",
        "/v3.0/schools/{school}/users?role=student&primary=true",
    ],
)
def test_filters_hold_on_every_page(reader: Client, roster: Roster, asked: str) -> None:
    asked = asked.replace("{school}", min(roster.records["schools"]))
    whole = reader.read(f"{asked}&limit=10000")["data"]
    for limit in (1, 2, 5):
        assert whole == follow(reader, f"{asked}&limit={limit}", "next")
        assert whole == follow(reader, f"{asked}&ending_before=last&limit={limit}", "prev")


@paged_rows
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_page_is_the_slice_that_its_cursor_and_limit_name(
    reader: Client, roster: Roster, row: Endpoint, data: st.DataObject
) -> None:
    path = fullest(row, roster)
    whole = ids_of(reader.read(f"{path}?limit=10000"))
    limit = data.draw(st.integers(1, len(whole) + 1) | st.just(10_000), "limit")
    name = data.draw(st.sampled_from(["starting_after", "ending_before"]), "direction")
    cursor = data.draw(
        st.sampled_from(whole) | HEX | st.just("last" if name == "ending_before" else "0" * 24), "cursor"
    )
    page = reader.read(f"{path}?limit={limit}&{name}={cursor}")

    after = [id_ for id_ in whole if id_ > cursor] if name == "starting_after" else []
    before = [id_ for id_ in whole if cursor == "last" or id_ < cursor] if name == "ending_before" else []
    expected = after[:limit] if name == "starting_after" else before[-limit:]
    assert expected == ids_of(page)
    assert [element["uri"] for element in page["data"]] == [f"/v3.0/{row.returns}/{id_}" for id_ in expected]

    # A link onwards exists if something follows. The link back always exists, even if it leads to nothing.
    base = f"{path}?limit={limit}"
    first, last = (expected[0], expected[-1]) if expected else (cursor, cursor)
    if name == "starting_after":
        links = [("prev", f"{base}&ending_before={first}")]
        links += [("next", f"{base}&starting_after={last}")] if len(after) > limit else []
    else:
        links = [("prev", f"{base}&ending_before={first}")] if len(before) > limit else []
        links += [("next", f"{base}&starting_after={last}")] if cursor != "last" else []
    assert [("self", f"{base}&{name}={cursor}"), *links] == [
        (link["rel"], link["uri"]) for link in page["links"]
    ]


@paged_rows
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_next_and_prev_undo_each_other(
    reader: Client, roster: Roster, row: Endpoint, data: st.DataObject
) -> None:
    path = fullest(row, roster)
    size = len(ids_of(reader.read(f"{path}?limit=10000")))
    page = reader.read(f"{path}?limit={data.draw(st.integers(1, max(1, size // 2)), 'limit')}")
    steps = data.draw(st.integers(0, 3), "steps")
    for _ in range(steps):
        onwards = rel(page, "next")
        if onwards is None:
            break
        following = reader.read(onwards)
        back = rel(following, "prev")
        assert back is not None
        returned = reader.read(back)
        assert ids_of(page) == ids_of(returned)
        again = rel(returned, "next")
        assert again is not None
        assert ids_of(following) == ids_of(reader.read(again))
        page = following


@paged_rows
def test_a_page_beyond_either_end_is_empty_and_leads_back(
    reader: Client, roster: Roster, row: Endpoint
) -> None:
    path = fullest(row, roster)
    whole = ids_of(reader.read(f"{path}?limit=10000"))
    after = reader.read(f"{path}?starting_after={whole[-1]}")
    assert ([], f"{path}?ending_before={whole[-1]}", None) == (
        ids_of(after),
        rel(after, "prev"),
        rel(after, "next"),
    )
    before = reader.read(f"{path}?ending_before={whole[0]}")
    assert ([], None, f"{path}?starting_after={whole[0]}") == (
        ids_of(before),
        rel(before, "prev"),
        rel(before, "next"),
    )


@paged_rows
def test_without_a_limit_a_page_has_a_hundred(reader: Client, roster: Roster, row: Endpoint) -> None:
    path = fullest(row, roster)
    whole = ids_of(reader.read(f"{path}?limit=10000"))
    page = reader.read(path)
    assert whole[:100] == ids_of(page)
    assert (len(whole) > 100) == (rel(page, "next") is not None)


@paged_rows
def test_links_carry_the_other_parameters_on(reader: Client, roster: Roster, row: Endpoint) -> None:
    path = fullest(row, roster)
    page = reader.read(f"{path}?colour=r%C3%A9d&limit=1&x=%26")
    onwards = rel(page, "next")
    assert onwards is not None
    assert path == urlsplit(onwards).path
    assert [("colour", "réd"), ("limit", "1"), ("x", "&"), ("starting_after", ids_of(page)[0])] == parse_qsl(
        urlsplit(onwards).query
    )


def test_districts_have_no_pages(reader: Client) -> None:
    page = reader.read("/v3.0/districts?limit=1&starting_after=ffffffffffffffffffffffff&ending_before=x")
    assert len(page["data"]) == 1
    assert [link["rel"] for link in page["links"]] == ["self"]
