"""The published test credentials, as printed on the v3.0 documentation page: everybody knows them.

They are marked as a demo's where they are stored, and a server that is no demo does not know them.
"""

DISTRICT_TOKEN = "TEST_TOKEN"  # noqa: S105 - published, see above
# Client id and secret as in a Basic header, for /oauth/tokens.
BASIC = "MDk1YjgyY2JiZDhjNjg3MTRkMWM6NGIzMzg0ODljZWI0YmVjMzYyNDYxYTdjOTZlM2FhNjA5ZWZmZjA0OQ=="
