"""`/log` of a demo: the page, its stream, and one request's page; other servers have none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook.demo.serving import Demo
from rollbook.store.records.request_log import Entry
from rollbook.web.app import App
from rollbook.web.log.log_views import curl, explorer_address
from tests.journeys.hub import Hub
from tests.web.chromium import FLAWS, POOR_CONTRAST, listened, served

ID = "6a82a36089b727ad00000b40"


@pytest.fixture(scope="module")
def site(town: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A demo's server over the town, which logs its requests."""
    demo = Demo("TEST_TOKEN", "", town.district.name)
    limits = tmp_path_factory.mktemp("limits") / "limits"
    app = App(town.database, town.settings, limits=limits, extend=demo.extend, logs_requests=True)
    with served(app) as address:
        yield address
    assert app.tap
    app.tap.close()
    app.close()


@pytest.fixture(scope="module")
def asked(site: str, town: Hub, token: str) -> str:
    """The same, after a few requests, good and bad."""
    with httpx.Client(base_url=site, headers={"authorization": f"Bearer {token}"}) as client:
        for path in ("/v3.0/users?limit=1", "/v3.0/user", "/v3.0/users?rol=teacher", f"/v3.0/users/{ID}"):
            client.get(path)
        shown = _until(client, "/log", "/v3.0/user<")
        assert "Reader" in shown
    return site


def _until(client: httpx.Client, path: str, text: str) -> str:
    """A page, once it contains the text: the log is written twice a second."""
    for _ in range(600):
        page = client.get(path).text
        if text in page:
            return page
    raise AssertionError(f"{text!r} is not on {path}")


def test_the_page_shows_requests_with_their_hints(asked: str) -> None:
    page = httpx.get(f"{asked}/log").text
    assert "There is no such path. Did you mean <code>/v3.0/users</code>?" in page
    assert "The parameter <code>rol</code> is not known here and was ignored." in page
    assert "Errors of the last hour" in page


def test_the_filters_are_a_form_that_works_without_a_script(asked: str) -> None:
    page = httpx.get(f"{asked}/log", params={"status": "4xx", "path": "/v3.0/user"}).text
    statuses = set(re.findall(r'<td role="cell" class="(?:s4)?">(\d+)</td>', page))
    assert statuses == {"404"}
    assert httpx.get(f"{asked}/log", params={"path": "nowhere"}).text.count("<tr") == 2 * 17 - 2


def test_an_unknown_status_is_named_on_the_page(asked: str) -> None:
    answer = httpx.get(f"{asked}/log", params={"status": "<b>"})
    assert answer.status_code == 400
    assert "expected one such as 404, or 4xx for all of them" in answer.text
    assert "<b>" not in answer.text


def test_a_request_has_a_page_with_what_is_needed_to_send_it_again(asked: str) -> None:
    page = httpx.get(f"{asked}/log", params={"path": "limit=1"}).text
    [address, *_] = re.findall(r'href="(/log/\d+\.\d+)"', page)
    shown = httpx.get(asked + address).text
    assert "$TOKEN" in shown
    assert "Run shown" in shown
    assert 'href="/explorer/users?limit=1"' in shown
    assert "python-httpx" in shown
    assert httpx.get(f"{asked}/log/999999999.1").status_code == 404


def test_new_requests_come_by_the_stream(asked: str, token: str) -> None:
    with (
        httpx.Client(base_url=asked, timeout=60) as client,
        client.stream("GET", "/log/live?path=terms") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        httpx.get(f"{asked}/v3.0/terms", headers={"authorization": f"Bearer {token}"})
        assert next(line for line in lines if line.startswith("event:")) == "event: rows"
        assert any("/v3.0/terms" in line for line in lines)


def test_a_real_server_has_no_page_of_the_log(town: Hub, tmp_path: Path) -> None:
    app = App(town.database, town.settings, limits=tmp_path / "limits", logs_requests=True)
    with served(app) as address:
        for path in ("/log", "/log/live", "/log/rows", "/log/1.0"):
            assert httpx.get(address + path).status_code == 404
    app.close()


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_goes_on_by_itself_pauses_and_moves(
    chromium: Browser, asked: str, token: str, width: int, scheme: str
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    with closing(context):  # an open page would keep its stream, and the server would wait
        _watch(context.new_page(), asked, token, f"/v3.0/schools?limit={width + len(scheme)}")


def _watch(page: Page, asked: str, token: str, path: str) -> None:
    complaints = listened(page)
    page.goto(f"{asked}/log")
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#reload")).to_be_hidden()
    assert page.evaluate(POOR_CONTRAST) == []
    assert page.evaluate(FLAWS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.get_by_text(path, exact=True)
    # The stream shows only requests after it was opened, so the request is repeated until it appears.
    for _ in range(60):
        httpx.get(f"{asked}{path}", headers={"authorization": f"Bearer {token}"})
        page.wait_for_timeout(500)
        if shown.count():
            break
    expect(shown.first).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator("#live")).to_contain_text("Paused")
    page.keyboard.press("j")
    expect(page.locator("tr.at")).to_have_count(1)
    assert complaints == []


def _asked(**values: object) -> Entry:
    given = {"method": "GET", "path": "/v3.0/users", "query": "", "token": "…abcd"} | values
    return Entry(at=0, micros=1, status=200, size=1, **given)  # type: ignore[arg-type]


def test_a_request_is_copied_as_curl_without_its_secrets() -> None:
    assert curl(_asked(query="limit=1&code=…"), "http://a.example") == (
        'curl -H "Authorization: Bearer $TOKEN" "http://a.example/v3.0/users?limit=1&code=…"'
    )
    post = _asked(method="POST", path="/oauth/tokens", token="Basic")
    assert curl(post, "http://a.example") == (
        'curl -X POST -u "$CLIENT_ID:$CLIENT_SECRET" "http://a.example/oauth/tokens"'
    )


def test_a_request_opens_in_the_explorer_where_all_of_it_was_kept() -> None:
    related = _asked(path=f"/v3.0/users/{ID}/sections", query="limit=1")
    assert explorer_address(related) == f"/explorer/users/%7Bid%7D/sections?id={ID}&limit=1"
    assert explorer_address(_asked(query="name=…")) == ""
    later = _asked(path="/v3.1/users", query="limit=1")
    assert explorer_address(later) == "/explorer/users?limit=1&version=3.1"
    assert explorer_address(_asked(path="/v3.0/user")) == ""
