"""The published test credentials, as printed on the v3.0 documentation page: everybody knows them.

They are marked as a demo's where they are stored, and a server that is no demo does not know them.
"""

DISTRICT_TOKEN = "TEST_TOKEN"  # noqa: S105 - published, see above
# Client id and secret as in a Basic header, for /oauth/tokens.
BASIC = "MDk1YjgyY2JiZDhjNjg3MTRkMWM6NGIzMzg0ODljZWI0YmVjMzYyNDYxYTdjOTZlM2FhNjA5ZWZmZjA0OQ=="
# User tokens, one person each: (token, role of the person).
USER_TOKENS = (
    ("ilc_DEMO_STUDENT_TOKEN", "student"),
    ("ilc_DEMO_TEACHER_TOKEN", "teacher"),
    ("ilc_DEMO_SCHOOL_ADMIN_TOKEN", "staff"),
    ("ilc_DEMO_DISTRICT_ADMIN_TOKEN", "district_admin"),
)
