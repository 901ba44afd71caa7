"""After a new SIS, people and sections keep their ids: pairs are found, applied with the held run, undone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook import sync
from rollbook.demo.serving import Demo
from rollbook.errors import BadSetting
from rollbook.operations import explaining, keeping_ids, searching
from rollbook.roster.views.id_pairs import Pair
from rollbook.store.district import districts
from rollbook.sync import How
from rollbook.web.app import App
from tests import world
from tests.journeys.hub import Client, Hub
from tests.journeys.prepared import on_each_database, with_small_world
from tests.sso import Direct
from tests.web.test_console import HOME, form_of

NEW = {"emmy": "9001", "alan": "9002", "katherine": "9003", "t-ada": "T1", "t-grace": "T2"}
SECTIONS = {"algebra": "S1", "poetry": "S2", "homeroom": "S3"}


def renamed(ids: dict[str, str]) -> dict[str, str]:
    """The world's files with other SIS ids."""
    files = {}
    for name, text in world.FILES.items():
        rows = [line.split(",") for line in text.splitlines()]
        files[name] = "".join(",".join(ids.get(cell, cell) for cell in row) + "\n" for row in rows)
    return files


def hold(hub: Hub, files: dict[str, str]) -> None:
    source = world.write(hub.folder / "new", files)
    district = districts.find(hub.database, hub.district.id)
    done = sync.run(hub.database, district, source, hub.settings, how=How())
    assert done.state == "held"


def state(client: Client) -> dict[str, Any]:
    return {
        kind: {record["id"]: record for record in client.records(f"/v3.0/{kind}?limit=100")}
        for kind in ("users", "sections", "schools", "courses")
    }


hub = on_each_database(with_small_world)


@pytest.fixture
def client(hub: Hub) -> Client:
    return hub.client(hub.connect(name="Reader"))


def test_records_keep_their_ids_and_an_undo_takes_it_back(hub: Hub, client: Client) -> None:
    before = state(client)
    hold(hub, renamed(NEW | SECTIONS))
    found = keeping_ids.find(hub.database, hub.settings, hub.district.id)
    assert {(pair.source, pair.old): pair.new for pair in found} == {
        **{("students", old): NEW[old] for old in ("emmy", "alan", "katherine")},
        **{("teachers", old): NEW[old] for old in ("t-ada", "t-grace")},
        **{("sections", old): new for old, new in SECTIONS.items()},
    }
    assert {pair.old for pair in found if pair.strength == "sure"} >= {"emmy", "alan", "katherine"}
    done = keeping_ids.keep(hub.database, hub.settings, hub.district.id, found, name=hub.district.name)
    assert [(count.created, count.deleted) for count in done.kinds.values()] == [(0, 0)] * len(done.kinds)
    after = state(client)
    assert {kind: set(records) for kind, records in before.items()} == {
        kind: set(records) for kind, records in after.items()
    }
    students = {
        user["id"]: user["roles"]["student"]["sis_id"]
        for user in after["users"].values()
        if "student" in user["roles"]
    }
    assert students == {
        user["id"]: NEW[user["roles"]["student"]["sis_id"]]
        for user in before["users"].values()
        if "student" in user["roles"]
    }
    sync.undo(
        hub.database,
        districts.find(hub.database, hub.district.id),
        hub.settings,
        How(is_approved=True, name=hub.district.name),
    )
    assert _plain(state(client)) == _plain(before)


def _plain(records: dict[str, Any]) -> dict[str, Any]:
    return {
        kind: {
            id_: {name: value for name, value in record.items() if name != "last_modified"}
            for id_, record in of.items()
        }
        for kind, of in records.items()
    }


