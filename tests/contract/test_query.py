"""A query string against its endpoint's row, and the links of the answer: good, bad, empty, repeated,
encoded."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.query import (
    LAST,
    LIMIT_MAX,
    SINCE_SNAPSHOT,
    Query,
    page_links,
    parse,
    parse_unpaged,
    record_links,
    without_cursors,
)
from rollbook.domain.kinds import KINDS, ROLE, ROLES, Kind, masks_with
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import BadParameter, TooLarge

ROWS = {row.path: row for row in ENDPOINTS}
USERS, DISTRICTS, SCHOOLS_OF_USER = ROWS["/users"], ROWS["/districts"], ROWS["/users/{id}/schools"]
PAGED = [row for row in ENDPOINTS if row.has_paging]
A, B, C = "58da8a43cc70ab00017a1a0a", "58da8a43cc70ab00017a1a0b", "58da8a43cc70ab00017a1a0c"

IDS = st.text("0123456789abcdef", min_size=24, max_size=24)


def _links(text: str) -> list[tuple[str, str]]:
    return [(link["rel"], link["uri"]) for link in json.loads(text)]


def _page(
    raw: str, *, first: str | None = A, last: str | None = B, has_more: bool = False
) -> list[tuple[str, str]]:
    path = "/v3.0/users"
    return _links(page_links(path, raw, without_cursors(raw), parse(USERS, raw), first, last, has_more))


# --- what is read


def test_nothing_asked_is_the_first_hundred() -> None:
    assert Query(limit=100, after=None, before=None, count=False, role=None, primary=False) == parse(
        USERS, ""
    )


@pytest.mark.parametrize(
    ("raw", "query"),
    [
        ("limit=1", Query(limit=1)),
        ("limit=10000", Query(limit=10_000)),
        ("limit=007", Query(limit=7)),
        (f"starting_after={A}", Query(after=A)),
        (f"starting_after={A.upper()}", Query(after=A)),
        (f"ending_before={A}", Query(before=A)),
        ("ending_before=last", Query(before=LAST)),
        ("ending_before=last&limit=1", Query(limit=1, before=LAST)),
        ("role=student", Query(role="student")),
        ("role=district_admin&limit=5", Query(limit=5, role="district_admin")),
    ],
)
def test_good_parameters(raw: str, query: Query) -> None:
    assert query == parse(USERS, raw)


@pytest.mark.parametrize("name", ["limit", "starting_after", "ending_before", "role", "count"])
def test_an_empty_value_is_as_good_as_absent(name: str) -> None:
    assert Query() == parse(USERS, f"{name}=") == parse(USERS, name)


def test_primary_is_true_or_nothing() -> None:
    assert Query(primary=True) == parse(SCHOOLS_OF_USER, "primary=true")
    assert Query() == parse(SCHOOLS_OF_USER, "primary=")
    with pytest.raises(BadParameter, match=r"^primary: expected 'true'"):
        parse(SCHOOLS_OF_USER, "primary=false")


def test_the_last_of_a_repeated_parameter_counts() -> None:
    assert Query(limit=2) == parse(USERS, "limit=1&limit=2")
    assert Query(limit=1) == parse(USERS, "limit=1&limit=")


def test_names_and_values_may_be_encoded() -> None:
    assert Query(limit=12, role="district_admin") == parse(USERS, "%6Cimit=%31%32&role=district%5Fadmin")


LIST_FORMS = ("{}[]", "{}[0]", "{}[12]", "{}%5B%5D", "{}%5B0%5D")
VALUES = {
    "limit": "7",
    "starting_after": A,
    "ending_before": B,
    "role": "student",
    "primary": "true",
    "count": "true",
    "school": A,
}
SCALARS = [
    (row, name)
    for row in (*ENDPOINTS, *EVENTS)
    for name in (*row.parameters, SINCE_SNAPSHOT)
    if name in VALUES and row.parameters
]


@pytest.mark.parametrize("form", LIST_FORMS)
def test_a_parameter_may_be_written_as_a_list(form: str) -> None:
    for row, name in SCALARS:
        plain = parse(row, f"{name}={VALUES[name]}")
        assert (row.path, name, plain) == (row.path, name, parse(row, f"{form.format(name)}={VALUES[name]}"))
        assert plain != Query()


@pytest.mark.parametrize("form", [*LIST_FORMS, "{}"])
def test_a_list_of_kinds_may_be_indexed(form: str) -> None:
    asked = f"{form.format('record_type')}=users&{form.replace('0', '1').format('record_type')}=sections"
    assert Query(record_types=("users", "sections")) == parse(EVENTS[0], asked)
    assert Query(since_snapshot=SnapshotName(4, "")) == parse(EVENTS[0], f"{form.format(SINCE_SNAPSHOT)}=4")


@pytest.mark.parametrize(
    "raw", ["role[]=student&role[]=teacher", "role[0]=student&role[1]=teacher", "limit[]=1&limit[]=2"]
)
def test_a_list_where_one_value_is_expected_is_refused(raw: str) -> None:
    with pytest.raises(BadParameter, match=r"^(role|limit): expected one value, got a list"):
        parse(USERS, raw)


def test_a_list_of_one_value_said_twice_is_that_value() -> None:
    assert Query(role="student") == parse(USERS, "role[0]=student&role[1]=student")


@pytest.mark.parametrize(
    "key", ["role[x]", "role[", "role[0", "role[0][1]", "role[-1]", "role]", "role[]]", "role[%20]"]
)
def test_brackets_that_are_no_index_never_drop_a_filter(key: str) -> None:
    if key == "role]":  # another name
        assert Query() == parse(USERS, f"{key}=student")
        return
    with pytest.raises(BadParameter, match=r"^role: expected role=\.\.\., got 'role\["):
        parse(USERS, f"{key}=student")


@pytest.mark.parametrize("value", [",", "%20", ", ,"])
def test_kinds_that_are_only_commas_are_refused(value: str) -> None:
    with pytest.raises(BadParameter, match=r"^record_type: expected some of "):
        parse(EVENTS[0], f"record_type={value}")


def test_a_user_token_ignores_paging_in_any_form() -> None:
    assert Query(limit=LIMIT_MAX, role="student") == parse_unpaged(
        USERS, f"limit[]=x&starting_after[0]={A}&role[]=student"
    )


def test_links_carry_no_second_cursor_when_the_first_was_written_as_a_list() -> None:
    links = dict(_page(f"starting_after[]={A}&role[]=student", has_more=True))
    assert links["next"] == f"/v3.0/users?role[]=student&starting_after={B}"


def test_unknown_parameters_are_ignored() -> None:
    assert Query() == parse(USERS, "where=x&sort=name&=&&where[limit]=3&[limit]=3&%FF=%FF")


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.path)
def test_parameters_that_the_row_does_not_name_are_ignored(row: Endpoint) -> None:
    others = {"limit", "starting_after", "ending_before", "role", "primary", "count"} - set(row.parameters)
    assert Query() == parse(row, urlencode(dict.fromkeys(others, "?")))


def test_a_list_without_pages_ignores_limit() -> None:
    assert Query() == parse(DISTRICTS, f"limit=99999&starting_after={A}&ending_before={B}")


# --- what is refused


@pytest.mark.parametrize("value", ["0", "000", "-1", "+1", "1.0", "1e2", "ten", " ", "١٢", "%00", "1%20"])
@pytest.mark.parametrize("row", PAGED, ids=lambda row: row.path)
def test_a_limit_that_is_no_count_is_refused(row: Endpoint, value: str) -> None:
    with pytest.raises(BadParameter, match=r"^limit: expected a whole number from 1 to 10000"):
        parse(row, f"limit={value}")


@pytest.mark.parametrize("value", ["10001", "99999999999", "0010001", "9" * 5000])
@pytest.mark.parametrize("row", PAGED, ids=lambda row: row.path)
def test_a_limit_above_the_largest_page_is_too_large(row: Endpoint, value: str) -> None:
    with pytest.raises(TooLarge) as caught:
        parse(row, f"limit={value}")
    assert caught.value.status == 413


@pytest.mark.parametrize("value", ["x", A[:-1], A + "0", "LAST", "z" * 24, "null", f"{A}%0A"])
@pytest.mark.parametrize("name", ["starting_after", "ending_before"])
def test_a_cursor_that_is_no_id_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadParameter, match=f"^{name}: expected an id of 24 hex characters"):
        parse(USERS, f"{name}={value}")


def test_last_is_for_ending_before_only() -> None:
    with pytest.raises(BadParameter, match=r"^starting_after: .*ending_before takes"):
        parse(USERS, "starting_after=last")


@pytest.mark.parametrize("before", [A, LAST])
def test_both_cursors_are_refused(before: str) -> None:
    with pytest.raises(BadParameter, match=r"^starting_after, ending_before: expected one of the two"):
        parse(USERS, f"starting_after={A}&ending_before={before}")


@pytest.mark.parametrize("row", [row for row in ENDPOINTS if row.roles], ids=lambda row: row.path)
def test_roles_are_those_of_the_row(row: Endpoint) -> None:
    for role in row.roles:
        assert role == parse(row, f"role={role}").role
    for role in {role.name for role in ROLES} - set(row.roles) | {"Student", "admin", "student,teacher"}:
        with pytest.raises(BadParameter, match=r"^role: expected one of "):
            parse(row, f"role={role}")


def test_a_message_repeats_no_more_than_a_little_of_the_value() -> None:
    with pytest.raises(BadParameter) as caught:
        parse(USERS, f"role={'x' * 5000}")
    assert len(str(caught.value)) < 200


# --- count


def test_count_leaves_the_page_aside_and_keeps_the_role() -> None:
    assert Query(count=True, role="teacher") == parse(
        USERS, f"count=true&role=teacher&limit=x&starting_after={A}"
    )


@pytest.mark.parametrize("value", ["false", "undefined", "5", "TRUE", "1"])
def test_any_other_count_is_ignored(value: str) -> None:
    assert Query(limit=3) == parse(USERS, f"count={value}&limit=3")


def test_lists_without_count_ignore_it() -> None:
    assert Query() == parse(ROWS["/resources"], "count=true")


# --- any query at all


@given(raw=st.text(max_size=200), row=st.sampled_from(ENDPOINTS))
def test_any_text_is_a_query_or_a_named_error(raw: str, row: Endpoint) -> None:
    try:
        query = parse(row, raw)
    except (BadParameter, TooLarge):
        return
    assert 1 <= query.limit <= LIMIT_MAX
    assert not (query.after and query.before)


# --- the links of a page


def test_a_whole_list_links_to_itself_alone() -> None:
    assert _page("") == [("self", "/v3.0/users")]


def test_the_first_of_several_pages_has_next_and_no_prev() -> None:
    expected = [("self", "/v3.0/users?limit=2"), ("next", f"/v3.0/users?limit=2&starting_after={B}")]
    assert expected == _page("limit=2", has_more=True)


def test_a_middle_page_has_self_prev_next_in_this_order() -> None:
    raw = f"starting_after={C}&limit=2"
    assert [
        ("self", f"/v3.0/users?{raw}"),
        ("prev", f"/v3.0/users?limit=2&ending_before={A}"),
        ("next", f"/v3.0/users?limit=2&starting_after={B}"),
    ] == _page(raw, has_more=True)


def test_the_last_page_has_prev_and_no_next() -> None:
    raw = f"starting_after={C}"
    assert [("self", f"/v3.0/users?{raw}"), ("prev", f"/v3.0/users?ending_before={A}")] == _page(raw)


def test_an_empty_page_leads_back_to_its_cursor() -> None:
    raw = f"starting_after={C}"
    expected = [("self", f"/v3.0/users?{raw}"), ("prev", f"/v3.0/users?ending_before={C}")]
    assert expected == _page(raw, first=None, last=None)


def test_a_page_before_an_id_has_next_and_has_prev_while_records_precede() -> None:
    raw = f"ending_before={C}"
    to_itself, forward = ("self", f"/v3.0/users?{raw}"), ("next", f"/v3.0/users?starting_after={B}")
    assert [to_itself, ("prev", f"/v3.0/users?ending_before={A}"), forward] == _page(raw, has_more=True)
    assert [to_itself, forward] == _page(raw)


def test_the_page_before_last_has_no_next() -> None:
    raw = "ending_before=last&limit=2"
    to_itself = ("self", f"/v3.0/users?{raw}")
    assert [to_itself, ("prev", f"/v3.0/users?limit=2&ending_before={A}")] == _page(raw, has_more=True)
    assert [to_itself] == _page(raw, first=None, last=None)


def test_links_keep_unknown_parameters_as_they_were_written() -> None:
    raw = f"x=1&y=%C3%A9+b&x=2&limit=2&starting_after={C}&z"
    (_, itself), (_, previous), (_, following) = _page(raw, has_more=True)
    assert f"/v3.0/users?{raw}" == itself
    assert f"/v3.0/users?x=1&y=%C3%A9+b&x=2&limit=2&z&ending_before={A}" == previous
    assert f"/v3.0/users?x=1&y=%C3%A9+b&x=2&limit=2&z&starting_after={B}" == following


@pytest.mark.parametrize("name", ["starting_after", "starting%5Fafter", "%73tarting_after"])
def test_a_link_has_one_cursor_however_the_old_one_was_written(name: str) -> None:
    (_, previous) = _page(f"{name}={C}")[1]
    assert f"/v3.0/users?ending_before={A}" == previous


def test_links_survive_whatever_stands_in_the_query() -> None:
    raw = 'q="quoted"\\&<script>=é\u2028'
    assert [("self", f"/v3.0/users?{raw}")] == _page(raw)


@given(
    limit=st.integers(1, LIMIT_MAX) | st.none(),
    after=IDS | st.none(),
    others=st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=8)), max_size=3),
    ends=st.tuples(IDS, IDS) | st.none(),
    has_more=st.booleans(),
)
def test_every_link_can_be_followed(
    limit: int | None,
    after: str | None,
    others: list[tuple[str, str]],
    ends: tuple[str, str] | None,
    has_more: bool,
) -> None:
    asked = {"limit": limit, "starting_after": after}
    known = [(name, str(value)) for name, value in asked.items() if value]
    raw = urlencode([pair for pair in others if pair[0] not in USERS.parameters] + known)
    first, last = ends or (None, None)
    for rel, uri in _page(raw, first=first, last=last, has_more=has_more and ends is not None):
        followed = parse(USERS, uri.partition("?")[2])
        assert (limit or 100) == followed.limit
        cursors = {"self": (after, None), "prev": (None, first or after), "next": (last, None)}
        assert cursors[rel] == (followed.after, followed.before)
        kept = [
            pair
            for pair in parse_qsl(raw, keep_blank_values=True)
            if pair[0] not in ("starting_after", "ending_before")
        ]
        assert kept == [
            pair
            for pair in parse_qsl(uri.partition("?")[2], keep_blank_values=True)
            if pair[0] not in ("starting_after", "ending_before")
        ]


# --- the links of a record


def _tails(kind: str, roles: int = 0, missing: frozenset[str] = frozenset()) -> list[str]:
    links = _links(record_links("/v3.0", kind, A, roles, missing))
    assert links[0] == ("self", f"/v3.0/{kind}/{A}")
    assert all(uri == f"/v3.0/{kind}/{A}/{rel}" for rel, uri in links[1:])
    return [rel for rel, _ in links[1:]]


@pytest.mark.parametrize(
    ("kind", "tails"),
    [
        ("districts", []),
        ("schools", ["district", "sections", "users", "terms", "courses"]),
        ("terms", ["district", "sections", "schools"]),
        ("courses", ["district", "sections", "schools"]),
        ("sections", ["district", "school", "term", "course", "users"]),
        ("resources", ["courses", "sections", "users"]),
    ],
)
def test_links_of_a_record_stand_in_the_recorded_order(kind: str, tails: list[str]) -> None:
    assert tails == _tails(kind)


@pytest.mark.parametrize(
    ("roles", "tails"),
    [
        (("student",), ["district", "sections", "myContacts", "myTeachers", "schools"]),
        (("teacher",), ["district", "sections", "myStudents", "schools"]),
        (("staff",), ["district", "sections", "schools"]),
        (("district_admin",), ["district"]),
        (("contact",), ["district", "sections", "schools"]),
        (("teacher", "staff", "district_admin"), ["district", "sections", "myStudents", "schools"]),
    ],
)
def test_links_of_a_user_follow_from_the_roles(roles: tuple[str, ...], tails: list[str]) -> None:
    assert tails == _tails("users", sum(ROLE[name].bit for name in roles))


def test_a_link_that_leads_nowhere_is_left_out() -> None:
    assert _tails("sections", missing=frozenset({"term", "course"})) == ["district", "school", "users"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_link_of_a_record_is_a_path_of_the_api(kind: Kind) -> None:
    name = kind.name
    every_role = sum(role.bit for role in ROLES)
    for tail in _tails(name, every_role if name == "users" else 0):
        assert f"/{name}/{{id}}/{tail.lower()}" in ROWS


def test_masks_of_a_role_are_those_one_person_can_hold() -> None:
    assert masks_with("student") == (1,)
    assert masks_with("contact") == (16,)
    assert masks_with("teacher") == (2, 6, 10, 14)
    assert masks_with("staff") == (4, 6, 12, 14)


def test_a_query_goes_on_from_its_cursor_and_from_either_end_without_one() -> None:
    id_ = "5" * 24
    assert Query(after=id_).cursor == ("starting_after", id_)
    assert Query(before=id_).cursor == ("ending_before", id_)
    assert (Query().cursor, Query(before=LAST).cursor) == (None, None)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (f"{SINCE_SNAPSHOT}=yesterday", "expected what x-rollbook-snapshot said"),
        ("school=North", "school: expected an id"),
    ],
)
def test_a_snapshot_or_school_that_is_none_is_refused(asked: str, told: str) -> None:
    (endpoint,) = (row for row in EVENTS if row.path == "/events")
    with pytest.raises(BadParameter, match=told):
        parse(endpoint, asked)
