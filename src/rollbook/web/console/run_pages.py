"""A district's runs: their list, and one run with its changes, problems and applications; approve, discard, undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from rollbook.errors import BadSetting
from rollbook.operations import acting, districts_overview, problem_reviews, run_decisions, run_reviews
from rollbook.store.accounts import connections
from rollbook.store.records import commits, run_changes
from rollbook.store.records.commits import Run
from rollbook.store.records.problem_rows import Wanted
from rollbook.store.records.run_changes import Changed, Filter
from rollbook.store.work import job_queue
from rollbook.sync import How, Sync
from rollbook.web.console.console_frame import CSV, Ask, Console, Page, Shown

PAGE, RUNS, JOBS = 100, 50, 100
# The word of a filter that selects every problem.
ALL = "all"
# The kinds that a person looks at first.
_FIRST = ("students", "teachers", "sections", "schools", "staff", "contacts")
CAUSES = {
    "files": "Files",
    "clone": "Copy of a district",
    "approval": "Approval",
    "undo": "Undo",
    "share": "Share",
    "pause": "Pause",
    "discard": "Discard",
}
RUN_HEADS = ("run", "cause", "state", "created", "created records", "updated", "deleted", "problems", "why")
CHANGE_HEADS = ("verb", "kind", "name", "school", "grade", "sis id", "id")


def runs(console: Console, ask: Ask) -> Shown:
    """The last runs of a district, newest first."""
    most = 1000 if ask.form == CSV else RUNS
    found = commits.runs(console.database, ask.district, most=most)
    told = [_brief(run) for run in found]
    return Shown("runs.html", {"runs": told, "place": ask.place}, rows=_run_rows(told))


def _brief(run: Run) -> dict[str, Any]:
    report = run.report
    return {
        "number": run.number,
        "cause": CAUSES.get(run.cause, run.cause),
        "state": run.state,
        "created": run.created,
        "counts": districts_overview.counts(report),
        "problems": sum((report.get("problems_by_severity") or {}).values()),
        "why": report.get("message") or "; ".join(report.get("held_because") or ()),
        "reasons": list(report.get("held_because") or ()),
    }


def _run_rows(told: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    yield RUN_HEADS
    for run in told:
        counts = run["counts"].values()
        yield (
            run["number"],
            run["cause"],
            run["state"],
            run["created"],
            *counts,
            run["problems"],
            run["why"],
        )


# One run -------------------------------------------------------------------------------------------


def _run(console: Console, ask: Ask) -> Run:
    text = ask.visit.parts["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadSetting("run: expected its number")
    return commits.run(console.database, ask.district, int(text))


def _head(console: Console, ask: Ask, run: Run) -> dict[str, Any]:
    """What stands above the tabs of a run."""
    with console.database.read() as transaction:
        guesses = run_reviews.guesses(transaction, ask.district, run) if run.state == "held" else []
        changed = sum(count for *_, count in run_changes.groups(transaction, ask.district.number, run.number))
        jobs = job_queue.latest(transaction, JOBS, district=ask.district.number)
    job = next((each for each in jobs if each.run == run.number), None)
    seconds = (job.ended - job.begun) / 1000 if job and job.begun and job.ended else None
    may = ask.actor.may("change the roster", ask.district.number)
    is_last = ask.district.snapshot == run.number and run.state == "committed"
    return {
        "run": _brief(run),
        "seconds": seconds,
        "guesses": guesses,
        "changed": changed,
        "applications": len(connections.views_of(console.database, ask.district)),
        "kept": ask.district.snapshot,
        "acts": {"decide": may and run.state == "held", "undo": may and is_last, "files": may},
        "needs_name": run_reviews.needs_name(run),
        "place": ask.place,
        "address": f"{ask.place}/runs/{run.number}",
    }


def run_page(console: Console, ask: Ask) -> Shown:
    """One run: what it changed by kind, then its records by page."""
    run, number = _run(console, ask), ask.district.number
    kind, _, verb = ask.asked("what").rpartition(" ")
    wanted = Filter(verb, kind, ask.asked("school"), ask.asked("grade"), ask.asked("q")[:200])
    with console.database.read() as transaction:
        names = run_reviews.school_names(transaction, ask.district, run.number)
        groups = run_changes.groups(transaction, number, run.number)
        if not ask.asked("what") and groups:
            worst = min(groups, key=_urgency)
            wanted = Filter(worst[1], worst[0], wanted.school, wanted.grade, wanted.text)
        if ask.form == CSV:
            rows = list(run_changes.each(transaction, number, run.number, wanted))
            return Shown("run.html", {}, rows=_change_rows(rows, names))
        of = Filter(wanted.verb, wanted.kind)
        schools = run_changes.by(transaction, number, run.number, "school", of)
        grades = run_changes.by(transaction, number, run.number, "grade", of)
        found = sum(count for _, count in run_changes.by(transaction, number, run.number, "verb", wanted))
        first = ask.number("from", most=max(found - 1, 0)) // PAGE * PAGE
        rows = run_changes.page(transaction, number, run.number, wanted, first=first, most=PAGE)
    query = {
        "what": f"{wanted.kind} {wanted.verb}",
        "school": wanted.school,
        "grade": wanted.grade,
        "q": wanted.text,
    }
    return Shown(
        "run.html",
        {
            **_head(console, ask, run),
            "tab": "changes",
            "kinds": [
                {**asdict(line), "percent": line.percent}
                for line in run_reviews.kinds(console.database, ask.district, run)
            ],
            "groups": groups,
            "wanted": query,
            "query": urlencode(query),
            "schools": [(id_, names.get(id_, id_), count) for id_, count in schools if id_],
            "grades": [(grade, count) for grade, count in grades if grade],
            "found": found,
            "first": first,
            "records": [{**asdict(row), "school_name": names.get(row.school, "")} for row in rows],
        },
        leave_out=("query", "tab"),
    )


def _urgency(group: tuple[str, str, int]) -> tuple[int, int, int]:
    """The order in which to look at groups of changes: deletions first, and of these people first."""
    kind, verb, count = group
    return run_changes.VERBS.index(verb), _FIRST.index(kind) if kind in _FIRST else len(_FIRST), -count


def _change_rows(rows: Sequence[Changed], names: Mapping[str, str]) -> Iterator[Sequence[object]]:
    yield CHANGE_HEADS
    for row in rows:
        yield row.verb, row.kind, row.name, names.get(row.school, ""), row.grade, row.sis_id, row.id


def problems(console: Console, ask: Ask) -> Shown:
    """The problems of a run's files row by row; at first those to mend first."""
    run, groups = _run(console, ask), problem_reviews.groups(_run(console, ask))
    code, _, file = ask.asked("what").partition(" ")
    if not ask.asked("what") and groups:
        code, file = groups[0]["code"], groups[0]["file"]
    if code == ALL:
        code, file = "", ""
    wanted = Wanted(code, file, ask.asked("q")[:200])
    first = ask.number("from") // PAGE * PAGE
    with console.database.read() as transaction:
        if ask.form == CSV:
            wanted = wanted if ask.asked("what") else Wanted(text=wanted.text)
            rows = list(problem_reviews.each(transaction, ask.district, run, wanted))
            return Shown(
                "run_problems.html", {}, rows=[problem_reviews.HEADS, *(row.as_row() for row in rows)]
            )
        listed = problem_reviews.page(transaction, ask.district, run, wanted, first=first, most=PAGE)
    query = {"what": f"{code} {file}".strip() or ALL, "q": wanted.text}
    return Shown(
        "run_problems.html",
        {
            **_head(console, ask, run),
            "tab": "problems",
            "groups": groups,
            "chosen": next((each for each in groups if (each["code"], each["file"]) == (code, file)), None),
            "wanted": query,
            "query": urlencode(query),
            "found": listed.found,
            "first": first,
            "rows": [asdict(row) for row in listed.rows],
            "is_short": run.is_short,
        },
        leave_out=("tab", "query", "chosen"),
    )


