"""What a token may see, as one value that every read needs.

A token resolves to an `Access`; the store's reads take it first and without a default, so that forgetting it
is a type error and not a leak of pupils' data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rollbook.domain.snapshot_names import NO_SNAPSHOT, SnapshotName

# What a Secure Sync application is granted unless its operator says otherwise; sorted, as the API lists
# scopes.
SECURE_SYNC: tuple[str, ...] = (
    "read:district_admins",
    "read:districts",
    "read:resources",
    "read:school_admins",
    "read:schools",
    "read:sections",
    "read:student_contacts",
    "read:students",
    "read:teachers",
    "read:user_id",
)
# Each adds one sensitive field; a token without them gets a record that has no such key.
SENSITIVE: tuple[str, ...] = (
    "read:disability",
    "read:ell_status",
    "read:frl_status",
    "read:gifted_status",
    "read:home_language",
    "read:iep_status",
    "read:preferred_name",
    "read:section_504_status",
)
# What a District SSO and a Library application are granted: who logs in, and what little is needed of them
# (protocol.md 4.1).
BASIC: tuple[str, ...] = (
    "read:district_admins_basic",
    "read:school_admins_basic",
    "read:students_basic",
    "read:teachers_basic",
    "read:user_id",
)
LIMITED: tuple[str, ...] = (
    "read:district_admins_limited",
    "read:school_admins_limited",
    "read:sections_limited",
    "read:students_limited",
    "read:teachers_limited",
    "read:user_id",
)
SCOPES: tuple[str, ...] = tuple(sorted({*SECURE_SYNC, *SENSITIVE, *BASIC, *LIMITED}))


@dataclass(frozen=True, slots=True)
class Access:
    """A resolved token.

    `district` is the store's own number of the district, `district_id` the id on the wire, `view` the number
    of what it sees of the district: the store holds every view as records of its own, so a read cannot reach
    beyond it. `connection` numbers the pair of application and district; `holder` says whether a district or
    a person holds the token.

    `view_mark` is drawn for the view: a restored database may give its number to another one. `head` is the
    district's last run when the token was resolved; number 0 before the first.

    `shown_since` is the run that last changed what is shared; no state before it is shown. `connected_since`
    is the run after which the connection began: nothing that was gone before is told of. Its events are those
    with ids above `events_after`; None while they are off.

    `is_whole`: the token reaches every path, and records as the view holds them; all others go through
    `contract.tiers`. A user token names its person (`user`, the id on the wire), the role of the login, who
    authorized the application, and has a `bucket_key` of its own.
    """

    district: int
    district_id: str
    view: int
    connection: int
    client_id: str
    scopes: tuple[str, ...]
    holder: Literal["district", "user"] = "district"
    tier: str = "secure_sync"
    is_whole: bool = True
    user: str = ""
    role: str = ""
    authorized_by: Literal["district", "teacher"] = "district"
    bucket_key: str = ""
    shown_since: int = 0
    connected_since: int = 0
    events_after: str | None = None
    view_mark: str = ""
    head: SnapshotName = NO_SNAPSHOT

    @property
    def bucket(self) -> str:
        """Key of the rate limit: each token has a window of its own.

        It is made of ids on the wire, as a connection's number is given again once it has ended (SQLite).
        """
        return f"{self.holder} {self.client_id} {self.district_id}{self.bucket_key}"
