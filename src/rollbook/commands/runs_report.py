"""Past runs: one line each, with the result and its reason, or one run's whole report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rollbook.commands import report
from rollbook.commands.options import show_json
from rollbook.store.records.commits import Run

VERBS = ("created", "updated", "deleted")


def show_list(runs: Sequence[Run], *, as_json: bool) -> None:
    """Print runs, one line each."""
    if as_json:
        show_json([brief(run) for run in runs])
        return
    report.say(
        f"{run.number:>6}  {run.created}  {run.cause:9} {run.state:10} {summary(run)}".rstrip()
        for run in runs
    )


def show_one(district: str, run: Run, *, as_json: bool) -> None:
    """Print one run's whole report, as the run itself printed it, with its stored examples."""
    told = _whole(run)
    if as_json:
        show_json(told)
        return
    first, *rest = report.lines(district, told, has_samples=True)
    report.say((first, *([] if told.get("kinds") else [summary(run)]), *rest))


def brief(run: Run) -> dict[str, object]:
    """A run in a few words and numbers, for programs."""
    told = run.report
    return {
        "sync": run.number,
        "created": run.created,
        "cause": run.cause,
        "state": run.state,
        "summary": summary(run),
        "message": told.get("message", ""),
        "held_because": told.get("held_because", []),
        "counts": counts(run),
        "problems_by_severity": told.get("problems_by_severity", {}),
    }


def counts(run: Run) -> dict[str, int]:
    """How many records of all kinds a run created, updated and deleted."""
    kinds = run.report.get("kinds", {}).values()
    return {verb: sum(counts.get(verb, 0) for counts in kinds) for verb in VERBS}


def summary(run: Run) -> str:
    """Why a run failed or was held; else what it did, and the problems of its files."""
    told = run.report
    if run.state == "failed":
        return str(told.get("message", ""))
    if run.cause == "pause":
        return (
            f"from {told['pause_start']} until {told['pause_end'] or 'it is resumed'}"
            if "pause_start" in told
            else ""
        )
    if run.cause == "discard":
        return f"dropped sync {told['discards']}" if "discards" in told else ""
    parts = [_about(told), "; ".join(told.get("held_because", ())) or _changes(run), report.severities(told)]
    return "; ".join(part for part in parts if part)


def _about(told: dict[str, Any]) -> str:
    """The subject of a run: which sync it takes back or applies, or which application's share it edits."""
    if "takes_back" in told:
        return f"took back sync {told['takes_back']['sync']}"
    if "approves" in told:
        return f"applied sync {told['approves']}"
    return str(told.get("application", ""))


def _changes(run: Run) -> str:
    if "kinds" not in run.report:
        return ""
    return ", ".join(f"{count:,} {verb}" for verb, count in counts(run).items() if count) or "nothing changed"


def _whole(run: Run) -> dict[str, Any]:
    """The stored report, with the run's own number and state."""
    own = {"sync": run.number, "cause": run.cause, "state": run.state, "created": run.created}
    return {**run.report, **({"is_short": True} if run.is_short else {}), **own}
