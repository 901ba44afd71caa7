"""An edit of a share writes a row in the trail, in its own transaction."""

from __future__ import annotations

from pathlib import Path

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.domain import shares
from rollbook.domain.access import SECURE_SYNC
from rollbook.store.accounts import applications, audit, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.sync import How


def test_connecting_and_editing_a_share_are_in_the_trail(database: Database, tmp_path: Path) -> None:
    settings = setting_rows.read({})
    district = districts.create(database, "Ash District")
    application, _ = applications.create(database, NewApplication("Reader"))
    view = sync.view_of(database, district, Spec(), settings)
    connections.connect(database, Sealer(tmp_path / "key"), application, district, view)
    spec = Spec(share=shares.parse({"schools": ["0001"]}), withheld=("student.dob",))
    sync.share(database, district, application, spec, settings, How(is_plan=True))
    sync.share(database, district, application, spec, settings)
    with database.read() as transaction:
        trail = [entry for entry in reversed(audit.latest(transaction)) if entry.district == district.name]
    assert [entry.action for entry in trail] == ["connected", "share changed"]
    assert {entry.application for entry in trail} == {"Reader"}
    assert trail[1].detail == {
        "share": {"schools": ["0001"]},
        "scopes": list(SECURE_SYNC),
        "withheld": ["student.dob"],
        "sensitive": [],
        "unasked": [],
        "keeps_ids": False,
    }
