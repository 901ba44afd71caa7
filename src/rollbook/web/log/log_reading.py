"""Read the request log: select requests, and compute totals."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rollbook.errors import BadSetting
from rollbook.store.records.request_log import Batch, Entry

STATUS = re.compile(r"[1-5]xx|[1-5][0-9]{2}")
PATH_MAX = 200
# The spans of the figures above the table, and their number of bars.
RECENT_SECONDS, HOUR_SECONDS, BARS = 600, 3_600, 15
GROUPS_MAX = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests to list: of an application (its client id), with a status such as `404` or `4xx`, or
    with a text in the path.

    A blank value selects all.
    """

    client_id: str = ""
    status: str = ""
    path: str = ""

    @classmethod
    def of(cls, client_id: str, status: str, path: str) -> Wanted:
        """Errors: BadSetting for an unknown status."""
        status = status.strip().lower()
        if status and not STATUS.fullmatch(status):
            raise BadSetting(f"status: expected one such as 404, or 4xx for all of them; got {status[:20]!r}")
        return cls(client_id, status, path.strip()[:PATH_MAX])

    def takes(self, entry: Entry) -> bool:
        code = str(entry.status)
        return (
            (not self.client_id or entry.client_id == self.client_id)
            and (not self.status or code == self.status or self.status == f"{code[0]}xx")
            and (not self.path or self.path.lower() in entry.address.lower())
        )


def newest_first(batches: Iterable[Batch], wanted: Wanted) -> list[Entry]:
    """The selected requests, newest first."""
    taken = [entry for batch in batches for entry in batch.entries if wanted.takes(entry)]
    return sorted(taken, key=lambda entry: (entry.at, entry.id), reverse=True)


@dataclass(frozen=True, slots=True)
class Group:
    """Errors of the last hour with one status; `about` says what they have in common, if anything."""

    status: int
    count: int
    about: str
    is_path: bool = False


def groups(entries: Iterable[Entry], now_ms: int) -> list[Group]:
    """The errors of the last hour by status, the most frequent first."""
    by_status: dict[int, list[Entry]] = {}
    for entry in entries:
        if entry.status >= 400 and entry.at > now_ms - HOUR_SECONDS * 1000:
            by_status.setdefault(entry.status, []).append(entry)
    found = [_group(status, each) for status, each in by_status.items()]
    return sorted(found, key=lambda group: (-group.count, group.status))[:GROUPS_MAX]


def _group(status: int, entries: Sequence[Entry]) -> Group:
    paths, tokens = {entry.path for entry in entries}, {entry.token for entry in entries}
    if len(paths) == 1:
        return Group(status, len(entries), min(paths), is_path=True)
    if len(tokens) == 1 and min(tokens):
        return Group(
            status, len(entries), "all with one token" if min(tokens) != "Basic" else "all with Basic"
        )
    return Group(status, len(entries), "")


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers above the table.

    `bars` and `error_bars` count equal spans, oldest first. Times are in ms.
    """

    recent: int
    bars: tuple[int, ...]
    errors: int
    error_bars: tuple[int, ...]
    median: float | None
    slow: float | None
    applications: int
    dropped: int


def figures(batches: Sequence[Batch], now_ms: int) -> Figures:
    entries = [entry for batch in batches for entry in batch.entries]
    recent = [entry for entry in entries if entry.at > now_ms - RECENT_SECONDS * 1000]
    errors = [entry for entry in entries if entry.status >= 400 and entry.at > now_ms - HOUR_SECONDS * 1000]
    took = sorted(entry.micros / 1000 for entry in recent)
    return Figures(
        len(recent),
        _bars(recent, now_ms, RECENT_SECONDS),
        len(errors),
        _bars(errors, now_ms, HOUR_SECONDS),
        statistics.median(took) if took else None,
        took[int(0.95 * (len(took) - 1))] if took else None,
        len({entry.client_id for entry in recent} - {""}),
        sum(batch.dropped for batch in batches if batch.at > now_ms - RECENT_SECONDS * 1000),
    )


def _bars(entries: Iterable[Entry], now_ms: int, seconds: int) -> tuple[int, ...]:
    span = seconds * 1000 / BARS
    counted = Counter(min(int((now_ms - entry.at) / span), BARS - 1) for entry in entries)
    return tuple(counted[BARS - 1 - place] for place in range(BARS))
