"""Move a demo's district through its story: invent the next night's files and sync them, at the demo's own
time.

The run that changes the roster also stores the day. After a kill, the demo is at the day before, intact, and
can move on from there.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import click
import orjson

from rollbook.demo import build, demo_folder, person_edits, published, turns
from rollbook.demo.person_edits import Edited
from rollbook.domain.access import Access
from rollbook.errors import Refused, RollbookError, SourceRejected, Unknown
from rollbook.operations import run_decisions
from rollbook.settings import Settings
from rollbook.store.accounts import connections
from rollbook.store.district import demo_state, districts
from rollbook.store.district.demo_state import Move, Person, State
from rollbook.store.engine.database import Database
from rollbook.store.engine.opening import opened
from rollbook.store.records import people_lookup
from rollbook.sync import How
from rollbook.synthetic import days, stories, writer
from rollbook.synthetic.stories import Night

APPROVE, DISCARD = "approve", "discard"
OUTCOMES = {
    ("files", "held"): "is held: nothing was changed",
    ("files", "failed"): "was stopped: nothing was changed",
    ("approval", "committed"): "applied what was held",
    ("discard", "committed"): "dropped what was held",
}
VERBS = ("created", "updated", "deleted")


@dataclass(frozen=True, slots=True)
class Moved:
    """One run in a report.

    `person` is the person of the scenario, as known after the run; the id is blank if they have gone.
    """

    run: Move
    person: Person | None = None

    def as_json(self) -> dict[str, object]:
        return {**self.run.as_json(), "person_now": asdict(self.person) if self.person else None}


def tell(folder: Path, target: str, settings: Settings, *, as_json: bool) -> None:
    """Move the demo on and print what happened; with `as_json`, errors are printed as JSON, too."""
    try:
        moved = advance(folder, target, settings)
    except RollbookError as error:
        if as_json:
            click.echo(
                orjson.dumps({"message": str(error), "error": str(error), "kind": type(error).__name__})
            )
        raise
    if as_json:
        click.echo(orjson.dumps({"runs": [each.as_json() for each in moved]}, option=orjson.OPT_INDENT_2))
        return
    for each in moved:
        for line in _lines(each, folder):
            click.echo(line)


def advance(folder: Path, target: str, settings: Settings) -> list[Moved]:
    """Move the demo of a folder: by some days, to a story's end, or by approving or discarding the held sync.

    Errors: BadSetting for an unknown target, or one after the last day; Busy while another move is running;
    Refused when a sync refuses.
    """
    with turns.alone(folder), opened(settings) as database:
        demo = _Demo(database, settings, folder)
        if target == APPROVE:
            return [demo.approve()]
        if target == DISCARD:
            return [demo.discard()]
        return demo.tell(target)


class _Demo:
    """The district that the published token opens, and where it stands."""

    def __init__(self, database: Database, settings: Settings, folder: Path) -> None:
        self.database = database
        self.settings = settings
        self.files = folder / demo_folder.FILES
        self.access = self._access()
        self.district = districts.find(database, self.access.district_id)

    def tell(self, target: str) -> list[Moved]:
        """Tell a story to its end, with one run for each night."""
        wanted, state = stories.story(target), self._state()
        begun = state.nights if state.unfinished == target else 0
        nights = wanted.nights[begun:]
        _check_days(state.day, nights)
        person, told, first = state.person if begun else None, [], nights[0].day_after(state.day)
        for passed, night in enumerate(nights, start=begun + 1):
            rest = len(wanted.nights) - passed
            after = replace(
                state,
                story=target,
                unfinished=target if rest else "",
                nights=passed if rest else 0,
                person=person,
            )
            done = self._pass(night, after, first)
            told.append(done)
            state, person = self._state(), done.run.after.person if done.run.after else None
        return told

    def approve(self) -> Moved:
        """Apply the held sync, at the time of its night."""
        state = self._state()
        how = How(moment=state.moment, note=partial(demo_state.keep, state, from_day=state.day))
        name = self.district.name
        run_decisions.approve(self.database, self.settings, self.district.id, name=name, how=how)
        return self._last_move()

    def discard(self) -> Moved:
        """Discard the held sync."""
        run_decisions.discard(self.database, self.district.id)
        return self._last_move()

    def _pass(self, night: Night, state: State, first: int) -> Moved:
        """One night: its files and their sync. `first` is the day of the first night in this call."""
        day = night.day_after(state.day)
        new = night.scenarios(day)
        edited = self._edited()
        written = writer.write(
            self.files,
            students=state.students,
            seed=state.seed,
            day=day,
            scenarios=(*state.in_force, *new),
            edits=edited.cells,
        ).named_people
        about = next((self._person(written[name]) for name in new if name in written), state.person)
        if edited.waiting and not {*new} & {*written}:
            about = self._person(edited.waiting)
        in_force = (*state.in_force, *new[: len(night.begins)])
        after = replace(state, day=day, date=days.date_of(day).isoformat(), in_force=in_force, person=about)
        how = How(
            is_approved=night.is_trusted,
            moment=after.moment,
            note=partial(demo_state.keep, after, from_day=state.day),
        )
        # Unusable files belong to the story: the stopped run reports them, and the story continues.
        with suppress(SourceRejected):
            settings = self._settings_for(day - first)
            run_decisions.sync_files(self.database, settings, self.district.id, self.files, how)
        if edited.waiting:
            person_edits.settle(self.database)
        return self._last_move()

    def _edited(self) -> Edited:
        with self.database.read() as transaction:
            return person_edits.read(transaction)

    def _settings_for(self, days_told: int) -> Settings:
        """The settings, with events kept for the whole story: nobody could have read those of its first night
        yet."""
        return replace(self.settings, event_days=max(self.settings.event_days, days_told + 1))

    def _last_move(self) -> Moved:
        build.renew_user_tokens(self.database, self.access, self.district)
        with self.database.read() as transaction:
            run = demo_state.moves(transaction, self.access, 1)[0]
        person = run.after.person if run.after else None
        return Moved(run, self._person(person.sis_id) if person else None)

    def _person(self, sis_id: str) -> Person:
        with self.database.read() as transaction:
            try:
                found = people_lookup.find(
                    transaction, people_lookup.whole(transaction, self.district.number), sis_id
                )
            except Unknown:
                return Person(sis_id, "", "")
        return Person(sis_id, found.name, found.id)

    def _state(self) -> State:
        with self.database.read() as transaction:
            return demo_state.state(transaction, self.district.number)

    def _access(self) -> Access:
        with self.database.read() as transaction:
            access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
        if access is None:
            raise Refused("there is no demo here; `rollbook demo` makes one")
        return access


def _check_days(day: int, nights: tuple[Night, ...]) -> None:
    """Check all nights before anything is done. Errors: BadSetting if a night is after the last day."""
    for night in nights:
        day = night.day_after(day)
        days.today(day)


# The report ------------------------------------------------------------------------------------------


def _lines(moved: Moved, folder: Path) -> Iterator[str]:
    """One run for people: the day, the result, counts for each kind, events, and the person of the
    scenario."""
    run, after = moved.run, moved.run.after
    when = f"Day {after.day}, {date.fromisoformat(after.date):%A %-d %B %Y}: " if after else ""
    yield f"{when}sync {run.sync} {OUTCOMES.get((run.cause, run.state), run.state)}"
    if run.message:
        yield f"  {run.message}"
    for kind, counts in run.kinds.items():
        told = ", ".join(f"{counts[verb]:,} {verb}" for verb in VERBS if counts[verb])
        if told:
            yield f"  {kind.replace('_', ' '):16} {told}"
    events = ", ".join(f"{count:,} {name}" for name, count in run.events.items())
    total = sum(run.events.values())
    yield f"  {total:,} event{'' if total == 1 else 's'}{f': {events}' if events else ''}"
    if moved.person and after and after.person:
        yield f"  {_about(after.person, moved.person)}"
    if run.state == "held":
        yield from (f"  held because {reason}" for reason in run.held_because)
        yield "  Apply these files, drop them, or go on with the next night's:"
        command = f"rollbook demo --folder {shlex.quote(str(folder))} --advance"
        yield from (f"    {command} {target}" for target in (APPROVE, DISCARD, "1"))


def _about(before: Person, now: Person) -> str:
    """The person of a run, and what happened to their id."""
    who = f"{now.name or before.name} (SIS id {before.sis_id})"
    if not now.id:
        return f"{who}, id {before.id}, is not in the district any more"
    if not before.id or now.id == before.id:
        return f"{who} has the id {now.id}"
    return f"{who} had the id {before.id}, and now has the id {now.id}"