def applications(console: Console, ask: Ask) -> Shown:
    """Which applications a run reaches: how many of its records each one shows now."""
    run, number = _run(console, ask), ask.district.number
    seen = connections.views_of(console.database, ask.district)
    with console.database.read() as transaction:
        found = run_changes.seen_by(transaction, number, run.number)
    told = [
        {
            "name": name,
            "deleted": found.get(view, {}).get("deleted", 0),
            "updated": found.get(view, {}).get("updated", 0),
            "frozen": (run.report.get("frozen") or {}).get(name, []),
        }
        for name, view in sorted(seen.items())
    ]
    rows = [
        ("application", "deleted", "updated"),
        *((each["name"], each["deleted"], each["updated"]) for each in told),
    ]
    content = {**_head(console, ask, run), "tab": "applications", "readers": told}
    return Shown("run_applications.html", content, rows=rows, leave_out=("tab",))


# Decisions -----------------------------------------------------------------------------------------


def decide(console: Console, ask: Ask) -> Response:
    """Approve or discard the held run, or undo the last one, by the button that was pressed."""
    database, settings = console.database, console.desk.settings
    run, district, act = _run(console, ask), ask.district, ask.asked("act")
    if act == "discard":
        acting.do(ask.actor, run_decisions.discard, database, district.id, run.number)
        return console.said(ask, f"Run {run.number} was discarded. The roster stays as it is.", ask.place)
    name = ask.asked("name") or None
    if act == "approve":
        done = acting.do(
            ask.actor, run_decisions.approve, database, settings, district.id, name=name, run=run.number
        )
        return _done(console, ask, done, f"Run {run.number} was approved")
    if act == "undo":
        how = How(is_approved=ask.asked("sure") == "yes", name=name)
        done = acting.do(ask.actor, run_decisions.undo, database, settings, district.id, how, run=run.number)
        if done.state == "held":
            reasons = "; ".join(str(reason) for reason in done.reasons)
            raise BadSetting(f"Nothing was undone: {reasons}. If that is right, tick “Undo it in any case”.")
        return _done(console, ask, done, f"Run {run.number} was undone")
    raise BadSetting("act: expected approve, discard or undo")


def _done(console: Console, ask: Ask, done: Sync, what: str) -> Response:
    counts = ", ".join(
        f"{sum(getattr(each, verb) for each in done.kinds.values()):,} {verb}"
        for verb in districts_overview.VERBS
    )
    return console.said(ask, f"{what}: {counts}.", f"{ask.place}/runs/{done.number}")


_ONE = "/console/d/{slug}/runs/{number}"
PAGES = (
    Page("runs", "/console/d/{slug}/runs", "see runs", runs, title="Runs", group="District"),
    Page("run-problems", f"{_ONE}/problems", "see runs", problems),
    Page("run-applications", f"{_ONE}/applications", "see runs", applications),
    Page("run", _ONE, "see runs", run_page, decide, is_costly=True),
)
