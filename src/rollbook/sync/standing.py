"""How districts stand: one word for each, and what needs attention."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rollbook.domain import upload_notices
from rollbook.store.district.districts import District, timestamp
from rollbook.store.engine.database import Database
from rollbook.store.records import runs_overview
from rollbook.store.records.own_record import is_paused
from rollbook.store.records.runs_overview import Glance

STATES = ("running", "paused", "held", "failed", "empty")
HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Standing:
    """A district at a glance, with its state in one word.

    `held`: a sync waits for an approval. `paused`: the district takes in no files at present. `failed`: its
    last files could not be used. `empty`: it was never synced. Otherwise `running`. The API has fewer words:
    it calls held, failed and empty `pending`.
    """

    glance: Glance
    state: str
    has_pause: bool

    @property
    def district(self) -> District:
        return self.glance.district

    @property
    def error(self) -> str:
        """What is wrong, for the operator: why the last files could not be used, else the API's notice."""
        last = self.glance.last
        failed = self.district.error and last is not None and last.state == "failed"
        return str(last.report.get("message", "")) if last and failed else self.district.error


def of(database: Database, district: District) -> Standing:
    """How one district stands now."""
    (glance,) = runs_overview.look(database, district)
    return _standing(glance)


def of_all(database: Database) -> list[Standing]:
    """How all districts stand now."""
    return [_standing(glance) for glance in runs_overview.look(database)]


def troubles(standing: Standing, hours_max: float | None = None) -> list[str]:
    """The troubles of a district, as sentences; empty if there are none. A pause is no trouble: an operator
    decided it.

    With `hours_max`, a last committed sync older than that is a trouble, except while the district is paused.
    """
    return [*_held(standing), *_failed(standing), *_frozen(standing), *_late(standing, hours_max)]


def _standing(glance: Glance) -> Standing:
    district, today = glance.district, timestamp()[:10]
    has_pause = bool(district.pause_start) and today <= (district.pause_end or today)
    return Standing(glance, _state(glance), has_pause)


def _state(glance: Glance) -> str:
    district = glance.district
    if glance.held:
        return "held"
    # Decide by its dates: the district's own record follows within a minute, and only while a server runs.
    if is_paused(district, None):
        return "paused"
    if glance.last is None:
        return "empty"
    return "failed" if district.error else "running"


def _held(standing: Standing) -> Iterator[str]:
    held = standing.glance.held
    if held:
        yield f"sync {held.number} is held: {'; '.join(held.report.get('held_because', ()))}"


def _failed(standing: Standing) -> Iterator[str]:
    if standing.glance.last is None and standing.state != "paused":
        yield "nothing was synced yet"
    elif standing.glance.last and standing.district.error and standing.district.error != upload_notices.HELD:
        yield f"sync {standing.glance.last.number} failed: {standing.error}"


def _frozen(standing: Standing) -> Iterator[str]:
    for name, reasons in standing.glance.frozen.items():
        yield f"what {name} sees is frozen: {'; '.join(reasons)}"


def _late(standing: Standing, hours_max: float | None) -> Iterator[str]:
    last = standing.district.last_sync
    if hours_max is None or last is None or standing.state == "paused":
        return
    hours = (time.time() - datetime.fromisoformat(last).timestamp()) / HOUR_SECONDS
    if hours > hours_max:
        yield f"the last committed sync was {hours:,.0f} hours ago"
