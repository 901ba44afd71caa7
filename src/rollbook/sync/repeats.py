"""The same files again: a sync that cannot find anything new ends without work.

A committed sync keeps a mark beside its snapshot: a digest of everything that its result depends on. A sync
with the same mark only writes a run that says so. Other runs that make a snapshot (an approval, an undo, a
clone) keep no mark, so the next sync does all of its work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

import rollbook
from rollbook.domain.guard import Counts
from rollbook.domain.reading_rules import Rules
from rollbook.roster.intake.csv import source_digest
from rollbook.roster.intake.csv.source_digest import SourceDigest
from rollbook.settings import Settings
from rollbook.store.district import districts, thresholds
from rollbook.store.district.districts import District, timestamp
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database
from rollbook.store.records import commits
from rollbook.store.records.commits import Outcome, Snapshot
from rollbook.store.records.own_record import healthy
from rollbook.store.records.retention import keep_since
from rollbook.sync.result import How, Sync

# The mark's name among a snapshot's files.
MARK = "mark"
# Packages whose code decides the result of a sync.
_DECIDING = ("contract", "domain", "roster", "store", "sync")
# What a repeat reports about problems: the same as the run that read the files.
_TOLD_AGAIN = ("problem_counts", "problems_by_severity", "problem_groups")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a sync's result depends on, except the day.

    `digest` (hex) covers all of it; `files` and `before` are the digest of the files and the present roster.
    """

    digest: str
    files: SourceDigest
    before: Snapshot

    def write(self, folder: Path, day: str) -> dict[str, Path]:
        """The mark as a file of the snapshot. `day`: the result is only valid on this day; blank: on any day.

        There is no mark if the files changed while the sync read them.
        """
        if not self.files.is_unchanged():
            return {}
        path = folder / MARK
        path.write_text(json.dumps({"digest": self.digest, "day": day}), "utf-8")
        return {MARK: path}


def mark_of(
    database: Database,
    district: District,
    source: Path,
    settings: Settings,
    rules: Rules,
    keys: tuple[str, str],
) -> Mark | None:
    """The mark of a sync before it begins; None if the files cannot be used. `keys` are the keys of password
    digests."""
    found = source_digest.of(source)
    if found is None:
        return None
    before, limits = commits.present(database, district), thresholds.read(database, district)
    decides = {
        "files": found.digest,
        "rules": [rules.switches(), list(rules.admin_roles), rules.problems_max],
        "thresholds": {kind: asdict(limit) for kind, limit in sorted(limits.items())},
        "settings": _open_settings(settings),
        "keys": list(keys),
        "views": [_view(view) for view in before.views],
        "program": program(),
    }
    return Mark(hashlib.sha256(json.dumps(decides).encode()).hexdigest(), found, before)


def repeat(
    database: Database, district: District, settings: Settings, rules: Rules, how: How, mark: Mark
) -> Sync | None:
    """Write a run that says that nothing changed.

    None if something may have changed, so that the sync must do its work.
    """
    # The commit is refused if the district has changed since then.
    before = mark.before
    first = _first(database, district, mark, rules.today.isoformat())
    if first is None:
        return None
    moment = districts.moment_after(database, before.created, how.moment)
    about: dict[str, object] = {name: first.report[name] for name in _TOLD_AGAIN if name in first.report}
    about["unchanged_since"] = {"sync": first.number, "created": first.created}
    counts = {kind: _unchanged(told) for kind, told in first.report["kinds"].items()}
    whole = next(view.number for view in before.views if view.is_whole)
    created = timestamp(moment)
    done = Sync(district, before.head + 1, "committed", created, whole, {whole: counts}, about=about)
    columns = {"state": healthy(district, moment), "error": "", "last_sync": created}
    keep = keep_since(moment, history_days=settings.history_days, event_days=settings.event_days)
    outcome = Outcome("files", moment, {**done.as_json(), "sync": None, "needs_name": False}, columns)
    commits.commit(database, district, before, outcome, keep=keep, also=how.noted(district, before))
    return done


def _first(database: Database, district: District, mark: Mark, today: str) -> commits.Run | None:
    """The run that made the current snapshot, if it had this mark and nothing is held or frozen."""
    before = mark.before
    if any(view.frozen for view in before.views) or commits.runs(database, district, ("held",), 1):
        return None
    kept = commits.kept_file(database, district, before.sync, MARK)
    known: dict[str, Any] = json.loads(kept) if kept else {}
    if known.get("digest") != mark.digest or known.get("day") not in ("", today):
        return None
    first = commits.run(database, district, before.sync)
    # The examples of an old report were dropped; a full sync reports the problems again.
    return None if first.is_short else first


def _unchanged(told: Mapping[str, int]) -> Counts:
    """The counts of a kind after the run with these counts."""
    existing = told["existing"] + told["created"] - told["deleted"]
    return Counts(existing, 0, 0, 0, errors=told.get("errors", 0))


def _open_settings(settings: Settings) -> dict[str, str]:
    return {
        entry.name: str(getattr(settings, entry.name))
        for entry in fields(Settings)
        if not entry.metadata["secret"]
    }


def _view(view: View) -> list[object]:
    return [view.number, view.freezes, json.dumps(asdict(view.spec), default=_sorted)]


def _sorted(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def program() -> list[str]:
    """What names the program that a result comes from."""
    return [rollbook.__version__, duckdb.__version__, _code()]


@cache
def _code() -> str:
    """A digest of the program's own deciding files, so a changed checkout counts as another program."""
    home = Path(rollbook.__file__).parent
    whole = hashlib.sha256()
    for name in _DECIDING:
        for path in sorted((home / name).rglob("*")):
            if path.suffix in (".py", ".csv"):
                whole.update(path.read_bytes())
    return whole.hexdigest()
