"""Judge the requests of a rehearsed application, with one function for each point.

A judge is a pure function over what was seen. It never guesses: what did not happen is `not seen`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs

from rollbook.domain.kinds import KIND
from rollbook.store.records.request_log import Entry
from rollbook.web.http.answers import DROPPED

State = Literal["passed", "failed", "not seen"]
EXCHANGE = "/oauth/tokens"
PAGING = ("limit", "starting_after", "ending_before", "count")
SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class PageEnd:
    """The last id of a page, and whether the list continues after it."""

    last: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene: its start and end (Unix ms), its change, and the ends of the pages that were read, by path and
    query."""

    begun: int
    ended: int
    event_id: str = ""
    record_id: str = ""
    pages: Mapping[tuple[str, str], PageEnd] = field(default_factory=dict)

    def of(self, entries: Iterable[Entry]) -> list[Entry]:
        return [entry for entry in entries if self.begun <= entry.at <= self.ended]


@dataclass(frozen=True, slots=True)
class Login:
    """How the application handled a login.

    `code` is the mark of the login's code in the log. `is_stranger` is for a person without access: whether
    the browser then saw the page of a person who is not signed in; None if unknown.
    """

    code: str = ""
    has_answered: bool = False
    is_stranger: bool | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a rehearsal saw: the application's requests, oldest first, and what was played."""

    entries: list[Entry]
    scenes: Mapping[str, Scene] = field(default_factory=dict)
    logins: Mapping[str, Login] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement, the reason, and the requests that show it."""

    state: State
    why: str
    shown: tuple[Entry, ...] = ()


def _failed(why: str, *shown: Entry) -> Verdict:
    return Verdict("failed", why, shown[:SHOWN_MAX])


def _passed(why: str, *shown: Entry) -> Verdict:
    return Verdict("passed", why, shown[:SHOWN_MAX])


def _unseen(why: str) -> Verdict:
    return Verdict("not seen", why)


# Reading ---------------------------------------------------------------------------------------------


def followed_next(seen: Seen) -> Verdict:
    """Each page with a next one is followed by it, until a list ends."""
    open_ends = []
    for scene in seen.scenes.values():
        reads = [entry for entry in scene.of(seen.entries) if is_page(entry)]
        followed = [(entry, scene.pages[_key(entry)], reads) for entry in reads if _key(entry) in scene.pages]
        open_ends += [each for each in followed if each[1].has_more]
    for entry, end, reads in open_ends:
        if not any(
            later.path == entry.path and _value(later, "starting_after") == end.last for later in reads
        ):
            return _failed(
                "The list goes on after this page, and the application did not ask for the next one.", entry
            )
    if open_ends:
        return _passed(
            "Every page that has a next one was followed by it.", *(entry for entry, _, _ in open_ends)
        )
    return _unseen("No list had more than one page; ask for less at a time, such as limit=100.")


def waited(seen: Seen) -> Verdict:
    """After a 429, no request comes before the window ends; then the same request comes again."""
    refused = [entry for entry in seen.entries if entry.status == 429 and entry.holder == "district"]
    for entry in refused:
        reset = int(entry.headers.get("x-ratelimit-reset", "0")) * 1000
        later = [each for each in _after(seen, entry) if each.token == entry.token]
        if early := [each for each in later if each.at < reset]:
            return _failed("The application asked again before X-RateLimit-Reset.", entry, early[0])
        if not any(_is_same(each, entry) for each in later):
            return _failed("The application never asked again for what was refused.", entry)
    if refused:
        return _passed("It asked again only after X-RateLimit-Reset.", *refused)
    return _unseen("No request was answered with 429.")


def went_on(statuses: tuple[int, ...], what: str) -> Callable[[Seen], Verdict]:
    def judge(seen: Seen) -> Verdict:
        broken = [entry for entry in seen.entries if entry.status in statuses and entry.path != EXCHANGE]
        again = []
        for entry in broken:
            fine = [each for each in _after(seen, entry) if _is_same(each, entry) and each.status < 500]
            if not [each for each in fine if each.status != DROPPED]:
                return _failed(f"After {what} the application did not ask again.", entry)
            again += [entry, fine[0]]
        if broken:
            return _passed("It asked again for the same.", *again)
        return _unseen(f"There was no {what.removeprefix('a ')}.")

    return judge


def took_deletion(seen: Seen) -> Verdict:
    """The event of a deleted person is read, and the person is not requested any more."""
    scene = seen.scenes.get("deleted")
    if scene is None or not scene.event_id:
        return _unseen("Nobody left the district meanwhile.")
    taken = _taking(seen, scene)
    if not taken:
        return _failed(
            "A person left, and the application read neither the event users.deleted nor all users anew."
        )
    gone = [
        entry
        for entry in seen.entries
        if entry.at > taken[0].at
        and entry.path.endswith(f"/users/{scene.record_id}")
        and entry.holder == "district"
    ]
    if gone:
        return _failed(
            "The application read the event users.deleted, and still asked for that person.",
            taken[0],
            gone[0],
        )
    return _passed("It read users.deleted, and did not ask for that person again.", *taken)


def took_change(seen: Seen) -> Verdict:
    """The event of a changed school is read before the next night."""
    scene = seen.scenes.get("school")
    if scene is None or not scene.event_id:
        return _unseen("Nobody changed schools meanwhile.")
    taken = _taking(seen, scene)
    if taken:
        return _passed("It read the event users.updated of the student.", *taken)
    return _failed(
        "A student changed schools, and the application read neither the event nor all users anew."
    )


def _taking(seen: Seen, scene: Scene) -> list[Entry]:
    """The requests of a scene that read its event, or all users again."""
    found = []
    for entry in scene.of(seen.entries):
        end = scene.pages.get(_key(entry))
        if entry.holder != "district" or entry.status != 200 or end is None:
            continue
        kinds = _value(entry, "record_type")
        if _list_of(entry) == "events":
            has_it = (_value(entry, "starting_after") or "") < scene.event_id <= end.last
            if has_it and (not kinds or "users" in kinds.split(",")):
                found.append(entry)
        elif _list_of(entry) == "users" and not end.has_more and not _value(entry, "role"):
            found.append(entry)
    return found


def read_what_it_asked(seen: Seen) -> Verdict:
    """The application sends no request to a path that its tokens do not open."""
    beyond = [
        entry
        for entry in seen.entries
        if entry.status == 404
        and entry.holder
        and _kind(entry)
        and (entry.holder == "user" or _list_of(entry))
    ]
    if beyond:
        return _failed("The application asked for what its token does not open.", *beyond)
    good = [entry for entry in seen.entries if entry.status == 200 and _kind(entry)]
    return (
        _passed("Every path that it asked for is open to its tokens.")
        if good
        else _unseen("It read nothing.")
    )


# Signing in ------------------------------------------------------------------------------------------


def paged_no_user_token(seen: Seen) -> Verdict:
    """A user token's lists have no pages."""
    of_people = [entry for entry in seen.entries if entry.holder == "user"]
    paged = [entry for entry in of_people if any(_value(entry, name) is not None for name in PAGING)]
    if paged:
        return _failed("The application asked for pages with a user token.", *paged)
    if of_people:
        return _passed("No request with a user token asked for pages.", *of_people)
    return _unseen("No request came with a user token.")


