"""Hints for a developer whose request failed, as rows of a condition and a sentence.

Hints are made when the log is read. The API's recorded answer stays unchanged; help stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from urllib.parse import unquote_plus

from rollbook.contract.clever import tiers, versions
from rollbook.contract.clever.endpoints import Endpoint
from rollbook.contract.clever.query import LIMIT_MAX, SINCE_SNAPSHOT
from rollbook.domain.access import Access
from rollbook.store.accounts import applications, ended_tokens
from rollbook.store.accounts.applications import Application
from rollbook.store.engine.database import Database
from rollbook.store.records import request_log
from rollbook.store.records.request_log import Entry
from rollbook.web.http.kept_parts import CLIENT, FOREIGN_PARAMETERS, HIDDEN, MISPLACED, OLD_KINDS
from rollbook.web.log.near_paths import ID, METHODS, PATHS, ROWS, nearest, prefix_of, row_of, template

# From 0 to 1: how similar a wrong parameter must be to a known one to suggest that.
LIKENESS = 0.72

Words = Mapping[str, str]


@dataclass(slots=True)
class Reading:
    """Where hints look facts up. `is_operator`: the reader may know which ids are not shared."""

    database: Database
    is_operator: bool
    applications: dict[str, Application] = field(init=False)

    def __post_init__(self) -> None:
        self.applications = {one.client_id: one for one, _ in applications.list_all(self.database)}

    def name(self, client_id: str) -> str:
        found = self.applications.get(client_id)
        return found.name if found else ""


@dataclass(frozen=True, slots=True)
class Hint:
    """One row. `condition` gives the values of the sentence, or None if it does not apply."""

    code: str
    condition: Callable[[Entry, Reading], Words | None]
    sentence: str
    for_operators: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A hint as it is shown. Words between backquotes are code."""

    code: str
    text: str


def hints(entry: Entry, reading: Reading) -> list[Told]:
    """The hints on a request: at most one sentence from each row."""
    found = []
    for row in HINTS:
        if row.for_operators and not reading.is_operator:
            continue
        words = row.condition(entry, reading)
        if words is not None:
            found.append(Told(row.code, row.sentence.format(**words)))
    return found


# Tokens ----------------------------------------------------------------------------------------------


def _ended(entry: Entry, _: Reading) -> Words | None:
    why = ended_tokens.REASONS.get(str(entry.notes.get("why")))
    if entry.status != 401 or why is None:
        return None
    moment = datetime.fromtimestamp(int(entry.notes["ended"]), UTC)
    return {"when": f"{moment:%-d %b %Y at %H:%M} UTC", "why": why}


def _no_token(entry: Entry, _: Reading) -> Words | None:
    return {} if entry.status == 401 and not entry.token and _takes_bearer(entry) else None


def _basic_for_bearer(entry: Entry, _: Reading) -> Words | None:
    return {} if entry.status == 401 and entry.token == CLIENT and _takes_bearer(entry) else None


def _no_bearer(entry: Entry, _: Reading) -> Words | None:
    return {} if entry.status == 401 and entry.token == HIDDEN and _takes_bearer(entry) else None


def _unknown_token(entry: Entry, _: Reading) -> Words | None:
    is_bearer = len(entry.token) > len(HIDDEN) and entry.token != CLIENT
    is_stranger = not (entry.client_id or entry.notes.get("why"))
    return {} if entry.status == 401 and is_bearer and is_stranger and _takes_bearer(entry) else None


def _wrong_kind(entry: Entry, _: Reading) -> Words | None:
    row = row_of(entry.path)
    if entry.status != 404 or entry.holder not in ("district", "user"):
        return None
    if row is None:
        is_me = entry.path in ("/me", f"{prefix_of(entry.path)}/me", "/userinfo")
        return (
            {"holder": "district", "wanted": "a user token"} if is_me and entry.holder == "district" else None
        )
    if entry.tier not in tiers.TIER or _reaches(entry, row):
        return None
    wanted = "a district token" if entry.holder == "user" else "an application of the Secure Sync tier"
    return {"holder": entry.holder, "wanted": wanted}


def _reaches(entry: Entry, row: Endpoint) -> bool:
    access = Access(
        district=0,
        district_id=entry.district_id,
        view=0,
        connection=0,
        client_id=entry.client_id,
        scopes=("read:schools",),
        holder="user" if entry.holder == "user" else "district",
        tier=entry.tier,
        role=entry.role,
    )
    return tiers.reaches(access, row.operation)


def _takes_bearer(entry: Entry) -> bool:
    return versions.is_spoken(entry.path.lower()) or entry.path in ("/me", "/userinfo", "/oauth/tokeninfo")


