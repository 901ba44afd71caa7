"""Every row of the contract over HTTP, on both databases: who may ask, what does not exist, and the answer of
each path."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from rollbook.contract.clever.endpoints import ENDPOINTS, Endpoint
from tests.journeys.hub import Client
from tests.journeys.oracle import Roster

UNKNOWN_ID = "5f" * 12
UNAUTHORIZED = {
    "message": "Unrecognized token string",
    "error": "Unrecognized token string",
    "code": 101,
    "data": {},
}
NOT_FOUND = {"message": "Resource not found", "error": "Resource not found"}
SAMPLE = 5


def _with(*shapes: str) -> pytest.MarkDecorator:
    rows = [row for row in ENDPOINTS if row.shape in shapes]
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.path)


every_row = _with("list", "get", "one", "many")


def at(row: Endpoint, id_: str = UNKNOWN_ID) -> str:
    """The address of a row for a record."""
    return f"/v3.0{row.path}".replace("{id}", id_)


# --- who may ask ----------------------------------------------------------------------------------------------------------


@every_row
def test_without_a_known_bearer_token_the_answer_is_401(stranger: Client, token: str, row: Endpoint) -> None:
    for authorization in (
        None,
        "",
        "Bearer",
        "Bearer ",
        token,
        f"Basic {token}",
        f"Token {token}",
        f"Bearer {token}0",
    ):
        headers = {} if authorization is None else {"authorization": authorization}
        answer = stranger.request("GET", at(row), headers)
        assert (authorization, 401) == (authorization, answer.status_code)
        assert answer.json() == UNAUTHORIZED
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.headers["www-authenticate"] == 'Bearer realm="rollbook"'


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_matched_in_any_case(stranger: Client, token: str, scheme: str) -> None:
    assert stranger.get("/v3.0/districts", authorization=f"{scheme} {token}").status_code == 200


def test_a_token_in_the_address_is_no_token(stranger: Client, token: str) -> None:
    assert stranger.get(f"/v3.0/users?access_token={token}").status_code == 401


# --- what is not there ----------------------------------------------------------------------------------------------------


@_with("get", "one", "many")
def test_an_unknown_or_malformed_id_is_a_json_404(reader: Client, row: Endpoint) -> None:
    for id_ in (
        UNKNOWN_ID,
        "0" * 24,
        "x",
        "5f" * 11,
        "5f" * 13,
        "zz" * 12,
        "null",
        "%27",
        "5f" * 11 + "%20%20",
    ):
        answer = reader.get(at(row, id_))
        assert (id_, 404, NOT_FOUND) == (id_, answer.status_code, answer.json())
        assert answer.headers["content-type"] == "application/json; charset=utf-8"


@_with("get", "one", "many")
def test_a_record_of_another_kind_is_not_found(reader: Client, roster: Roster, row: Endpoint) -> None:
    for kind, records in roster.records.items():
        if kind != row.source:
            assert reader.get(at(row, min(records))).status_code == 404


UNKNOWN_PATHS = (
    "/nothing",
    "/v3.0",
    "/v3.0/nothing",
    "/v3.0/students",
    "/v3.0/users/{id}/nothing",
    "/v3.0/users/{id}/sections/more",
    "/v3.0/users/{id}/sections/{id}/more/and/more",
    "/v3.0/districts/{id}/schools",
)


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
def test_an_unknown_path_is_the_recorded_html_to_the_letter(
    reader: Client, stranger: Client, roster: Roster, path: str
) -> None:
    path = path.replace("{id}", min(roster.records["users"]))
    for client in (reader, stranger):
        answer = client.get(path)
        assert answer.status_code == 404
        assert (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
            f"<body>\n<pre>Cannot GET {path}</pre>\n</body>\n</html>\n"
        ) == answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == "default-src 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_text_of_an_unknown_path_is_never_part_of_the_page(reader: Client) -> None:
    answer = reader.get("/v3.0/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert answer.status_code == 404
    assert "<script>" not in answer.text


@every_row
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FAULT"])
def test_other_methods_are_no_endpoint(reader: Client, roster: Roster, row: Endpoint, method: str) -> None:
    path = at(row, min(roster.records[row.source]))
    answer = reader.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert f"<pre>Cannot {method} {html.escape(path)}</pre>" in answer.text


def test_unknown_paths_answer_json_where_that_is_set(town_in_json: Client) -> None:
    for path in ("/v3.0/nothing", "/nothing"):
        answer = town_in_json.get(path)
        assert (404, {"message": f"Cannot GET {path}", "error": f"Cannot GET {path}"}) == (
            answer.status_code,
            answer.json(),
        )


# --- what each path answers with ------------------------------------------------------------------------------------------


@_with("get")
def test_a_record_by_itself_is_the_one_in_the_list(reader: Client, roster: Roster, row: Endpoint) -> None:
    for id_, record in roster.records[row.source].items():
        body = reader.read(at(row, id_))
        assert {"data", "links"} == set(body)
        assert record == body["data"]
        assert {"rel": "self", "uri": at(row, id_)} == body["links"][0]


@_with("get")
def test_every_link_of_a_record_leads_to_its_answer(reader: Client, roster: Roster, row: Endpoint) -> None:
    for id_ in sorted(roster.records[row.source])[:: max(1, len(roster.records[row.source]) // SAMPLE)]:
        for link in reader.read(at(row, id_))["links"]:
            record = roster.records[row.source][id_]
            field = {"term": "term_id", "course": "course"}.get(link["rel"])
            expected = 404 if row.source == "sections" and field and field not in record else 200
            assert (link["uri"], expected) == (link["uri"], reader.get(link["uri"]).status_code)


@_with("list")
def test_a_list_holds_each_record_once_in_ascending_order_with_its_address(
    reader: Client, roster: Roster, row: Endpoint
) -> None:
    page = reader.read(f"{at(row)}?limit=10000")
    ids = [element["data"]["id"] for element in page["data"]]
    assert sorted(set(ids)) == ids
    assert [f"/v3.0/{row.returns}/{id_}" for id_ in ids] == [element["uri"] for element in page["data"]]
    assert all({"data", "uri"} == set(element) for element in page["data"])


@_with("many")
def test_a_related_list_is_what_plain_python_finds_in_the_whole_lists(
    reader: Client, roster: Roster, row: Endpoint
) -> None:
    for id_ in roster.records[row.source]:
        for role in (None, *row.roles):
            for primary in (False, True) if row.has_primary else (False,):
                asked = f"{at(row, id_)}?limit=10000{f'&role={role}' if role else ''}{'&primary=true' if primary else ''}"
                expected = sorted(roster.related(row.path, id_, role=role, primary=primary))
                found = reader.records(asked)
                assert (asked, expected) == (asked, [record["id"] for record in found])
                assert [roster.records[row.returns][target] for target in expected] == found


@_with("many")
def test_the_town_has_a_list_with_elements_for_each_row(roster: Roster, row: Endpoint) -> None:
    assert any(
        roster.related(row.path, id_, role=role)
        for id_ in roster.records[row.source]
        for role in (None, *row.roles)
    )


@_with("one")
def test_a_to_one_path_is_the_target_with_a_link_to_itself(
    reader: Client, roster: Roster, row: Endpoint
) -> None:
    field = {"term": "term_id"}.get(row.tail, row.tail)
    for id_, record in roster.records[row.source].items():
        target = record.get(field)
        answer = reader.get(at(row, id_))
        if target is None:
            assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
        else:
            self_link = {"rel": "self", "uri": f"/v3.0/{row.returns}/{target}"}
            assert {"data": roster.records[row.returns][target], "links": [self_link]} == answer.json()


def test_the_town_has_sections_with_and_without_a_course_and_a_term(roster: Roster) -> None:
    for field in ("course", "term_id"):
        assert {True, False} == {field in section for section in roster.records["sections"].values()}


@pytest.mark.parametrize("role", ["contact", "district_admin", "staff", "student", "teacher"])
def test_users_of_a_role_are_those_who_hold_it_among_others(
    reader: Client, roster: Roster, role: str
) -> None:
    found = reader.records(f"/v3.0/users?role={role}")
    assert sorted(roster.with_role(role)) == [user["id"] for user in found]
    assert found == [roster.records["users"][user["id"]] for user in found]
    assert {
        "count": len(found),
        "links": [{"rel": "self", "uri": f"/v3.0/users?count=true&role={role}"}],
    } == reader.read(f"/v3.0/users?count=true&role={role}")


@_with("list")
def test_count_is_a_number_in_place_of_the_page(reader: Client, roster: Roster, row: Endpoint) -> None:
    asked = f"{at(row)}?count=true"
    if row.has_count:
        expected = {"count": len(roster.records[row.source]), "links": [{"rel": "self", "uri": asked}]}
        assert expected == reader.read(asked)
        assert (
            expected["count"]
            == reader.read(f"{asked}&limit=1&starting_after={UNKNOWN_ID}&ending_before=last")["count"]
        )
    else:
        assert "data" in reader.read(asked)
    for value in ("", "false", "undefined", "5", "TRUE"):
        assert "data" in reader.read(f"{at(row)}?count={value}")


def test_an_empty_list_of_resources_has_both_keys(reader: Client, roster: Roster) -> None:
    contact = min(roster.with_role("contact"))
    path = f"/v3.0/users/{contact}/resources"
    assert {"data": [], "links": [{"rel": "self", "uri": path}], "resources": []} == reader.read(path)
    assert {"data", "links"} == set(reader.read(f"/v3.0/users/{contact}/sections"))


# --- what is said of it ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def document(reader: Client) -> Any:
    """The OpenAPI document as served."""
    return reader.read("/openapi.json")


def _validator(document: Any, schema: Any) -> Draft202012Validator:
    return Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def _addresses(row: Endpoint, roster: Roster) -> Iterator[str]:
    ids = sorted(roster.records[row.source])
    if row.shape == "list":
        yield from (f"{at(row)}?limit=10000", at(row), f"{at(row)}?limit=1", f"{at(row)}?count=true")
        yield f"{at(row)}?limit=1&starting_after={'f' * 24}"
    elif row.shape == "get":
        yield from (at(row, id_) for id_ in ids)
    else:
        yield from (at(row, id_) for id_ in ids[:: max(1, len(ids) // SAMPLE)])


@every_row
def test_bodies_are_valid_against_the_served_document(
    reader: Client, roster: Roster, document: Any, row: Endpoint
) -> None:
    success = document["paths"][f"/v3.0{row.path}"]["get"]["responses"]["200"]
    page = _validator(document, success["content"]["application/json"]["schema"])
    count = _validator(document, success["x-count"]["schema"]) if row.has_count else page
    seen = 0
    for path in _addresses(row, roster):
        validator = count if path.endswith("?count=true") else page
        answer = reader.get(path)
        if answer.status_code == 404 and row.shape == "one":
            continue
        assert (path, []) == (path, [error.message for error in validator.iter_errors(answer.json())])
        assert (path, []) == (path, list(_nulls(answer.json())))
        seen += 1
    assert seen


@every_row
def test_failures_are_valid_against_the_served_document(
    reader: Client, stranger: Client, document: Any, row: Endpoint
) -> None:
    responses = document["paths"][f"/v3.0{row.path}"]["get"]["responses"]
    answers = [
        stranger.get(at(row)),
        reader.get(f"{at(row)}?limit=10001"),
        reader.get(f"{at(row)}?limit=0&count=&role=x"),
    ]
    for answer in answers:
        if answer.status_code == 200:  # a row without this parameter
            continue
        response = responses[str(answer.status_code)]
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        validator = _validator(document, response["content"]["application/json"]["schema"])
        assert [error.message for error in validator.iter_errors(answer.json())] == []


def _nulls(value: Any, place: str = "") -> Iterator[str]:
    if value is None:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from _nulls(child, f"{place}/{key}")


# --- what is asked --------------------------------------------------------------------------------------------------------

BAD = {
    "limit": ("0", "-1", "x", "1.5", "1e3", "+5", "%00", "٣", "0x10", "1 "),
    "starting_after": ("x", "last", "5f", "zz" * 12, "5f" * 13),
    "ending_before": ("x", "first", "5f", "zz" * 12, "5f" * 13),
    "role": ("x", "Student", "admin", "student,teacher"),
    "primary": ("x", "false", "True", "1"),
}


@every_row
def test_a_bad_value_is_a_400_that_names_the_parameter(reader: Client, roster: Roster, row: Endpoint) -> None:
    path = at(row, min(roster.records[row.source]))
    for name, values in BAD.items():
        for value in values:
            answer = reader.get(f"{path}?{name}={value}")
            if name in row.parameters:
                assert (name, value, 400) == (name, value, answer.status_code)
                assert answer.json()["message"] == answer.json()["error"]
                assert answer.json()["message"].startswith(f"{name}: expected ")
            elif row.shape != "one":
                # A parameter that the row does not have is ignored.
                assert (name, value, 200) == (name, value, answer.status_code)


@every_row
def test_limits_and_cursors_have_their_bounds(reader: Client, roster: Roster, row: Endpoint) -> None:
    path = at(row, min(roster.records[row.source]))
    both = f"{path}?starting_after={UNKNOWN_ID}&ending_before={UNKNOWN_ID}"
    if not row.has_paging:
        assert (
            reader.get(path).status_code
            == reader.get(both).status_code
            == reader.get(f"{path}?limit=10001").status_code
        )
        return
    assert reader.get(f"{path}?limit=10000").status_code == 200
    for limit in ("10001", "100000", "9" * 400):
        answer = reader.get(f"{path}?limit={limit}")
        assert (answer.status_code, answer.json()["message"]) == (413, "Request entity too large")
    answer = reader.get(both)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("starting_after, ending_before: expected one")


@every_row
def test_unknown_parameters_are_ignored_and_echoed(reader: Client, roster: Roster, row: Endpoint) -> None:
    path = at(row, min(roster.records[row.source]))
    plain, odd = reader.get(path), reader.get(f"{path}?colour=red&show_links=&colour=%C3%BC&limit=")
    assert plain.status_code == odd.status_code
    if plain.status_code == 200:
        assert plain.json()["data"] == odd.json()["data"]
        if row.shape in ("list", "many"):
            assert f"{path}?colour=red&show_links=&colour=%C3%BC&limit=" == odd.json()["links"][0]["uri"]


@_with("get", "one", "many")
def test_paths_and_ids_are_matched_in_any_case_and_slashes_collapse(
    reader: Client, roster: Roster, row: Endpoint
) -> None:
    id_ = min(roster.records[row.source])
    path = at(row, id_)
    status, data = reader.get(path).status_code, reader.get(path).json().get("data")
    for spelled in (
        at(row, id_.upper()),
        path.replace("/my", "/My"),
        path.replace("mystudents", "myStudents")
        .replace("myteachers", "myTeachers")
        .replace("mycontacts", "MYCONTACTS"),
        f"/{path}",
        path.replace("/", "//"),
        f"{path}/",
        f"{path}//",
    ):
        answer = reader.get(spelled)
        assert (spelled, status, data) == (spelled, answer.status_code, answer.json().get("data"))


def test_links_keep_the_letters_of_the_path_asked_for(reader: Client, roster: Roster) -> None:
    student = min(roster.with_role("student"))
    for tail in ("myTeachers", "myteachers", "MYTEACHERS"):
        page = reader.read(f"/v3.0/users/{student}/{tail}?limit=1")
        assert f"/v3.0/users/{student}/{tail}?limit=1" == page["links"][0]["uri"]