def test_an_old_sis_id_still_finds_the_person(hub: Hub, client: Client) -> None:
    assert client.records("/v3.0/users")
    hold(hub, renamed(NEW))
    found = keeping_ids.find(hub.database, hub.settings, hub.district.id)
    keeping_ids.keep(hub.database, hub.settings, hub.district.id, found, name=hub.district.name)
    told = explaining.explain(hub.database, hub.settings, hub.district.id, "alan", "Reader")
    assert (told.person, told.sees) == ("Alan Turing", True)
    assert [hit.name for hit in searching.find(hub.database, hub.district.id, "t-ada")] == ["Ada Lovelace"]


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (Pair("students", "nobody", "9001"), "no record of the last committed run has the old SIS id"),
        (Pair("students", "emmy", "8000"), "no record of the held run has the new SIS id"),
        (Pair("teachers", "t-ada", "t-grace"), "the held run still has the old SIS id"),
    ],
)
def test_a_pair_that_does_not_fit_is_refused_and_the_run_still_waits(
    hub: Hub, client: Client, pair: Pair, why: str
) -> None:
    before = state(client)
    hold(hub, renamed({old: new for old, new in NEW.items() if old in ("emmy", "alan", "katherine")}))
    with pytest.raises(BadSetting, match=why):
        keeping_ids.keep(hub.database, hub.settings, hub.district.id, [pair], name=hub.district.name)
    assert state(client) == before
    assert keeping_ids.find(hub.database, hub.settings, hub.district.id)


def test_the_pairs_are_reviewed_and_kept_on_a_page(hub: Hub, client: Client) -> None:
    before = state(client)
    hold(hub, renamed(NEW))
    app = App(
        hub.database,
        hub.settings,
        limits=hub.folder / "demo.limits",
        extend=Demo("TEST_TOKEN", "", hub.district.name).extend,
    )
    with closing(app), httpx.Client(transport=Direct(app, "127.0.0.1"), base_url=HOME) as visitor:
        page = f"/console/d/{districts.slug(hub.district)}/ids"
        shown = visitor.get(page).text
        assert shown.count(" checked>") >= 3
        given = {"form": form_of(shown), "run": "2", "act": "ticked", "name": hub.district.name}
        assert "Tick one pair at least" in visitor.post(page, data=given).text
        pairs = visitor.get(f"{page}.json").json()["pairs"]
        ticked = {f"pair.{one['source']}.{one['old']}": one["new"] for one in pairs}
        kept = visitor.post(page, data={**given, **ticked})
        assert kept.status_code == 303, kept.text
        assert "5 records kept their ids" in visitor.get(kept.headers["location"]).text
        assert "No sync is held" in visitor.get(page).text
    assert set(state(client)["users"]) == set(before["users"])


@pytest.mark.parametrize(
    ("limit", "told"), [("BYTES_MAX", "has more than 40 bytes"), ("PAIRS_MAX", "has more than 40 rows")]
)
def test_a_file_of_pairs_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, told: str
) -> None:
    monkeypatch.setattr(keeping_ids, limit, 40)
    file = tmp_path / "pairs.csv"
    file.write_text("source,old,new\n" + "students,1,2\n" * 60, "utf-8")
    with pytest.raises(BadSetting, match=f"keep-ids: {file} {told}"):
        keeping_ids.read(file)


def test_a_file_of_pairs_is_read_as_it_is_written(tmp_path: Path) -> None:
    pairs = [Pair("students", "=1", "9001", "sure", "name", "Emmy"), Pair("sections", "a", "b")]
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(",".join(row) for row in keeping_ids.rows(pairs)), "utf-8")
    assert [(one.source, one.old, one.new) for one in keeping_ids.read(file)] == [
        ("students", "=1", "9001"),
        ("sections", "a", "b"),
    ]
    for text, why in (
        ("source,old\n", "lacks the column new"),
        ("source,old,new\npupils,1,2\n", "row 2: expected one of students"),
        ("source,old,new\n\nstudents,1,\n", "row 3"),
    ):
        file.write_text(text, "utf-8")
        with pytest.raises(BadSetting, match=why):
            keeping_ids.read(file)
    with pytest.raises(BadSetting, match="cannot be read"):
        keeping_ids.read(tmp_path / "missing.csv")