# Paths -----------------------------------------------------------------------------------------------


def _method(entry: Entry, _: Reading) -> Words | None:
    path = template(entry.path)
    if entry.status not in (404, 405) or entry.method in ("GET", "HEAD", "OPTIONS"):
        return None
    taken = METHODS.get(path, ("GET",) if path in ROWS else ())
    return (
        {"method": entry.method, "taken": " or ".join(taken)} if taken and entry.method not in taken else None
    )


def _old_kind(entry: Entry, _: Reading) -> Words | None:
    segments = entry.path.strip("/").split("/")
    kind = next((segment for segment in segments[:2] if segment.lower() in OLD_KINDS), None)
    if entry.status != 404 or kind is None:
        return None
    return {"kind": kind, "path": f"{prefix_of(entry.path)}/users?role={OLD_KINDS[kind.lower()]}"}


def _near_path(entry: Entry, reading: Reading) -> Words | None:
    is_known = template(entry.path) in PATHS or HIDDEN in entry.path
    if entry.status not in (404, 405) or is_known or _old_kind(entry, reading):
        return None
    meant = nearest(template(entry.path))
    if not meant:
        return None
    for id_ in ID.findall(entry.path):
        meant = meant.replace("{id}", id_, 1)
    return {"path": meant}


# Ids -------------------------------------------------------------------------------------------------


def _unshared(entry: Entry, reading: Reading) -> Words | None:
    row, id_ = row_of(entry.path), ID.search(entry.path)
    if entry.status != 404 or row is None or id_ is None or not (entry.client_id and entry.district_id):
        return None
    if _wrong_kind(entry, reading):
        return None
    with reading.database.read() as transaction:
        is_so = request_log.is_unshared(
            transaction, entry.client_id, entry.district_id, row.source, id_[0].lower()
        )
    return {"application": reading.name(entry.client_id) or "the application"} if is_so else None


def _no_record(entry: Entry, reading: Reading) -> Words | None:
    row, id_ = row_of(entry.path), ID.search(entry.path)
    if entry.status != 404 or row is None or id_ is None or not entry.client_id:
        return None
    if _wrong_kind(entry, reading) or (reading.is_operator and _unshared(entry, reading)):
        return None
    return {"kind": row.source}


def _hidden_id(entry: Entry, _: Reading) -> Words | None:
    asked = f"{entry.path}/".replace(f"/{HIDDEN}/", "/{id}/").rstrip("/")
    return {} if entry.status == 404 and HIDDEN in entry.path and asked in ROWS else None


# Parameters ------------------------------------------------------------------------------------------


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            yield name, unquote_plus(value)


def _known(entry: Entry) -> tuple[str, ...]:
    row = row_of(entry.path)
    if row is None:
        return ()
    return (*row.parameters, SINCE_SNAPSHOT) if row.has_record_types else row.parameters


def _unknown_parameter(entry: Entry, _: Reading) -> Words | None:
    if row_of(entry.path) is None or entry.status == 404:
        return None
    known = _known(entry)
    for name, _value in _pairs(entry.query):
        bare = name.partition("[")[0]
        if bare in known or bare in MISPLACED:
            continue
        shown = "A parameter" if HIDDEN in bare else f"The parameter `{bare}`"
        return {"shown": shown, "meant": _meant(bare, known)}
    return None


def _meant(name: str, known: tuple[str, ...]) -> str:
    near = FOREIGN_PARAMETERS.get(name) or next(iter(get_close_matches(name, known, 1, LIKENESS)), "")
    if near in known:
        return f"Did you mean `{near}`?"
    return f"This path reads {', '.join(f'`{one}`' for one in known)}." if known else "This path reads none."


def _value(entry: Entry, _: Reading) -> Words | None:
    row = row_of(entry.path)
    if entry.status != 400 or row is None:
        return None
    named = [name for name, value in _pairs(entry.query) if value == HIDDEN and name in _known(entry)]
    if not named:
        return None
    takes = {
        "limit": f"a whole number from 1 to {LIMIT_MAX:,}",
        "role": f"one of {', '.join(row.roles)}",
        "primary": "`true`",
        "record_type": "kinds such as `users`",
        SINCE_SNAPSHOT: "what the header `x-rollbook-snapshot` said",
    }
    return {"name": named[0], "takes": takes.get(named[0], "an id of 24 hex characters")}


def _large(entry: Entry, _: Reading) -> Words | None:
    return {"most": f"{LIMIT_MAX:,}"} if entry.status == 413 and "limit=" in entry.query else None


