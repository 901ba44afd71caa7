"""Who acts in the console: a person with one role, and what each role may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OPERATOR, DISTRICT, HELP_DESK, DEVELOPER = "operator", "district", "help desk", "developer"
ROLES: Final = (OPERATOR, DISTRICT, HELP_DESK, DEVELOPER)

# What a role may do. A page, and each act of `operations.acting`, names one of these permissions.
PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    "sign in": ROLES,
    "see districts": (OPERATOR, DISTRICT, HELP_DESK),
    "make districts": (OPERATOR,),
    "see runs": (OPERATOR, DISTRICT),
    "change the roster": (OPERATOR, DISTRICT),
    "see people": (OPERATOR, DISTRICT, HELP_DESK),
    "help people": (OPERATOR, DISTRICT, HELP_DESK),
    "see sharing": (OPERATOR, DISTRICT),
    "change sharing": (OPERATOR, DISTRICT),
    "change settings": (OPERATOR, DISTRICT),
    "see the team": (OPERATOR, DISTRICT),
    "change the team": (OPERATOR, DISTRICT),
    "see the audit trail": (OPERATOR, DISTRICT),
    "see the server": (OPERATOR,),
    "choose mail": (OPERATOR, DISTRICT),
    "change webhooks": (OPERATOR,),
    "see applications": (OPERATOR, DEVELOPER),
    "change applications": (OPERATOR, DEVELOPER),
    # An application reads more of connected districts at once, so a developer alone may not decide it.
    "widen applications": (OPERATOR,),
    "give applications": (OPERATOR,),
    "see requests": (OPERATOR, DEVELOPER),
}
# The roles that see one district. A help desk may serve one district, or all.
OF_ONE_DISTRICT: Final = (DISTRICT,)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person who is signed in to the console.

    `number` is the account's own, 0 for the visitor of a demo. `district` is the store's number of the only
    district that they see; None: all districts. `address` is where they come from, for the audit trail.
    """

    name: str
    role: str
    district: int | None = None
    number: int = 0
    address: str = ""

    def may(self, permission: str, district: int | None = None) -> bool:
        """Whether the person may do this, in a district (by the store's number) or on the whole server.

        A person of one district never acts on the whole server. Errors: KeyError for an unknown permission.
        """
        if self.role not in PERMISSIONS[permission]:
            return False
        if self.role in OF_ONE_DISTRICT and self.district is None:
            return False
        return self.district is None or district == self.district

    def may_somewhere(self, permission: str) -> bool:
        """Whether the person may do this in one district at least."""
        return self.role in PERMISSIONS[permission]
