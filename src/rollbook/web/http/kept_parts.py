"""What the request log may keep of a request: an allow-list, so that no name, secret or token gets into the
log.

A word of a path or query is kept if the contract knows it, or if it is a known word with a typing error. Ids
are kept. Everything else becomes `…`: it may be a student's name, a password, or a token in the wrong place.
`docs/guide/request-log.md` says the same for readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from urllib.parse import unquote_plus

from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS
from rollbook.contract.clever.query import SINCE_SNAPSHOT
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS
from rollbook.domain.access import SCOPES
from rollbook.domain.kinds import KIND, ROLE
from rollbook.store.records.request_log import ANSWERED

HIDDEN = "…"
SEGMENTS_MAX, PARAMETERS_MAX, WORD_MAX = 8, 16, 40
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
# Kinds of older API versions, which clients still request.
OLD_KINDS = {
    "students": "student",
    "teachers": "teacher",
    "contacts": "contact",
    "school_admins": "staff",
    "district_admins": "district_admin",
}
# Parameter names of other APIs, each with the one to use here.
FOREIGN_PARAMETERS = {
    "page": "starting_after",
    "offset": "starting_after",
    "cursor": "starting_after",
    "skip": "starting_after",
    "per_page": "limit",
    "page_size": "limit",
    "size": "limit",
    "type": "role",
    "roles": "role",
    "school_id": "school",
    "record_types": "record_type",
    "where": "",
    "filter": "",
    "q": "",
    "query": "",
    "search": "",
    "sort": "",
    "order": "",
    "orderby": "",
    "fields": "",
    "include": "",
    "expand": "",
    "since": "",
    "updated_since": "",
}
# Secrets that belong in a header or a body. The log keeps that they came, never their values.
MISPLACED = (
    "access_token",
    "token",
    "client_secret",
    "password",
    "authorization",
    "code_verifier",
    "id_token",
)
_PAGES = ("login", "logout", "in", "provider", "badge", "badges", "back", "rest", "api", "v3")
DATA_PARAMETERS = (
    *dict.fromkeys(name for row in (*ENDPOINTS, *EVENTS) for name in row.parameters),
    SINCE_SNAPSHOT,
)
_ID, _NUMBER = r"[0-9a-fA-F]{24}", r"[0-9]{1,9}"


def _words_of(paths: Iterable[str]) -> list[str]:
    return [word for path in paths for word in path.strip("/").split("/") if "{" not in word]


PATH_WORDS = frozenset(
    (
        *_words_of(row.path for row in (*ENDPOINTS, *EVENTS)),
        *_words_of(row.path for row in SIGN_IN_OPERATIONS),
        *OLD_KINDS,
        *_PAGES,
    )
)
# The values that each parameter keeps, as a pattern. Values of other parameters are not kept.
_ONE_OF = "|".join
_VALUES: Mapping[str, re.Pattern[str]] = {
    name: re.compile(form)
    for name, form in {
        "limit": _NUMBER,
        "starting_after": _ID,
        "ending_before": f"{_ID}|last",
        "count": "true|false",
        "primary": "true|false",
        "role": _ONE_OF(ROLE),
        "school": _ID,
        "record_type": rf"(?:{_ONE_OF(KIND)})(?:,(?:{_ONE_OF(KIND)}))*",
        SINCE_SNAPSHOT: r"[0-9]{1,9}-[0-9a-f]{1,16}",
        "client_id": "[0-9a-f]{20}",
        "district_id": _ID,
        "district": _ID,
        "owner_type": "district",
        "response_type": "code|token|id_token",
        "grant_type": "authorization_code|refresh_token|client_credentials|implicit|password",
        "scope": rf"(?:{_ONE_OF(map(re.escape, SCOPES))}|openid)(?: (?:{_ONE_OF(map(re.escape, SCOPES))}|openid))*",
        "prompt": "(?:login|none|consent|select_account)(?: (?:login|none|consent|select_account))*",
        "max_age": _NUMBER,
        "code_challenge_method": "S256|plain",
        "confirmed": "true|false",
        "return_unshared": "true|false",
    }.items()
}
PARAMETERS = frozenset(
    (
        *_VALUES,
        *DATA_PARAMETERS,
        *(parameter.name for row in SIGN_IN_OPERATIONS for parameter in row.parameters),
        *FOREIGN_PARAMETERS,
        *MISPLACED,
        "state",
        "code",
        "error",
    )
)
_PLAIN_SEGMENT = re.compile(rf"{_ID}|[vV][0-9]{{1,2}}(?:\.[0-9]{{1,2}})?")
# Most requests read pages: their query is harmless as a whole, and is not parsed.
_PLAIN_QUERY = re.compile(
    rf"(?:(?:limit={_NUMBER}|starting_after={_ID}|ending_before=(?:{_ID}|last)|count=true|role=(?:{_ONE_OF(ROLE)}))(?:&(?!$)|$))*"
)
# A token's last letters are shown only if it looks like a token and is long enough to hide the rest.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,512}")
TAIL = 4
# How the log shows an application's id and secret.
CLIENT = "Basic"
_PRODUCT = re.compile(
    r"(curl|Wget|python-requests|python-httpx|Python-urllib|aiohttp|axios|node-fetch|undici|node|Go-http-client|okhttp|Java|"
    r"Java-http-client|Apache-HttpClient|Ruby|Faraday|rest-client|PHP|GuzzleHttp|PostmanRuntime|insomnia|HTTPie|Mozilla|wrk|"
    r"rollbook-rehearse)"
    r"(?:/v?[0-9]{1,4}(?:\.[0-9]{1,5}){0,3})?"
)
_BODIES = re.compile(
    "application/(?:json|x-www-form-urlencoded|x-www-form-url-encoded)|multipart/form-data|text/plain"
)
_ETAG = re.compile(r'(?:W/)?"[0-9a-f]{30}(?:[0-9a-f]{48})?"')
_answered = itemgetter(*(name.encode() for name in ANSWERED))
_BLANK = dict.fromkeys((name.encode() for name in ANSWERED), b"")


@lru_cache(maxsize=2048)
def path(asked: str) -> str:
    """A path, with only its known words and ids."""
    segments = asked.strip("/").split("/")
    kept = [segment if _is_kept(segment) else HIDDEN for segment in segments[:SEGMENTS_MAX]]
    return "/" + "/".join(kept + [HIDDEN] * (len(segments) > SEGMENTS_MAX))


def _is_kept(segment: str) -> bool:
    return segment in PATH_WORDS or bool(_PLAIN_SEGMENT.fullmatch(segment)) or near(segment, PATH_WORDS) != ""


def query(raw: str) -> str:
    """A query string, with only the harmless values of known parameters."""
    if _PLAIN_QUERY.fullmatch(raw):
        return raw
    parts = [part for part in raw.split("&") if part]
    kept = [_part(part) for part in parts[:PARAMETERS_MAX]]
    return "&".join(kept + [HIDDEN] * (len(parts) > PARAMETERS_MAX))


def _part(part: str) -> str:
    name, equals, value = part.partition("=")
    name = unquote_plus(name)
    known = name.partition("[")[0]
    if known not in PARAMETERS and not near(known, PARAMETERS):
        return f"{HIDDEN}{equals}{HIDDEN if value else ''}"
    index = name.removeprefix(known)
    shown = known + (index if re.fullmatch(r"\[[0-9]{0,3}\]", index) else HIDDEN if index else "")
    form, said = _VALUES.get(known), unquote_plus(value)
    is_harmless = form is not None and form.fullmatch(said) is not None
    return f"{shown}{equals}{said.replace(' ', '+') if is_harmless else HIDDEN if value else ''}"


def near(word: str, known: frozenset[str]) -> str:
    """The known word from which the given one differs by one typing error; blank if there is none.

    A typing error is an extra, a missing or another letter, two swapped letters, or wrong capitals.
    """
    if not 3 <= len(word) <= WORD_MAX or not word.isascii():
        return ""
    variants, given = _variants(known), word.lower()
    return next((variants[made] for made in (given, *_shortened(given)) if made in variants), "")


@lru_cache(maxsize=8)
def _variants(known: frozenset[str]) -> dict[str, str]:
    """Each known word, and each with one letter less, mapped to the word.

    Short words are left out: too many words are near them.
    """
    words = sorted(word for word in known if len(word) > 3)
    shorter = {made: word for word in words for made in _shortened(word)}
    return {**shorter, **{word: word for word in words}}


def _shortened(word: str) -> list[str]:
    return [word[:at] + word[at + 1 :] for at in range(len(word))]


def tail(credential: str) -> str:
    """How the log shows a credential: a bearer token by its last four letters, all others by the name of the
    scheme."""
    scheme, _, given = credential.strip().partition(" ")
    if scheme.lower() == "basic":
        return CLIENT
    given = given.strip()
    if scheme.lower() != "bearer" or not _TOKEN.fullmatch(given):
        return HIDDEN if credential.strip() else ""
    return HIDDEN + given[-TAIL:]


def headers(asked: Mapping[bytes, bytes], answered: Mapping[bytes, bytes]) -> tuple[dict[str, str], str]:
    """The headers that the log keeps, each in a form that holds nothing else.

    `Authorization` is not one of them. Those of the answer are one text: a line for each name of `ANSWERED`.
    """
    kept = _sent(asked.get(b"user-agent"), asked.get(b"content-type"))
    if known := asked.get(b"if-none-match"):
        kept = {**kept, "if-none-match": _first(_ETAG, known)}
    return kept, b"\n".join(_answered({**_BLANK, **answered})).decode("latin-1")


@lru_cache(maxsize=256)
def _sent(agent: bytes | None, content_type: bytes | None) -> dict[str, str]:
    """The part that all requests of one client share. Callers do not change it."""
    named = (("user-agent", _PRODUCT, agent), ("content-type sent", _BODIES, content_type))
    return {name: _first(form, value) for name, form, value in named if value is not None}


def _first(form: re.Pattern[str], value: bytes) -> str:
    """The beginning of a header that matches the form; blank if none does."""
    found = form.match(value[:200].decode("latin-1"))
    return found[0] if found else HIDDEN
