"""Find people, schools, sections, applications and runs of a district, for its operators."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rollbook.contract.clever.tiers import LOGIN_ROLES
from rollbook.domain import search_words
from rollbook.domain.kinds import label
from rollbook.errors import Unknown
from rollbook.store.accounts import connections
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.records import commits, record_search, sis_aliases

LIMIT = 20
# How many candidates are read; the best of them are shown.
CANDIDATES_MAX = 200
SINGULAR = {"users": "person", "schools": "school", "sections": "section"}
_ID = re.compile("[0-9a-fA-F]{24}")
_NUMBER = re.compile("(run )?([0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hit:
    """A found record, application or run. `detail` says more, such as roles, grade and SIS ids."""

    kind: str
    id: str
    name: str
    detail: str

    def as_json(self) -> dict[str, str]:
        return {"kind": self.kind, "id": self.id, "name": self.name, "detail": self.detail}


def find(database: Database, district: str, text: str, limit: int = LIMIT) -> list[Hit]:
    """The best hits of each kind in a district (name or id).

    A record is a hit if each word of the text begins one of its words, or if the text is its id.

    Errors: Unknown for the district.
    """
    owner = districts.find(database, district)
    record_search.catch_up(database, owner.number)
    found = []
    with database.read() as transaction:
        view = views.whole(transaction, owner.number).number
        for kind, singular in SINGULAR.items():
            ids = record_search.search(transaction, owner.number, kind, text, CANDIDATES_MAX)
            ids += sis_aliases.find(transaction, owner.number, text.strip())
            if _ID.fullmatch(text.strip()):
                ids.append(text.strip().lower())
            records = record_search.records(transaction, view, kind, ids)
            found += _best([_hit(singular, record) for record in records], text, limit)
    return [*found, *_applications(database, owner, text)[:limit], *_runs(database, owner, text)]


def detail(record: dict[str, Any]) -> str:
    """Roles, grade and SIS ids of a person; the SIS id of another record."""
    if "roles" not in record:
        return str(record.get("sis_id") or "")
    told = []
    for role in (*LOGIN_ROLES, "contact"):
        held = record["roles"].get(role)
        if held is not None:
            parts = (role.replace("_", " "), held.get("grade"), held.get("sis_id") or held.get("staff_id"))
            told.append(" ".join(str(part) for part in parts if part))
    return ", ".join(told)


def _hit(kind: str, record: dict[str, Any]) -> Hit:
    return Hit(kind, record["id"], label(record) or record.get("email") or record["id"], detail(record))


def _best(hits: list[Hit], text: str, limit: int) -> list[Hit]:
    """Sort by how many typed words a name has in full, then by how many it begins, then by name."""
    typed = set(search_words.words([text]))

    def rank(hit: Hit) -> tuple[int, int, str]:
        words = set(search_words.words([hit.name]))
        begun = sum(any(word.startswith(each) for word in words) for each in typed)
        return -len(typed & words), -begun, search_words.fold(hit.name)

    return sorted(hits, key=rank)[:limit]


def _applications(database: Database, owner: District, text: str) -> list[Hit]:
    typed = search_words.words([text])
    return [
        Hit("application", name, name, f"reads {owner.name}")
        for name in connections.views_of(database, owner)
        if typed and all(any(word.startswith(one) for word in search_words.words([name])) for one in typed)
    ]


def _runs(database: Database, owner: District, text: str) -> list[Hit]:
    number = _NUMBER.fullmatch(text.strip())
    if not number:
        return []
    try:
        run = commits.run(database, owner, int(number[2]))
    except Unknown:
        return []
    return [Hit("run", str(run.number), f"Run {run.number}", f"{run.cause}, {run.state}, {run.created}")]
