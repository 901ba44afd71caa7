"""The console's frame and its first pages: HTML, JSON and CSV at one address, forms, and who may come in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from rollbook.demo.serving import Demo
from rollbook.store.district import districts
from rollbook.web.app import App
from rollbook.web.console.console_times import since
from rollbook.web.console.sparklines import spark
from tests.journeys.hub import Hub
from tests.journeys.prepared import on_each_database, with_small_world
from tests.sso import Direct

HOME = "http://testserver"


def form_of(page: str) -> str:
    """The token of a page's form."""
    found = re.search(r'name="form" value="([0-9a-f]+)"', page)
    assert found, page
    return found[1]


def with_an_empty_district(hub: Hub) -> None:
    with_small_world(hub)
    districts.create(hub.database, "=Empty Unified")


hub = on_each_database(with_an_empty_district)


@pytest.fixture
def demo(hub: Hub) -> Iterator[httpx.Client]:
    """A visitor of a demo's console: a synced district, and an empty one."""
    app = App(
        hub.database,
        hub.settings,
        limits=hub.folder / "demo.limits",
        extend=Demo("TEST_TOKEN", "", hub.district.name).extend,
    )
    with closing(app), httpx.Client(transport=Direct(app, "127.0.0.1"), base_url=HOME) as client:
        yield client


def test_the_overview_is_a_page_json_and_csv_of_the_same_districts(demo: httpx.Client, hub: Hub) -> None:
    page, told = demo.get("/console"), demo.get("/console.json").json()
    assert page.status_code == 200
    assert "This is a demo: its console is open to all" in page.text
    # A district without files is not called well.
    assert "Nothing to look at" in page.text
    assert "1 district is well. 1 district has no files yet." in page.text
    # The request log has a frame of its own.
    assert "This is a demo: its console is open to all" in demo.get("/console/log").text
    assert [line["name"] for line in told["districts"]] == ["=Empty Unified", hub.district.name]
    assert {line["name"]: line["state"] for line in told["districts"]}[hub.district.name] == "running"
    answered = demo.get("/console.csv")
    assert answered.headers["content-disposition"] == 'attachment; filename="overview.csv"'
    rows = list(csv.DictReader(io.StringIO(answered.text)))
    # A spreadsheet must not read a name as a formula.
    assert [row["district"] for row in rows] == ["'=Empty Unified", hub.district.name]


def test_a_page_is_compressed_unless_it_repeats_text_from_its_address(demo: httpx.Client) -> None:
    for path, is_compressed in {"/console": True, "/console.json": True, "/console?name=oak": False}.items():
        answer = demo.get(path, headers={"accept-encoding": "gzip"})
        assert (answer.headers.get("content-encoding") == "gzip") == is_compressed
        assert answer.headers["cache-control"] == "no-store"


def test_the_overview_filters_and_orders(demo: httpx.Client, hub: Hub) -> None:
    def names(query: str) -> list[str]:
        return [line["name"] for line in demo.get(f"/console.json?{query}").json()["districts"]]

    assert names("name=EMPTY") == ["=Empty Unified"]
    assert names("state=running") == [hub.district.name]
    assert names("order=students") == [hub.district.name, "=Empty Unified"]
    assert names("name=nowhere") == []
    assert "No district fits these filters" in demo.get("/console?name=nowhere").text


def test_a_district_is_made_by_its_form_and_leads_to_its_home(demo: httpx.Client) -> None:
    form = form_of(demo.get("/console/new-district").text)
    made = demo.post("/console/new-district", data={"form": form, "name": "Oak <b>Valley</b>"})
    assert made.status_code == 303
    shown = demo.get(made.headers["location"]).text
    assert "Oak &lt;b&gt;Valley&lt;/b&gt; was made." in shown
    # It is said once.
    assert "was made." not in demo.get(made.headers["location"]).text
    again = demo.post("/console/new-district", data={"form": form, "name": "Oak <b>Valley</b>"})
    assert again.status_code == 409
    assert "exists already" in again.text


def test_a_form_that_is_not_ours_does_nothing(demo: httpx.Client, hub: Hub) -> None:
    demo.get("/console/new-district")
    refused = demo.post("/console/new-district", data={"form": "guessed", "name": "Stolen"})
    assert refused.status_code == 403
    assert "This form has expired" in refused.text
    assert "Stolen" not in [each.name for each in districts.list_all(hub.database)]


def test_a_form_of_the_portal_fits_no_form_of_the_console(demo: httpx.Client, hub: Hub) -> None:
    portal = form_of(demo.get(f"/in/{districts.slug(hub.district)}").text)
    demo.get("/console/new-district")
    refused = demo.post("/console/new-district", data={"form": portal, "name": "Stolen"})
    assert refused.status_code == 403


def test_home_shows_the_roster_and_an_unknown_district_is_said(demo: httpx.Client, hub: Hub) -> None:
    told = demo.get(f"/console/d/{districts.slug(hub.district)}.json").json()
    assert told["state"] == "running"
    assert told["counts"]["Students"] > 0
    for path in ("/console/d/nowhere", "/console/d/nowhere-abcdef.json"):
        missing = demo.get(path)
        assert missing.status_code == 404
        assert "There is no district at this address" in missing.text
    assert demo.get("/console/nothing").status_code == 404


def test_a_usual_server_lets_nobody_in_without_signing_in(synced_hub: Hub) -> None:
    hub = synced_hub
    app = App(hub.database, hub.settings, limits=hub.folder / "limits")
    slug = districts.slug(hub.district)
    with closing(app), httpx.Client(transport=Direct(app, "127.0.0.1"), base_url=HOME) as client:
        for path in ("/console", f"/console/d/{slug}", "/console/new-district"):
            sent = client.get(path)
            assert sent.status_code == 303
            assert sent.headers["location"].startswith("/console/sign-in")
            assert hub.district.name not in sent.text
            assert client.get(f"{path}.json").status_code == 401
        assert client.post("/console/new-district", data={"name": "Mine"}).status_code == 303
    assert [each.name for each in districts.list_all(hub.database)] == [hub.district.name]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (90, "1 min ago"), (7300, "2 h ago"), (3 * 86_400, "3 d ago"), (-7300, "in 2 h")],
)
def test_a_span_of_time_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert since(seconds) == words


def test_a_trend_says_its_last_number() -> None:
    drawn = spark([1, 5, 3000])
    assert 'aria-label="Students after the last 3 runs, now 3,000"' in drawn
    assert drawn.count("<polyline") == 1
    assert spark([]) == ""