def _misplaced(entry: Entry, _: Reading) -> Words | None:
    named = [name for name, _value in _pairs(entry.query) if name in MISPLACED]
    return {"name": named[0]} if named else None


# Sign-in and limits ----------------------------------------------------------------------------------


def _redirect(entry: Entry, reading: Reading) -> Words | None:
    if entry.notes.get("stopped") != "redirect":
        return None
    application = reading.applications.get(client_of(entry))
    if application is None:
        return {"application": "the application", "registered": ""}
    shown = ", ".join(f"`{uri}`" for uri in application.redirect_uris)
    # A live application's redirect addresses are not public.
    is_told = shown and (reading.is_operator or not application.is_live)
    return {"application": application.name, "registered": f" Registered: {shown}." if is_told else ""}


def client_of(entry: Entry) -> str:
    return entry.client_id or dict(_pairs(entry.query)).get("client_id", "")


def _client(entry: Entry, _: Reading) -> Words | None:
    is_wrong = entry.path == "/oauth/tokens" and entry.status == 401
    return {} if is_wrong or entry.notes.get("stopped") == "client" else None


def _code(entry: Entry, _: Reading) -> Words | None:
    return {} if entry.notes.get("stopped") == "code" else None


def _no_code(entry: Entry, reading: Reading) -> Words | None:
    is_refused = entry.path == "/oauth/tokens" and entry.method == "POST" and entry.status == 400
    return {} if is_refused and _code(entry, reading) is None else None


def _limit(entry: Entry, _: Reading) -> Words | None:
    if entry.status != 429:
        return None
    given = entry.headers
    seconds = _whole(given.get("x-ratelimit-reset", "")) - entry.at // 1000
    return {
        "left": given.get("x-ratelimit-remaining", "0"),
        "limit": given.get("x-ratelimit-limit", "all"),
        "seconds": str(max(seconds, 0)),
    }


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


HINTS: tuple[Hint, ...] = (
    Hint("token-ended", _ended, "This token ended on {when}, {why}."),
    Hint("no-token", _no_token, "No token came. Send it in a header: `Authorization: Bearer TOKEN`."),
    Hint(
        "basic-for-bearer",
        _basic_for_bearer,
        "An application's id and secret open `/oauth/tokens` alone. Send a token here: `Authorization: Bearer TOKEN`.",
    ),
    Hint(
        "no-bearer",
        _no_bearer,
        "The Authorization header holds no token. Send `Bearer`, a blank, and the token.",
    ),
    Hint("unknown-token", _unknown_token, "This token belongs to no connection of this server."),
    Hint(
        "wrong-token",
        _wrong_kind,
        "This is a {holder} token, which does not reach this path. It takes {wanted}.",
    ),
    Hint("method", _method, "This path does not take {method}. It takes {taken}."),
    Hint("old-kind", _old_kind, "Since v3.0 there is no `{kind}`. Ask `{path}`."),
    Hint("near-path", _near_path, "There is no such path. Did you mean `{path}`?"),
    Hint(
        "unshared-id",
        _unshared,
        "The district has this record, but does not share it with {application}.",
        for_operators=True,
    ),
    Hint(
        "no-record",
        _no_record,
        "This token sees no record with this id under `{kind}`. It may be another kind's id, or the record may be gone.",
    ),
    Hint("not-an-id", _hidden_id, "The path holds something else than an id. An id has 24 hex characters."),
    Hint("unknown-parameter", _unknown_parameter, "{shown} is not known here and was ignored. {meant}"),
    Hint("value", _value, "`{name}` takes {takes}. The answer says more."),
    Hint("limit-too-large", _large, "`limit` is at most {most}. Read on with the `next` link."),
    Hint(
        "secret-in-address",
        _misplaced,
        "`{name}` stood in the address, where it is not read. Addresses are written to logs of proxies and browsers:"
        " treat it as known to others, and send it in a header or a form.",
    ),
    Hint(
        "redirect",
        _redirect,
        "The redirect address of this request is not registered for {application}.{registered}",
    ),
    Hint("client", _client, "The client id is not known here, or its secret is another one."),
    Hint(
        "code-used-twice",
        _code,
        "The authorization code was used before. A code is good once; its token has ended.",
    ),
    Hint(
        "no-code",
        _no_code,
        "The exchange needs `grant_type`, a fresh `code` of this application, and the `redirect_uri` that the code was sent"
        " to, to the letter. The answer says what is wrong.",
    ),
    Hint(
        "too-many",
        _limit,
        "{left} of {limit} requests were left in this window. It ended {seconds} s later: wait until `x-ratelimit-reset`.",
    ),
)
