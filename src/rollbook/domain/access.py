"""What a token may see, as one value that every read needs.

A token resolves to an `Access`. The store's reads take it as their first argument, without a default: a
forgotten `Access` is a type error, not a leak of student data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rollbook.domain.snapshot_names import NO_SNAPSHOT, SnapshotName

# The scopes of a Secure Sync application, unless its operator sets others. Sorted, as the API lists scopes.
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
# Each scope adds one sensitive field. Without the scope, records do not have the field's key.
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
# The scopes of District SSO (basic) and Library (limited) applications: who signs in, and a few fields of
# that person (protocol.md 4.1).
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

    `district` is the store's number of the district, `district_id` its id on the wire. `view` is the number
    of the view that the token reads. Only its own rows say which records exist, so a read cannot reach beyond
    it. `base` is the number of the view whose bodies these rows may refer to; 0: they all have bodies of their
    own. `connection` is the number of the application in this district. `holder` is `district` or
    `user`.

    `view_mark` is a random mark of the view, because a restored database may give the view's number again.
    `head` is the district's last run when the token was resolved, with number 0 before the first run.

    `shown_since` is the run that last changed the share: the API shows no earlier state. `connected_since` is
    the last run before the connection began: the API never mentions records that had gone by then. The
    connection reads the events with ids above `events_after`, or none if it is None.

    `is_whole`: the token reaches every path and whole records. Other tokens go through `contract.tiers`. A
    user token also has the person's id on the wire (`user`), the `role` of the login, who authorized the
    application (`authorized_by`), and its own `bucket_key`.
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
    base: int = 0
    # Key of the rate limit: each token has its own window. It has ids of the wire, because SQLite gives the number
    # of an ended connection again.
    bucket: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        bucket = f"{self.holder} {self.client_id} {self.district_id}{self.bucket_key}"
        object.__setattr__(self, "bucket", bucket)
