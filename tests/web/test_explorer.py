"""The Explorer over HTTP: every operation and record has a page with its answer, limited to what the page's
token may see."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from rollbook.contract.clever import openapi, openapi_schemas
from rollbook.contract.clever.event_rows import TYPES
from rollbook.contract.clever.field_sources import columns_of_field
from rollbook.contract.clever.fields import SHAPES
from rollbook.demo import published
from rollbook.web.explorer.catalog import Catalog, Operation
from rollbook.web.http.static_files import ROOT

CATALOG = Catalog()
# One leads to a sign-in; and a new demo has no events yet.
NOT_AT_ONCE = ("/oauth/authorize", "/events/{id}")
ANSWERED = [each for each in CATALOG.operations if each.method == "GET" and each.slug not in NOT_AT_ONCE]
ID = re.compile(r"[0-9a-f]{24}")
BEARER = {"Authorization": f"Bearer {published.DISTRICT_TOKEN}"}
KIB = 1024


@pytest.fixture(scope="module")
def demo(demo_address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo_address) as client:
        yield client


@pytest.fixture(scope="module")
def real(real_address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=real_address) as client:
        yield client


def status(page: httpx.Response) -> int:
    """The status of the answer that a page shows; 0 if it shows none."""
    found = re.search(r'id="status"><b>(\d+)</b>', page.text)
    return int(found[1]) if found else 0


def links(page: httpx.Response) -> list[str]:
    return [unescape(address) for address in re.findall(r'href="([^"]*)"', page.text)]


def words(page: httpx.Response) -> str:
    main = page.text.partition("<main")[2].partition(">")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


def first(demo: httpx.Client, role: str) -> Any:
    answer = demo.get(f"/v3.0/users?role={role}&limit=1", headers=BEARER).json()
    return answer["data"][0]["data"]


# --- operations


def test_every_operation_of_the_document_has_one_page() -> None:
    document: Any = openapi.document()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(each.method, each.path) for each in CATALOG.operations}
    assert len(CATALOG.by_slug) == len(CATALOG.operations)


@pytest.mark.parametrize("operation", ANSWERED, ids=lambda each: each.slug)
def test_an_operation_is_answered_as_it_is_opened(demo: httpx.Client, operation: Operation) -> None:
    page = demo.get(operation.address)
    assert (page.status_code, status(page)) == (200, 200), words(page)[:400]
    assert operation.path.replace("{id}", "") in words(page).replace(" {id} ", "")


def test_a_demo_without_an_event_says_how_to_get_one(demo: httpx.Client) -> None:
    page = demo.get("/explorer/events/{id}")
    assert (status(page), "sees no such record yet" in words(page), "/demo" in links(page)) == (0, True, True)


def test_the_explorer_opens_on_three_teachers(demo: httpx.Client) -> None:
    page = demo.get("/explorer")
    assert status(page) == 200
    assert "/v3.0/users?role=teacher&limit=3" in unescape(page.text)
    assert "next page" in words(page)
    assert "/log" in links(page)


def test_an_address_says_the_whole_request_and_names_no_token(demo: httpx.Client) -> None:
    teacher = first(demo, "teacher")
    page = demo.get(f"/explorer/users/{{id}}/sections?id={teacher['id']}&limit=1")
    assert f"/v3.0/users/{teacher['id']}/sections?limit=1" in page.text
    for address in links(page):
        assert not any(token in address for token in published.DISTRICT_TOKENS), address
        assert "ilc_" not in address


def test_each_id_and_link_of_an_answer_leads_to_its_own_page(demo: httpx.Client) -> None:
    page = demo.get("/explorer/sections?limit=2")
    answer = page.text.partition('id="answer"')[2].partition('id="as-table"')[0]
    seen = set()
    for address in (unescape(each) for each in re.findall(r'href="([^"]*)"', answer)):
        led = demo.get(address)
        assert (led.status_code, status(led)) == (200, 200), address
        seen.add(urlsplit(address).path)
    assert {f"/explorer/{kind}/{{id}}" for kind in ("sections", "schools", "users", "districts")} <= seen
    assert "/explorer/sections" in seen


def test_an_id_says_whose_it_is(demo: httpx.Client) -> None:
    section = demo.get("/v3.0/sections?limit=1", headers=BEARER).json()["data"][0]["data"]
    school = demo.get(f"/v3.0/schools/{section['school']}", headers=BEARER).json()["data"]["name"]
    teacher = demo.get(f"/v3.0/users/{section['teacher']}", headers=BEARER).json()["data"]["name"]
    page = demo.get(f"/explorer/sections/{{id}}?id={section['id']}")
    assert f'<span class="h">{school}</span>' in page.text
    assert f'<span class="h">{teacher["first"]} {teacher["last"]}</span>' in page.text


def test_the_ids_to_choose_are_of_people_who_have_such_an_answer(demo: httpx.Client) -> None:
    page = demo.get("/explorer/users/{id}/mycontacts")
    chosen = re.findall(r'<option value="([0-9a-f]{24})"[^>]*>([^<]*)', page.text.partition('id="p-id"')[2])
    assert chosen
    assert all("student" in name for _, name in chosen if "student" in name or "," in name)
    contacts = demo.get(f"/v3.0/users/{chosen[0][0]}/mycontacts", headers=BEARER).json()
    assert contacts["data"]


# --- what is wrong


@pytest.mark.parametrize(
    ("address", "answered", "said"),
    [
        ("/explorer/users?rol=teacher&limit=2", 200, "rol is not a parameter of this operation"),
        ("/explorer/users?rol=teacher&limit=2", 200, "Did you mean role ?"),
        ("/explorer/users?role=pilot", 400, "role: expected one of"),
        ("/explorer/users?role=pilot", 400, "It takes contact , district_admin"),
        ("/explorer/users?limit=10001", 413, "may be at most 10000"),
        (
            "/explorer/users/{id}?id=58da8a43cc70ab00017a1a00",
            404,
            "A missing record and an unshared one look the same",
        ),
        ("/explorer/me?as=district", 404, "it needs a user token"),
        ("/explorer/schools?as=teacher", 404, "This token does not open this path"),
    ],
)
def test_a_wrong_request_gets_the_own_answer_of_the_api_with_a_hint(
    demo: httpx.Client, address: str, answered: int, said: str
) -> None:
    page = demo.get(address)
    assert (status(page), said in words(page)) == (answered, True), words(page)[:900]


@pytest.mark.parametrize("path", ["/explorer/nothing", "/explorer/records/nothing", "/explorer/users/x/y/z"])
def test_a_page_that_is_not_there_is_not_found(demo: httpx.Client, path: str) -> None:
    assert demo.get(path, headers={"accept": "text/html"}).status_code == 404


def test_what_is_typed_is_shown_as_text(demo: httpx.Client) -> None:
    page = demo.get("/explorer/users", params={"role": "<script>alert(1)</script>", "<b>x</b>": "1"})
    assert "<script>alert" not in page.text
    assert "<b>x</b>" not in page.text


# --- tokens


def test_any_person_of_a_demo_can_be_asked_for(demo: httpx.Client) -> None:
    student = first(demo, "student")
    page = demo.get(f"/explorer/me?as={student['id']}")
    assert status(page) == 200
    assert student["id"] in page.text.partition('id="answer"')[2]
    contact = first(demo, "contact")
    refused = demo.get(f"/explorer/me?as={contact['id']}")
    assert (status(refused), "Nothing was sent" in words(refused)) == (0, True)


def test_the_chosen_person_goes_along_with_links(demo: httpx.Client) -> None:
    page = demo.get("/explorer/me?as=student")
    canonical = [address for address in links(page) if address.startswith("/explorer/users/{id}?id=")]
    assert canonical
    assert all(address.endswith("as=student") for address in canonical)
    assert status(demo.get(canonical[0])) == 200


def test_a_token_that_is_not_published_is_kept_back_until_a_yes(demo: httpx.Client) -> None:
    held = demo.post("/explorer/users?limit=1", data={"token": "0" * 40})
    assert (status(held), "Nothing was sent: this opens real data" in words(held)) == (0, True)
    sent = demo.post("/explorer/users?limit=1", data={"token": "0" * 40, "real": "yes"})
    assert status(sent) == 401
    for page in (held, sent):
        assert "0" * 40 not in page.text
    assert status(demo.post("/explorer/users?limit=1", data={"token": published.SECOND_TOKEN})) == 200


def test_a_token_in_an_address_is_not_used(demo: httpx.Client) -> None:
    page = demo.get("/explorer/users?limit=1", params={"limit": "1", "token": "0" * 40, "real": "yes"})
    assert (status(page), "0" * 40 in page.text) == (200, False)
    assert "Bearer TEST_TOKEN" in page.text.partition('id="samples"')[2]


def test_a_real_server_shows_nothing_without_a_token(real: httpx.Client) -> None:
    for path in (
        "/explorer",
        "/explorer/users/{id}/sections",
        "/explorer/me",
        "/explorer/oauth/tokens",
        "/explorer/sign-in",
    ):
        page = real.get(path)
        assert (page.status_code, status(page)) == (200, 0), path
        assert ID.search(page.text) is None, path
        assert not any(
            token in page.text for token in (*published.DISTRICT_TOKENS, published.APPLICATION.secret)
        )
    # Neither a published token nor the name of one opens anything there.
    assert status(real.get("/explorer/users?as=district")) == 0
    refused = real.post("/explorer/users", data={"token": published.DISTRICT_TOKEN, "real": "yes"})
    assert (status(refused), ID.search(words(refused))) == (401, None)


def test_a_sample_holds_a_public_token_and_no_other(demo: httpx.Client, real: httpx.Client) -> None:
    samples = demo.get("/explorer/users").text.partition('id="samples"')[2]
    assert samples.count("Bearer TEST_TOKEN") == 7
    page = real.post("/explorer/users", data={"token": "1" * 40, "real": "yes"})
    assert "1" * 40 not in page.text
    assert page.text.partition('id="samples"')[2].count("ROLLBOOK_AUTHORIZATION") == 8


# --- other credentials


def test_an_application_lists_its_tokens(demo: httpx.Client) -> None:
    page = demo.get("/explorer/oauth/tokens")
    assert (status(page), published.DISTRICT_TOKEN in page.text) == (200, True)
    own = {"basic_id": published.SSO.client_id, "basic_secret": published.SSO.secret}
    assert published.SSO_TOKEN in demo.post("/explorer/oauth/tokens", data=own).text


def test_a_code_is_exchanged_by_a_form_and_stands_in_no_address(demo: httpx.Client) -> None:
    page = demo.get("/explorer/oauth/tokens/post")
    assert (status(page), 'method="post"' in page.text) == (0, True)
    assert "It needs grant_type , code , redirect_uri" in words(page)
    form = {"grant_type": "authorization_code", "code": "nothing", "redirect_uri": "http://localhost"}
    answered = demo.post("/explorer/oauth/tokens/post", data=form)
    assert (status(answered), "invalid code" in words(answered)) == (400, True)
    assert not [address for address in links(answered) if "code=nothing" in address]


def test_a_sign_in_link_shows_where_it_leads(demo: httpx.Client) -> None:
    address = f"/explorer/oauth/authorize?response_type=code&client_id={published.APPLICATION.client_id}"
    page = demo.get(address)
    assert (status(page), "Open it in this browser" in words(page)) == (302, True)


def test_a_whole_sign_in_is_one_button(demo: httpx.Client) -> None:
    teacher = first(demo, "teacher")
    assert teacher["id"] in demo.get("/explorer/sign-in").text
    page = demo.post("/explorer/sign-in", data={"person": teacher["id"], "client": "secure-sync"})
    assert re.findall(r"<b>(\d+)</b>", page.text) == ["302", "200", "200"]
    assert "set-cookie" not in page.headers
    contact = first(demo, "contact")
    refused = demo.post("/explorer/sign-in", data={"person": contact["id"], "client": "secure-sync"})
    assert "The sign-in ends here" in words(refused)
    assert "access_token" not in refused.text


# --- records


@pytest.mark.parametrize("kind", openapi_schemas.SERVED, ids=lambda kind: kind.name)
def test_a_record_page_shows_every_field_with_its_marks(demo: httpx.Client, kind: Any) -> None:
    page = demo.get(f"/explorer/records/{kind.name}")
    assert page.status_code == 200
    shown = words(page)
    for field in openapi_schemas.fields_of(kind.shape, "3.0") if kind.shape in SHAPES else ():
        row = page.text.partition(f"<code>{field.name}</code></th>")[2].partition("</tr>")[0]
        assert row, field.name
        assert all(mark in row for mark in openapi_schemas.marks(field)), field.name
        assert all(column.header in row for column in columns_of_field(kind.shape, field)), field.name
    for event in TYPES:
        assert (event in shown) == (kind.name in (event.partition(".")[0], "events")), event


def test_a_field_shows_its_scope_its_values_and_its_rule(demo: httpx.Client) -> None:
    page = demo.get("/explorer/records/users")
    text = page.text.partition("<code>ell_status</code>")[2].partition("</tr>")[0]
    assert "read:ell_status" in text
    race = page.text.partition("<code>race</code>")[2].partition("</tr>")[0]
    assert "<code>Caucasian</code>" in race
    assert "normalised" in race
    assert "<code>White</code> → <code>Caucasian</code>" in race


# --- versions

LATER = Catalog("3.1")


@pytest.mark.parametrize(
    "operation",
    [each for each in LATER.operations if each.path.startswith("/v3.1/")],
    ids=lambda each: each.slug,
)
def test_an_operation_is_answered_in_the_version_that_its_address_chooses(
    demo: httpx.Client, operation: Operation
) -> None:
    page = demo.get(f"{operation.address}?version=3.1")
    assert (page.status_code, status(page)) == (200, 0 if operation.slug in NOT_AT_ONCE else 200), words(
        page
    )[:400]
    assert operation.path.replace("{id}", "") in words(page).replace(" {id} ", "")
    assert "/openapi.json?version=3.1" in links(page)
    named = [address for address in links(page) if address.startswith("/explorer") and "#" not in address]
    # The bar's entry and one link lead to the first version, which no address names.
    assert sum("version=3.1" not in address for address in named) == 2


def test_ids_and_links_of_an_answer_stay_in_the_version(demo: httpx.Client) -> None:
    page = demo.get("/explorer/sections?limit=2&version=3.1")
    answer = page.text.partition('id="answer"')[2].partition('id="as-table"')[0]
    led = [unescape(address) for address in re.findall(r'href="([^"]*)"', answer)]
    assert led
    assert all("version=3.1" in address for address in led)
    assert all("/v3.1/" in words(demo.get(address)) for address in set(led[:6]))


def test_the_unversioned_me_of_the_later_pages_leads_to_the_version_that_it_names(demo: httpx.Client) -> None:
    page = demo.get("/explorer/unversioned/me?as=student&version=3.1")
    assert status(page) == 200
    canonical = next(address for address in links(page) if address.startswith("/explorer/users/{id}?"))
    assert "version=3.0" in canonical
    assert "/v3.0/users/" in demo.get(canonical).text


def test_samples_and_fields_are_of_the_version(demo: httpx.Client) -> None:
    first_one, later = (demo.get(f"/explorer/users?limit=1{more}") for more in ("", "&version=3.1"))
    assert later.text.partition('id="samples"')[2].count("/v3.1/users?limit=1") == 7
    for field in ("preferred_name", "disability"):
        row = f"<code>{field}</code></th>"
        assert (row in first_one.text, row in later.text) == (False, True)
    record = demo.get("/explorer/records/users?version=3.1")
    assert 'id="r-disability"' in record.text
    assert 'id="r-disability"' not in demo.get("/explorer/records/users").text


def test_a_form_goes_on_in_its_version(demo: httpx.Client) -> None:
    assert '<input type="hidden" name="version" value="3.1">' in demo.get("/explorer/users?version=3.1").text
    assert 'name="version"' not in demo.get("/explorer/users").text
    teacher = first(demo, "teacher")
    page = demo.post("/explorer/sign-in?version=3.1", data={"person": teacher["id"], "client": "secure-sync"})
    assert "/v3.1/me" in words(page)


@pytest.mark.parametrize("path", ["/explorer/users", "/explorer/records/users", "/explorer/sign-in"])
def test_a_version_that_is_not_spoken_is_named(demo: httpx.Client, path: str) -> None:
    page = demo.get(path, params={"version": "2.1<b>"})
    assert page.status_code == 200
    assert "version: expected 3.0 or 3.1; got '2.1<b>'. This page shows version 3.0." in words(page)
    assert "2.1<b>" not in page.text


# --- how pages are sent


@pytest.mark.parametrize(
    "path", ["/explorer", "/explorer/records/users", "/explorer/sign-in", "/explorer/me"]
)
def test_a_page_is_guarded_and_kept_by_no_cache(demo: httpx.Client, path: str) -> None:
    page = demo.get(path)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text) is None


@pytest.mark.parametrize("path", ["/", "/explorer", "/explorer/records/users", "/docs", "/openapi.json"])
def test_a_page_without_a_secret_is_compressed_for_clients_that_take_it(
    demo: httpx.Client, path: str
) -> None:
    with demo.stream("GET", path, headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    plain = demo.get(path, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert (packed.headers["vary"], plain.headers["vary"]) == ("Accept-Encoding", "Accept-Encoding")
    assert int(packed.headers["content-length"]) == len(raw) < len(plain.content) / 2
    assert len(gzip.decompress(raw)) == pytest.approx(
        len(plain.content), abs=9
    )  # a page says how long it took
    for page in (packed, plain):
        if tag := page.headers.get("etag"):
            known = demo.get(path, headers={"if-none-match": tag})
            assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize("path", ["/badge", "/demo"])
def test_a_page_with_the_token_of_a_form_is_not_compressed(demo: httpx.Client, path: str) -> None:
    page = demo.get(path, headers={"accept-encoding": "gzip", "accept": "text/html"})
    assert (page.status_code, 'name="form"' in page.text) == (200, True)
    assert "content-encoding" not in page.headers


def test_a_first_view_weighs_at_most_120_kilobytes(demo: httpx.Client) -> None:
    page = demo.get("/explorer")
    files = [address for address in links(page) if address.startswith("/static/")]
    files += re.findall(r'src="(/static/[^"]*)"', page.text)
    zipped = {"accept-encoding": "gzip"}
    sent = [int(demo.get(each, headers=zipped).headers["content-length"]) for each in dict.fromkeys(files)]
    fonts = sum(path.stat().st_size for path in Path(ROOT).rglob("*.woff2"))
    assert len(gzip.compress(page.content)) + sum(sent) + fonts <= 120 * KIB
