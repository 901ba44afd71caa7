"""The console's pages of people: lists, one person, why an application does not see them, and the search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from rollbook.demo.serving import Demo
from rollbook.domain.actors import DISTRICT, HELP_DESK, Actor
from rollbook.errors import Unknown
from rollbook.operations import acting, people_browsing
from rollbook.store.district import districts
from rollbook.web.app import App
from tests import world
from tests.journeys.hub import Hub
from tests.journeys.prepared import on_each_database, with_small_world
from tests.sso import Direct
from tests.web.test_console import HOME, form_of


def with_a_reader(hub: Hub) -> None:
    with_small_world(hub)
    hub.connect(name="Reading Room")


hub = on_each_database(with_a_reader)


@pytest.fixture
def demo(hub: Hub) -> Iterator[httpx.Client]:
    """A visitor of a demo's console: a synced district that one application reads."""
    app = App(
        hub.database,
        hub.settings,
        limits=hub.folder / "demo.limits",
        extend=Demo("TEST_TOKEN", "", hub.district.name).extend,
    )
    with closing(app), httpx.Client(transport=Direct(app, "127.0.0.1"), base_url=HOME) as client:
        yield client


@pytest.fixture
def place(hub: Hub) -> str:
    return f"/console/d/{districts.slug(hub.district)}"


def names(client: httpx.Client, address: str) -> list[str]:
    return sorted(one["name"] for one in client.get(address).json()["people"])


def test_people_are_listed_by_each_filter(demo: httpx.Client, place: str) -> None:
    people = f"{place}/people.json"
    assert names(demo, f"{people}?role=student") == ["Alan Turing", "Emmy Noether", "Katherine Johnson"]
    assert names(demo, f"{people}?text=noe") == ["Emmy Noether"]
    assert names(demo, f"{people}?grade=5") == ["Katherine Johnson"]
    assert names(demo, f"{people}?only=in+no+section") == ["Katherine Johnson"]
    assert names(demo, f"{people}?only=changed+this+week&role=teacher") == ["Ada Lovelace", "Grace Hopper"]
    south = next(one["id"] for one in _schools(demo, place) if one["name"] == "South Elementary")
    assert names(demo, f"{people}?school={south}&role=student") == ["Emmy Noether", "Katherine Johnson"]
    assert "Nobody fits these filters" in demo.get(f"{place}/people?text=nobody").text
    assert "Emmy Noether" in demo.get(f"{place}/people.csv?text=noe").text


def _schools(client: httpx.Client, place: str) -> list[dict[str, str]]:
    hits = client.get("/console/search.json?q=south").json()["hits"]
    return [hit for hit in hits if hit["kind"] == "school"]


def _id(client: httpx.Client, place: str, text: str) -> str:
    (found,) = client.get(f"{place}/people.json?text={text}").json()["people"]
    return str(found["id"])


def test_a_person_is_shown_from_all_sides(demo: httpx.Client, hub: Hub, place: str) -> None:
    id_ = _id(demo, place, "alan")
    hub.sync(
        world.changed(("students.csv", "N,alan,Turing,Alan,Mathison,10", "N,alan,Turing,Alan,Mathison,11"))
    )
    answered = demo.get(f"{place}/people/{id_}.json")
    assert answered.status_code == 200, answered.text
    told = answered.json()["person"]
    assert (told["name"], told["detail"]) == ("Alan Turing", "student 11 alan")
    assert [name for _, name in told["contacts"]] == ["Byron Guardian"]
    assert told["seen_by"]["Reading Room"]["id"] == id_
    assert [(one["verb"], one["changes"]) for one in told["moments"]] == [
        ("changed", [["student.grade", "10", "11"]]),
        ("made", []),
    ]
    page = demo.get(f"{place}/people/{id_}").text
    assert "<ins><bdi>11</bdi></ins>" in page
    assert (
        "As <bdi>Reading Room</bdi> reads the record"
        in demo.get(f"{place}/people/{id_}?as=Reading+Room").text
    )


def test_a_person_who_has_gone_is_still_shown(demo: httpx.Client, hub: Hub, place: str) -> None:
    id_ = _id(demo, place, "katherine")
    row = "S,katherine,Johnson,Katherine,,5,,,,,katherine@south.example,,,,,,,\n"
    hub.sync(world.changed(("students.csv", row, "")))
    told = demo.get(f"{place}/people/{id_}.json").json()["person"]
    assert [one["verb"] for one in told["moments"]] == ["gone", "made"]
    assert "They are not in the roster now." in demo.get(f"{place}/people/{id_}").text
    hub.sync(world.FILES)
    told = demo.get(f"{place}/people/{id_}.json").json()["person"]
    assert [one["verb"] for one in told["moments"]] == ["back", "gone", "made"]
    missing = demo.get(f"{place}/people/{'f' * 24}")
    assert missing.status_code == 404
    assert "has the id" in missing.text


def test_a_person_is_signed_out_and_the_trail_says_by_whom(demo: httpx.Client, place: str) -> None:
    address = f"{place}/people/{_id(demo, place, 'alan')}"
    sent = demo.post(address, data={"form": form_of(demo.get(address).text)})
    assert sent.status_code == 303
    page = demo.get(sent.headers["location"]).text
    assert "Alan Turing was signed out" in page


def test_the_chain_is_a_page_and_json(demo: httpx.Client, hub: Hub, place: str) -> None:
    asked = f"{place}/explain?person=alan&application=Reading+Room"
    assert "Reading Room sees Alan Turing" in demo.get(asked).text
    told = demo.get(asked.replace("/explain?", "/explain.json?")).json()["found"]
    assert (told["sees"], told["stops_at"]) == (True, None)
    gone = demo.get(f"{place}/explain?person=nobody&application=Reading+Room").text
    assert "The district must act:" in gone
    assert "Why does an application not see a person?" in demo.get(f"{place}/explain").text
    refused = demo.get(f"{place}/explain?person=alan&application=Reading+Room&field=salary")
    assert refused.status_code == 400


def test_the_search_leads_to_people_schools_and_runs(demo: httpx.Client, place: str) -> None:
    (hit,) = (
        one for one in demo.get("/console/search.json?q=turing").json()["hits"] if one["kind"] == "person"
    )
    assert "Alan Turing" in demo.get(hit["address"]).text
    assert [one["kind"] for one in demo.get("/console/search.json?q=run+1").json()["hits"]] == ["run"]
    assert "Nothing was found" in demo.get("/console/search?q=nobody").text
    assert demo.get("/console/search").status_code == 200


def test_a_person_of_one_district_finds_nothing_of_another(hub: Hub) -> None:
    other = hub.beside("Oak Valley")
    for role in (DISTRICT, HELP_DESK):
        actor = Actor("Ruiz", role, other.district.number)
        assert actor.may("see people", other.district.number)
        assert not actor.may("see people", hub.district.number)
        with pytest.raises(Unknown):
            acting.check(actor, "see people", hub.database, hub.district.id)
    alan = people_browsing.people(
        hub.database, hub.district.id, text="alan", role="", school="", grade="", only="", after=""
    )[0][0]
    with pytest.raises(Unknown):
        people_browsing.person(hub.database, other.district.id, alan.id)
