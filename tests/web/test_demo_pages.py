"""What only a demo has: its state, its moves and its faults over HTTP, and the page with the buttons."""

from __future__ import annotations

import asyncio
import fcntl
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from rollbook.demo import advance as moves
from rollbook.demo import day_pages, move_targets, published
from rollbook.demo.advance import Moved
from rollbook.demo.demo_folder import MOVING
from rollbook.store.district import demo_state
from rollbook.synthetic.stories import CALENDAR, HAPPENINGS
from rollbook.web.app import App
from tests import demos
from tests.demos import BEARER
from tests.web.chromium import FLAWS, POOR_CONTRAST, listened, served

BASE = "http://demo.test"
GUIDES = Path(__file__).parents[2] / "docs" / "guide"
GUIDE = (GUIDES / "demo.md").read_text("utf-8")
HTML = {"Accept": "text/html,application/xhtml+xml"}
PATHS = [("GET", "/demo"), ("POST", "/demo/advance"), ("POST", "/demo/faults")]


@pytest.fixture(scope="module")
def folder(made_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that several tests move on, one after the other; none relies on its day."""
    return Path(shutil.copytree(made_demo, tmp_path_factory.mktemp("moved") / "demo"))


@pytest.fixture
def app(folder: Path) -> Iterator[App]:
    with demos.app_of(folder) as app:
        yield app


def ask(app: App, method: str, path: str, **options: Any) -> httpx.Response:
    return asyncio.run(_ask(app, [(method, path, options)]))[0]


async def _ask(app: App, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=BASE, timeout=120
    ) as client:
        return await asyncio.gather(
            *(client.request(method, path, **options) for method, path, options in requests)
        )


def advance(app: App, body: Any) -> httpx.Response:
    return ask(app, "POST", "/demo/advance", json=body, headers=BEARER)


# Who may -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer NO_TOKEN"}, {"Authorization": "Basic TEST_TOKEN"}]
)
def test_without_the_published_token_nothing_is_shown_or_done(
    app: App, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = ask(app, method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, 101)


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("headers", [BEARER, HTML])
def test_other_servers_have_no_demo_pages(
    folder: Path, method: str, path: str, headers: dict[str, str]
) -> None:
    with demos.app_of(folder, is_demo=False) as hub:
        answer = ask(hub, method, path, headers=headers)
        front = ask(hub, "GET", "/")
    assert answer.status_code == 404
    is_link = (method, headers) == ("GET", HTML)
    assert ("This page is not here" if is_link else f"<pre>Cannot {method} {path}</pre>") in answer.text
    assert 'href="/demo"' not in front.text + answer.text


def test_another_site_is_not_allowed_to_ask(app: App) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert ask(app, "OPTIONS", "/demo/advance", headers=asked).status_code == 404


def test_the_console_of_a_demo_tells_by_the_real_time_how_long_ago_an_act_was(made_demo: Path) -> None:
    # The calendar of the roster begins on 17 August 2026, whenever the demo is made.
    with demos.app_of(made_demo) as app:
        page = ask(app, "GET", "/console/audit", headers=HTML).text
    told = re.findall(r"<time [^>]*>([^<]*)</time>", page)
    assert told
    assert all(re.fullmatch(r"just now|\d+ (min|h) ago", words) for words in told), told


# State and moves -----------------------------------------------------------------------------------


def test_the_state_says_where_the_demo_stands_and_what_may_happen(made_demo: Path, tmp_path: Path) -> None:
    with demos.app_of(Path(shutil.copytree(made_demo, tmp_path / "demo"))) as app:
        state = ask(app, "GET", "/demo", headers=BEARER).json()
    assert (state["day"], state["date"], state["seed"], state["students"]) == (
        0,
        "2026-08-17",
        1,
        demos.STUDENTS,
    )
    assert state["district"]["name"] == demos.NAME
    assert [told["name"] for told in state["scenarios"]] == [*HAPPENINGS]
    assert [told["name"] for told in state["to"]] == [*CALENDAR]
    assert all(told["title"] and told["description"].endswith(".") for told in state["scenarios"])
    assert [(run["sync"], run["day"], run["state"], run["events"]) for run in state["runs"]] == [
        (2, None, "committed", {}),  # the demo names its contact
        (1, 0, "committed", {}),
    ]


def test_a_move_is_told_as_json_and_shown_by_the_api_at_once(app: App) -> None:
    before = ask(app, "GET", "/demo", headers=BEARER).json()
    (run,) = advance(app, {"scenario": "student-changes-school"}).json()["runs"]
    assert (run["day"], run["state"], run["story"]) == (
        before["day"] + 1,
        "committed",
        "student-changes-school",
    )
    assert run["events"]["users.updated"] >= 1
    user = ask(app, "GET", f"/v3.0/users/{run['person']['id']}", headers=BEARER).json()["data"]
    assert user["roles"]["student"]["sis_id"] == run["person"]["sis_id"] == run["person_now"]["sis_id"]
    feed = ask(app, "GET", "/v3.0/events?limit=10000", headers=BEARER).json()["data"]
    assert [event for event in feed if event["data"]["data"]["object"]["id"] == user["id"]] != []
    assert ask(app, "GET", "/demo", headers=BEARER).json()["runs"][0]["sync"] == run["sync"]


def test_a_held_sync_is_approved_or_discarded(app: App) -> None:
    assert advance(app, {"held": "approve"}).status_code == 409
    (run,) = advance(app, {"scenario": "half-a-file"}).json()["runs"]
    assert run["state"] == "held"
    assert ask(app, "GET", "/demo", headers=BEARER).json()["held"] == run["sync"]
    (discarded,) = advance(app, {"held": "discard"}).json()["runs"]
    assert discarded["cause"] == "discard"
    assert ask(app, "GET", "/demo", headers=BEARER).json()["held"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"days": 0}, "days: expected a whole number from 1 to 10950"),
        ({"days": True}, "days: expected a whole number"),
        ({"days": "1"}, "days: expected a whole number"),
        ({"days": 10_950}, "day must be from 0 to 10950"),
        ({"to": "tomorrow"}, "to: expected one of term, rollover"),
        ({"to": ["term"]}, "to: expected one of"),
        ({"scenario": "term"}, "scenario: expected one of student-changes-school"),
        ({"held": None}, "held: expected one of approve, discard"),
        ({}, "expected one of days, to, scenario, held"),
        ({"days": 1, "to": "term"}, "expected one of days, to, scenario, held"),
        ({"--fresh": 1}, "expected one of"),
        ([], "expected a JSON object"),
        ({"days": "9" * 5000}, "expected a JSON object of at most 4096 bytes"),
    ],
)
def test_an_impossible_act_is_refused_with_its_name(app: App, body: Any, expected: str) -> None:
    if body == {"days": 10_950}:
        advance(app, {"days": 1})
    answer = advance(app, body)
    assert answer.status_code == 400
    assert answer.json()["message"] == answer.json()["error"]
    assert expected in answer.json()["message"]


def until(ended: Callable[[], object]) -> Callable[..., list[Moved]]:
    """A move that does nothing, and takes as long as `ended`."""

    def move(*_: object) -> list[Moved]:
        ended()
        return []

    return move


def test_a_second_move_at_once_is_refused(app: App, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = ("POST", "/demo/advance", {"json": {"days": 1}, "headers": BEARER})
    with monkeypatch.context() as patched:
        patched.setattr(moves, "advance", until(lambda: time.sleep(1)))
        answers = asyncio.run(_ask(app, [request, request]))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    # Another process, such as a terminal's, counts as well.
    with (folder / MOVING).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = advance(app, {"days": 1})
    assert (refused.status_code, "already" in refused.json()["message"]) == (409, True)


def test_a_failed_move_is_reported_without_internal_details(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret insides")

    monkeypatch.setattr(moves, "advance", broken)
    answer = advance(app, {"days": 1})
    assert answer.status_code == 500
    assert answer.json()["message"] == "the demo could not be moved; the server's output says why"
    assert "secret insides" in caplog.text


# Faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_next_requests_fail_and_later_ones_succeed(app: App, status: int) -> None:
    asked = ask(app, "POST", "/demo/faults", json={"status": status, "requests": 2}, headers=BEARER)
    assert asked.json() == {"status": status, "requests": 2, "id": "1"}
    assert ask(app, "OPTIONS", "/v3.0/users", headers=BEARER).status_code == 204
    answers = [ask(app, method, "/v3.0/users?limit=1", headers=BEARER) for method in ("GET", "HEAD", "GET")]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[1].content == b""
    if status == 429:
        assert answers[0].content == b""
        assert answers[0].headers["x-ratelimit-remaining"] == "0"
    else:
        assert answers[0].json()["message"] == answers[0].json()["error"]


def fault(app: App, **asked: Any) -> None:
    answer = ask(app, "POST", "/demo/faults", json=asked, headers=BEARER).json()
    assert {**answer, "id": "1"} == {**asked, "id": "1"}


def statuses(app: App, *paths: str, method: str = "GET") -> list[int]:
    return [ask(app, method, path, headers=BEARER).status_code for path in paths]


def test_only_requests_under_the_path_fail(app: App) -> None:
    fault(app, status=503, requests=3, path="/v3.0/users")
    user = ask(app, "GET", "/v3.0/sections?limit=1", headers=BEARER).json()["data"][0]["data"]["teacher"]
    paths = (
        "/v3.0/schools?limit=1",
        "/v3.0/users?limit=1",
        f"/v3.0/users/{user}",
        "/v3.0//users/",
        "/v3.0/users",
    )
    assert statuses(app, *paths) == [200, 503, 503, 503, 200]


def test_each_path_has_a_fault_of_its_own_and_the_longest_one_counts(app: App) -> None:
    fault(app, status=500, requests=1)
    fault(app, status=503, requests=1, path="/v3.0/events/")
    assert statuses(app, "/v3.0/events", "/v3.0/events", "/v3.0/events") == [503, 500, 200]
    fault(app, status=500, requests=9, path="/v3.0/events")
    fault(app, status=503, requests=1, path="/v3.0/events")
    assert statuses(app, "/v3.0/events", "/v3.0/events") == [503, 200]


def test_a_token_that_has_ended_is_answered_as_everywhere(app: App) -> None:
    bad = {"Authorization": "Bearer ended"}
    for path in ("/v3.0/me", "/me", "/v3.0/users", "/userinfo", "/oauth/tokeninfo"):
        fault(app, status=401, requests=1, path="/v3.0/me" if path == "/me" else path)
        asked, real = ask(app, "GET", path, headers=BEARER), ask(app, "GET", path, headers=bad)
        assert (asked.status_code, asked.json()) == (real.status_code, real.json()) == (401, real.json())
        assert asked.headers.get("www-authenticate") == real.headers.get("www-authenticate")


@pytest.mark.parametrize(("status", "error"), [(400, "invalid_grant"), (401, "invalid_client")])
def test_the_token_endpoint_refuses_as_it_would_by_itself(app: App, status: int, error: str) -> None:
    basic = published.BASIC if status == 400 else "eDp5"
    form = {"grant_type": "authorization_code", "code": "used", "redirect_uri": "http://localhost/"}
    exchange: dict[str, Any] = {"data": form, "headers": {"Authorization": f"Basic {basic}"}}
    fault(app, status=status, requests=1, path="/oauth/tokens")
    asked, real = (ask(app, "POST", "/oauth/tokens", **exchange) for _ in range(2))
    assert (asked.status_code, asked.json()) == (real.status_code, real.json())
    assert (asked.status_code, asked.json()["error"]) == (status, error)


def test_an_answer_is_slow_and_then_right_or_wrong(app: App) -> None:
    for more, status in (({}, 200), ({"status": 500}, 500)):
        fault(app, requests=1, delay_ms=300, **more)
        start = time.monotonic()
        assert statuses(app, "/v3.0/users?limit=1") == [status]
        assert time.monotonic() - start >= 0.3
        assert statuses(app, "/v3.0/users?limit=1") == [200]


def test_a_slow_answer_keeps_nobody_else_waiting(app: App) -> None:
    fault(app, requests=1, delay_ms=2000, path="/v3.0/users")
    asked = [("GET", path, {"headers": BEARER}) for path in ("/v3.0/users?limit=1", "/v3.0/schools?limit=1")]
    slow, fast = asyncio.run(_ask(app, asked))
    assert (slow.status_code, fast.status_code) == (200, 200)
    assert fast.elapsed.total_seconds() < 1 < slow.elapsed.total_seconds()


def test_faults_can_be_taken_back(app: App) -> None:
    for requests in (5, 0):
        ask(app, "POST", "/demo/faults", json={"status": 500, "requests": requests}, headers=BEARER)
    assert ask(app, "GET", "/v3.0/users?limit=1", headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"status": 404, "requests": 1},
        {"status": 500},
        {"status": 500, "requests": -1},
        {"status": True, "requests": 1},
        {"status": 500.0, "requests": 1},
        {"status": None, "requests": 1},
        {"status": 400, "requests": 1},
        {"status": 400, "requests": 1, "path": "/v3.0/users"},
        {"status": 500, "requests": 1, "path": "/demo"},
        {"status": 500, "requests": 1, "path": "/v3.0x"},
        {"status": 500, "requests": 1, "path": ["/v3.0"]},
        {"status": 500, "requests": 1, "delay": 5},
        {"requests": 1},
        {"requests": 1, "delay_ms": 60_001},
        {"requests": 1, "delay_ms": "5"},
        5,
    ],
)
def test_other_faults_are_refused(app: App, body: Any) -> None:
    answer = ask(app, "POST", "/demo/faults", json=body, headers=BEARER)
    assert (answer.status_code, "expected" in answer.json()["message"]) == (400, True)


# The page ------------------------------------------------------------------------------------------


def test_the_page_is_guarded_and_leads_nowhere_else(app: App) -> None:
    answer = ask(app, "GET", "/demo", headers=HTML)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert (policy["default-src"], policy["form-action"], policy["frame-ancestors"]) == (
        "'none'",
        "'self'",
        "'none'",
    )
    assert re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text) is None
    assert answer.text.count("<h1>") == 1
    assert "HttpOnly; SameSite=Lax" in answer.headers["set-cookie"]
    assert 'href="/demo"' in ask(app, "GET", "/").text


def test_a_button_moves_the_demo_and_comes_back_to_the_page(app: App) -> None:
    state = ask(app, "GET", "/demo", headers=BEARER).json()
    before, runs = state["day"], len(state["runs"])
    cookies, form = _form(ask(app, "GET", "/demo", headers=HTML))
    answer = ask(app, "POST", "/demo/advance", data={"form": form, "days": "2"}, headers=cookies)
    assert (answer.status_code, answer.headers["location"]) == (303, "/demo#happened")
    page = ask(app, "GET", "/demo", headers={**HTML, **cookies}).text
    assert f"Day {before + 2}: 2 days later" in page
    assert "calendar begins on Monday, 17 August 2026" in " ".join(page.split())
    first, _, earlier = page.partition('<details class="fold">')
    assert (first.count("in the feed."), earlier.count("in the feed.")) == (
        1,
        min(runs, day_pages.SHOWN_RUNS - 1),
    )
    assert '<code class="type">districts.updated</code>' in page


def test_events_of_the_person_of_the_last_story_come_first() -> None:
    feed = [{"data": {"object": {"id": f"{number}"}}} for number in range(100)]
    person = demo_state.Person("s-70", "Amy Adams", "70")
    after = demo_state.State(1, 1, 0.0, 1, "2026-08-18", person=person)
    run = demo_state.Move(1, "files", "committed", "", "", (), {}, after=after)
    told = [one["data"]["object"]["id"] for one in day_pages._told_first(feed, [run])]
    assert (told[:3], len(told)) == (["70", "0", "1"], day_pages.SHOWN_EVENTS)


def test_a_form_that_is_not_ours_moves_nothing(app: App) -> None:
    before = ask(app, "GET", "/demo", headers=BEARER).json()["day"]
    cookies, form = _form(ask(app, "GET", "/demo", headers=HTML))
    for headers, data in [
        ({}, {"form": form, "days": "1"}),
        (cookies, {"days": "1"}),
        (cookies, {"form": "f", "days": "1"}),
    ]:
        answer = ask(app, "POST", "/demo/advance", data=data, headers=headers)
        assert (answer.status_code, 'role="alert"' in answer.text) == (403, True)
    assert ask(app, "POST", "/demo/advance", data={"form": form}, headers=cookies).status_code == 400
    assert ask(app, "GET", "/demo", headers=BEARER).json()["day"] == before


def _form(page: httpx.Response) -> tuple[dict[str, str], str]:
    """The cookie of a page, and what its forms carry."""
    found = re.search(r'name="form" value="([0-9a-f]+)"', page.text)
    assert found
    return {"Cookie": page.headers["set-cookie"].partition(";")[0]}, found[1]


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with demos.app_of(folder) as app, served(app) as address:
        yield f"{address}/demo"


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Browser:
    return chromium


def open_page(
    browser: Browser, address: str, *, width: int = 1280, is_dark: bool = False
) -> tuple[Page, list[str]]:
    """A page without JavaScript, and what it complained of."""
    page = browser.new_context(
        java_script_enabled=False,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if is_dark else "light",
    ).new_page()
    complaints = listened(page)
    page.goto(address)
    return page, complaints


@pytest.mark.needs("curl", package="curl")
def test_the_lines_of_the_guide_run_as_printed(site: str) -> None:
    pages = [
        GUIDE,
        *((GUIDES / name).read_text("utf-8") for name in ("start.md", "read.md", "events.md", "login.md")),
    ]
    lines = [line for page in pages for line in re.findall(r"^curl .*$", page, re.MULTILINE)]
    assert len(lines) >= 16
    for line in lines:
        told = line.replace("http://127.0.0.1:8400", site.removesuffix("/demo")).replace(
            "curl ", "curl -sS --fail-with-body ", 1
        )
        done = subprocess.run(["sh", "-c", told], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)


def test_the_guide_names_everything_that_may_happen() -> None:
    told = GUIDE.partition("## What may happen")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^|]+)` \|", told, re.MULTILINE)
    assert [*CALENDAR, *HAPPENINGS, *move_targets.HELD] == [
        name for row in rows for name in row.split("`, `") if name != "--advance"
    ]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "is_dark"), [(1280, False), (1280, True), (360, False)])
def test_the_page_can_be_read(browser: Browser, site: str, width: int, is_dark: bool) -> None:
    page, complaints = open_page(browser, site, width=width, is_dark=is_dark)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert (complaints, page.evaluate(FLAWS)) == ([], [])
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(POOR_CONTRAST) == []
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_the_front_page_with_all_that_is_handed_out_can_be_read(
    browser: Browser, site: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints = listened(page)
    page.goto(site.removesuffix("demo"))
    names = [button.get_attribute("aria-label") or "" for button in page.locator("button.copy:visible").all()]
    assert len(names) == len({*names} - {""})
    assert (complaints, page.evaluate(FLAWS), page.evaluate(POOR_CONTRAST)) == ([], [], [])
    page.close()


@pytest.mark.browser
def test_a_held_sync_is_approved_by_buttons_alone(browser: Browser, site: str) -> None:
    page, complaints = open_page(browser, site)
    page.get_by_role("button", name=HAPPENINGS["mass-deletion"].title).click()
    expect(page.get_by_role("heading", name="A sync is held")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Approve and apply it").click()
    expect(page.get_by_role("heading", name="A sync is held")).to_have_count(0, timeout=60_000)
    assert page.evaluate(POOR_CONTRAST) == []
    assert (page.url, complaints) == (f"{site}#happened", [])
    expect(page.get_by_role("heading", name="What happened")).to_be_in_viewport()
    page.context.close()


# A page that is being left cannot be asked any more; it tells what it shows at every change.
WATCH = """() => new MutationObserver(() => {
  const { top, bottom } = busy.getBoundingClientRect();
  const open = document.querySelectorAll("main button:enabled").length;
  console.log(`${busy.textContent} ${open} open, ${top >= 0 && bottom <= innerHeight && bottom > top ? "seen" : "unseen"}`);
}).observe(busy, { childList: true })"""


@pytest.mark.browser
def test_while_a_move_runs_the_page_says_so_and_takes_no_second_press(
    browser: Browser, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(moves, "advance", until(lambda: may_end.wait(60)))
    page = browser.new_page()
    complaints = listened(page)
    page.goto(site)
    page.evaluate("show(true)")
    assert page.evaluate(POOR_CONTRAST) == []
    page.evaluate("show(false)")
    page.evaluate(WATCH)
    with page.expect_console_message() as said:
        page.get_by_role("button", name="A person leaves").click(no_wait_after=True)
    assert said.value.text == "At work. A move takes a few seconds. 0 open, seen"
    # Another browser learns it from the server.
    other, _ = open_page(browser, site)
    expect(other.get_by_text("The demo is being moved right now.")).to_be_visible()
    other.context.close()
    may_end.set()
    expect(page.locator("#busy")).to_have_text("", timeout=30_000)
    expect(page.locator("main button:disabled")).to_have_count(0)
    assert (page.url, complaints) == (f"{site}#happened", [])
    expect(page.get_by_role("heading", name="What happened")).to_be_in_viewport()
    page.close()