def exchanged_once(seen: Seen) -> Verdict:
    """No code is sent to the token endpoint twice."""
    sent: dict[str, list[Entry]] = {}
    for entry in _exchanges(seen):
        if not entry.notes.get("fault"):
            sent.setdefault(str(entry.notes["code"]), []).append(entry)
    twice = [entries for entries in sent.values() if len(entries) > 1]
    if twice:
        return _failed("The application sent one code twice.", *twice[0])
    if sent:
        return _passed("Each code was sent once.", *(entries[0] for entries in sent.values()))
    return _unseen("No code was exchanged.")


def checked_state(seen: Seen) -> Verdict:
    """A login with a state that the application did not give is refused."""
    login = seen.logins.get("forged")
    if login is None or not login.has_answered:
        return _unseen("No login came back with a forged state.")
    taken = [entry for entry in _exchanges(seen) if entry.notes["code"] == login.code]
    if taken:
        return _failed("The application exchanged the code of a login whose state was forged.", *taken)
    others = [entry for entry in _exchanges(seen) if entry.status == 200]
    if not others:
        return _unseen("The application exchanged no code at all, so that nothing shows the check.")
    return _passed("It did not exchange the code of a login whose state was forged.", others[0])


def took_stateless(seen: Seen) -> Verdict:
    """A login from the portal comes without a state, and signs the person in."""
    login = seen.logins.get("stateless")
    if login is None or not login.has_answered:
        return _unseen("No login without state was sent to the application.")
    scene = seen.scenes["stateless"]
    done = [entry for entry in scene.of(_exchanges(seen)) if entry.status == 200]
    if done:
        return _passed("The login ended with a code that was exchanged.", *done)
    return _failed("The application took no login that came without state.")


def kept_out(seen: Seen) -> Verdict:
    """A person without access is not signed in."""
    login = seen.logins.get("refused")
    if login is None or not login.has_answered or login.is_stranger is None:
        return _unseen(
            "No login of a person without access was sent, or the application's pages do not tell."
        )
    if login.is_stranger:
        return _passed("After error=unauthorized-user the browser saw what a stranger sees.")
    return _failed("After error=unauthorized-user the application showed more than to a stranger.")


# What a request is -----------------------------------------------------------------------------------


def _exchanges(seen: Seen) -> list[Entry]:
    return [
        entry
        for entry in seen.entries
        if (entry.method, entry.path) == ("POST", EXCHANGE) and "code" in entry.notes
    ]


def _after(seen: Seen, entry: Entry) -> list[Entry]:
    """The requests after the answer to one, in the same scene."""
    answered = entry.at + entry.micros // 1000
    within = [scene for scene in seen.scenes.values() if scene.begun <= entry.at <= scene.ended]
    entries = within[0].of(seen.entries) if within else seen.entries
    return [each for each in entries if each.at >= answered and each is not entry]


def _is_same(one: Entry, other: Entry) -> bool:
    return (one.method, one.path, one.query) == (other.method, other.path, other.query)


def _key(entry: Entry) -> tuple[str, str]:
    return entry.path, entry.query


def _value(entry: Entry, name: str) -> str | None:
    return parse_qs(entry.query, keep_blank_values=True).get(name, [None])[-1]


def _kind(entry: Entry) -> str:
    segments = entry.path.strip("/").split("/")
    return segments[1] if len(segments) > 1 and segments[1] in (*KIND, "events") else ""


def _list_of(entry: Entry) -> str:
    """The list that a path reads; blank for a record."""
    return _kind(entry) if entry.path.count("/") == 2 else ""


def is_page(entry: Entry) -> bool:
    """Whether a request reads a list from its beginning; a look for the last record does not."""
    return (
        entry.method == "GET"
        and entry.holder == "district"
        and entry.status == 200
        and bool(_list_of(entry))
        and _value(entry, "ending_before") is None
        and _value(entry, "count") is None
        and _value(entry, "limit") != "1"
    )
