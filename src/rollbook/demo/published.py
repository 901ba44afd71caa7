"""The published test credentials, which everyone may know.

The API's v3.0 documentation page prints those of the first application, `TEST_TOKEN` and the user tokens. The
others are our own. All are stored as a demo's, and other servers do not accept them.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """An application of a demo.

    `tier` says how much it may see, `has_oidc` whether it uses OpenID Connect.
    """

    name: str
    tier: str
    client_id: str
    secret: str
    has_oidc: bool = False

    @property
    def basic(self) -> str:
        """Client id and secret as in a Basic header."""
        return b64encode(f"{self.client_id}:{self.secret}".encode()).decode()


CLIENTS = (
    Client(
        "Demo application", "secure_sync", "095b82cbbd8c68714d1c", "4b338489ceb4bec362461a7c96e3aa609efff049"
    ),
    Client(
        "Demo SSO application",
        "sso",
        "1b440a84a54301d1f08c",
        "a678ba23b1586a25c14b6f273a74632f9f206d70",
        has_oidc=True,
    ),
    Client(
        "Demo Library application",
        "library",
        "9b5b341d7e1e35762f5f",
        "580eca4bcf4ea6f9bda5492435c28c0e4b77e57f",
    ),
)
APPLICATION, SSO, LIBRARY = CLIENTS

BASIC = APPLICATION.basic
DISTRICT_TOKEN = "TEST_TOKEN"  # noqa: S105 - published, see above
# The same application's token for the demo's second district, and the District SSO application's for the
# first.
SECOND_TOKEN = "TEST_TOKEN_2"  # noqa: S105
SSO_TOKEN = "TEST_TOKEN_SSO"  # noqa: S105
DISTRICT_TOKENS = (DISTRICT_TOKEN, SECOND_TOKEN, SSO_TOKEN)
# User tokens, one person each: (token, role of the person).
USER_TOKENS = (
    ("ilc_DEMO_STUDENT_TOKEN", "student"),
    ("ilc_DEMO_TEACHER_TOKEN", "teacher"),
    ("ilc_DEMO_SCHOOL_ADMIN_TOKEN", "staff"),
    ("ilc_DEMO_DISTRICT_ADMIN_TOKEN", "district_admin"),
)
