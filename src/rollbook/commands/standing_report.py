"""How a district's standing is shown: one form for all commands, with words for people."""

from __future__ import annotations

from collections.abc import Iterator

from rollbook.settings import Settings, base_url
from rollbook.store.district.districts import PORTAL, District, slug
from rollbook.store.records.commits import Run
from rollbook.sync.standing import Standing, troubles


def as_json(standing: Standing, settings: Settings) -> dict[str, object]:
    """A district for programs: its facts, and how it stands."""
    district, glance = standing.district, standing.glance
    pause = {"from": district.pause_start, "until": district.pause_end, "is_now": standing.state == "paused"}
    held = glance.held
    return {
        "id": district.id,
        "name": district.name,
        "created": district.created,
        "is_clone": district.given is not None,
        "sign_in_page": sign_in_page(district, settings),
        "state": standing.state,
        "error": standing.error,
        "committed_syncs": glance.committed,
        "last_committed": district.last_sync,
        "last_sync": _run(glance.last) if glance.last else None,
        "held": {"sync": held.number, "created": held.created, "because": held.report.get("held_because", [])}
        if held
        else None,
        "pause": pause if standing.has_pause else None,
        "frozen": {name: list(reasons) for name, reasons in glance.frozen.items()},
    }


def sign_in_page(district: District, settings: Settings) -> str:
    """The address of the sign-in page for the district's people."""
    return f"{base_url(settings)}{PORTAL}{slug(district)}"


def lines(standing: Standing, settings: Settings) -> Iterator[tuple[str, str]]:
    """A district for people, as pairs of a label and a value."""
    district, glance = standing.district, standing.glance
    yield "id", district.id
    yield "created", district.created
    yield "sign-in page", sign_in_page(district, settings)
    yield "state", standing.state
    yield (
        "syncs",
        (
            f"{glance.committed:,} "
            f"committed{f', the last at {district.last_sync}' if district.last_sync else ''}"
        ),
    )
    if glance.last:
        yield "last run", _told(glance.last)
    yield from (("look at", trouble) for trouble in troubles(standing))
    if standing.has_pause:
        yield "pause", f"from {district.pause_start} until {district.pause_end or 'it is resumed'}"


def problems(run: Run) -> dict[str, int]:
    """How many errors and warnings the files of a run had."""
    found = run.report.get("problems_by_severity", {})
    return {"errors": found.get("error", 0), "warnings": found.get("warning", 0)}


def _run(run: Run) -> dict[str, object]:
    return {
        "sync": run.number,
        "cause": run.cause,
        "state": run.state,
        "created": run.created,
        **problems(run),
    }


def _told(run: Run) -> str:
    counts = ", ".join(f"{count:,} {name}" for name, count in problems(run).items())
    return f"sync {run.number} ({run.cause}) {run.state} at {run.created}: {counts}"
