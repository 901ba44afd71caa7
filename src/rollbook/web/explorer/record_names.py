"""The names of records by id, and ids to choose from, as far as the page's token may read them.

Everything is read by the paths of the API and with the page's token, so a page never shows more than the
token opens. These reads do not count against the person's limit and do not appear in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from rollbook.web.data.data_request import Request
from rollbook.web.explorer.catalog import ID, Operation
from rollbook.web.http.answers import Answer

Reads = Callable[[Request], Answer]

NAMES_MAX = 120
_EACH_MAX = 8
_CHOICES_MAX = 25
_TRIED_MAX = 25

# Keys whose value is an id, or a list of ids, of this kind.
KIND_OF_KEY: dict[str, str] = {
    "district": "districts",
    "district_id": "districts",
    "school": "schools",
    "schools": "schools",
    "course": "courses",
    "term_id": "terms",
    "teacher": "users",
    "teachers": "users",
    "student": "users",
    "students": "users",
    "sub": "users",
    "multi_role_user_id": "users",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """An id to choose, and the name of its record."""

    id: str
    name: str


@dataclass(slots=True)
class Names:
    """Reads with one token, and remembers the answers while one page is made."""

    reads: Reads
    authorization: str
    version: str
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, path: str, query: str = "") -> Any:
        """The answer of a Data API path, or None if it is not a good answer."""
        if not self.authorization:
            return None
        whole = f"/v{self.version}{path}"
        answer = self.reads(Request("GET", whole, query, self.authorization, "", takes_gzip=False))
        return orjson.loads(answer.body) if answer.status == 200 else None

    def of(self, kind: str, id_: str) -> str:
        """The name of a record; blank if the token does not see it, or if too many names were read
        already."""
        if (kind, id_) not in self.known:
            if len(self.known) >= NAMES_MAX:
                return ""
            answer = self.read(f"/{kind}/{id_}") if kind != "events" else None
            self.known[kind, id_] = name_of(kind, answer["data"]) if answer else ""
        return self.known[kind, id_]

    def learn(self, kind: str, records: list[Any]) -> None:
        """Remember the names of records that an answer has shown."""
        for record in records:
            if isinstance(record, dict) and isinstance(record.get("id"), str):
                self.known[kind, record["id"]] = name_of(kind, record)

    def choices(self, operation: Operation) -> list[Choice]:
        """Records whose id may stand in the operation's path; those with an answer come first."""
        found = list(self._found(operation))[:_CHOICES_MAX]
        if operation.path.endswith(f"{{{ID}}}"):
            return found
        for choice in found[:_TRIED_MAX]:
            path = operation.path.removeprefix(f"/v{self.version}").replace(f"{{{ID}}}", choice.id)
            answer = self.read(path, "limit=1")
            if answer and answer["data"]:
                return [choice, *(each for each in found if each is not choice)]
        return found

    def _found(self, operation: Operation) -> Iterator[Choice]:
        kind = operation.owner
        queries = [f"role={role}&limit={_EACH_MAX}" for role in operation.owner_roles] or [
            f"limit={_CHOICES_MAX}"
        ]
        if kind == "events":
            queries = ["ending_before=last&limit=10"]
        pages = [page for page in (self.read(f"/{kind}", query) for query in queries) if page]
        if not pages:
            yield from self._own(kind)
        seen: set[str] = set()
        for page in pages:
            for entry in page["data"]:
                record = entry["data"]
                if record["id"] not in seen:
                    seen.add(record["id"])
                    yield Choice(record["id"], titled(kind, record))

    def _own(self, kind: str) -> Iterator[Choice]:
        """What a person's token reaches: their own record, and the records that it names."""
        me = self.read("/me")
        person = self.read(f"/users/{me['data']['id']}") if me else None
        if not person:
            return
        record = person["data"]
        if kind == "users":
            yield Choice(record["id"], titled(kind, record))
            return
        ids = dict.fromkeys(ids_in(record, kind))
        if kind == "sections":
            page = self.read(f"/users/{record['id']}/sections")
            ids |= dict.fromkeys(entry["data"]["id"] for entry in page["data"]) if page else {}
        for id_ in ids:
            if name := self.of(kind, id_):
                yield Choice(id_, name)


def ids_in(value: Any, kind: str) -> Iterator[str]:
    """The ids of a kind in a record."""
    if not isinstance(value, dict):
        return
    for key, below in value.items():
        if KIND_OF_KEY.get(key) == kind:
            yield from (
                each for each in (below if isinstance(below, list) else [below]) if isinstance(each, str)
            )
        elif isinstance(below, dict):
            yield from ids_in(below, kind)


def name_of(kind: str, record: Any) -> str:
    """The name of a record, as people say it."""
    if kind == "events":
        shown = record.get("data", {}).get("object", {})
        return " ".join(
            part for part in (record.get("type", ""), name_of(_kind_of_event(record), shown)) if part
        )
    name = record.get("name") or record.get("title") or ""
    if isinstance(name, dict):
        return " ".join(part for part in (name.get("first"), name.get("last")) if part)
    return str(name)


def titled(kind: str, record: Any) -> str:
    """A record's name, and the roles of a person."""
    name = name_of(kind, record)
    roles = ", ".join(role.replace("_", " ") for role in record.get("roles") or {}) if kind == "users" else ""
    return ", ".join(part for part in (name, roles) if part) or record["id"]


def _kind_of_event(record: Any) -> str:
    return str(record.get("type", "")).partition(".")[0]
