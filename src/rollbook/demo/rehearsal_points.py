"""The points of a rehearsal, as rows: what an application should do, and the rule of the API behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rollbook.demo import rehearsal_judges as judges
from rollbook.demo.rehearsal_judges import Seen, Verdict
from rollbook.web.http.answers import DROPPED


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the report card. `needs`: what must be given to see it, `sync` or `login`."""

    name: str
    title: str
    rule: str
    needs: Literal["sync", "login"]
    judge: Callable[[Seen], Verdict]


POINTS: tuple[Point, ...] = (
    Point(
        "next",
        "Followed next to the end",
        "A list has pages of 100 records, or of `limit`. The link `next` leads on; the last page has none.",
        "sync",
        judges.followed_next,
    ),
    Point(
        "rate-limit",
        "Waited after 429",
        "A token may ask 1,200 times in a minute. After 429, `X-RateLimit-Reset` is the second from which it may ask again.",
        "sync",
        judges.waited,
    ),
    Point(
        "server-error",
        "Went on after 500",
        "500, 502 and 503 are the server's trouble: ask again, with pauses of 1, 2, 4 ... seconds, five times at most.",
        "sync",
        judges.went_on((500, 502, 503), "a 500"),
    ),
    Point(
        "dropped",
        "Went on after a dropped connection",
        "A connection may end without an answer. Reading changes nothing, so the same request may be sent again.",
        "sync",
        judges.went_on((DROPPED,), "a dropped connection"),
    ),
    Point(
        "school",
        "Took a changed school",
        "`users.updated` has the whole record as it is now. Read the events at least once a day.",
        "sync",
        judges.took_change,
    ),
    Point(
        "deleted",
        "Took users.deleted",
        "After `users.deleted` the record is gone, and its path answers 404. Remove the person, or close their account.",
        "sync",
        judges.took_deletion,
    ),
    Point(
        "scopes",
        "Read no more than it asked for",
        "A token opens the paths of its scopes. The token of a person opens `/me`, their own record, district and schools.",
        "sync",
        judges.read_what_it_asked,
    ),
    Point(
        "user-token",
        "Never paged with a user token",
        "The lists of a user token come whole: `limit` and cursors have no meaning there.",
        "login",
        judges.paged_no_user_token,
    ),
    Point(
        "code-once",
        "Exchanged each code once",
        "A code is good for one exchange within a minute. A second exchange revokes the token of the first.",
        "login",
        judges.exchanged_once,
    ),
    Point(
        "state",
        "Checked state",
        "`state` comes back as it was sent. A login with another one was not begun in this browser.",
        "login",
        judges.checked_state,
    ),
    Point(
        "instant-login",
        "Took a login without state",
        "A login that begins in the portal has no `state`. Begin one of your own at `/oauth/authorize`, or take the code.",
        "login",
        judges.took_stateless,
    ),
    Point(
        "no-access",
        "Did not log in a person without access",
        "For a person without access, a login may end with `error=unauthorized-user` instead of a code.",
        "login",
        judges.kept_out,
    ),
)
