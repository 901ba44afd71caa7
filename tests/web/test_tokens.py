"""`/oauth/tokens` and `/oauth/tokeninfo` over HTTP, on both databases; published test credentials in a demo
and elsewhere."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from rollbook.demo import published
from rollbook.demo.serving import Demo
from rollbook.domain.access import SECURE_SYNC
from rollbook.store.accounts import applications
from rollbook.store.accounts.applications import NewApplication
from tests import world
from tests.journeys.hub import Client, Hub

DEMO = Demo(published.DISTRICT_TOKEN, published.BASIC, "Springfield")
BAD_CLIENT = {
    "error": "invalid_client",
    "error_description": "unknown client id, or wrong client secret; expected HTTP Basic",
}


def header(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


class Vendor:
    """An application that is connected to two districts."""

    def __init__(self, hub: Hub) -> None:
        self.application, self.secret = applications.create(hub.database, NewApplication("Vendor"))
        self.districts = (hub, hub.beside("Shelbyville"))
        self.tokens = [one.reconnect(self.application) for one in self.districts]
        self.basic = header(self.application.client_id, self.secret)


@pytest.fixture
def vendor(hub: Hub) -> Vendor:
    return Vendor(hub)


def element(found: Any, vendor: Vendor, number: int) -> dict[str, Any]:
    """What the list must show of a connection; its id and date are its own."""
    return {
        "id": found["id"],
        "created": found["created"],
        "owner": {"type": "district", "id": vendor.districts[number].district.id},
        "access_token": vendor.tokens[number],
        "scopes": sorted(SECURE_SYNC),
    }


# --- /oauth/tokens --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", ["/oauth/tokens", "/oauth/tokens?owner_type=district", "/oauth/tokens?x=%26&owner_type=district"]
)
def test_an_application_lists_its_district_tokens(hub: Hub, vendor: Vendor, asked: str) -> None:
    applications.create(hub.database, NewApplication("Other"))
    hub.connect(name="Another")
    answer = hub.client().get(asked, authorization=vendor.basic)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    body = answer.json()
    assert body == {
        "data": [element(found, vendor, number) for number, found in enumerate(body["data"])],
        "links": [{"rel": "self", "uri": asked}],
    }
    assert len(body["data"]) == 2
    for found in body["data"]:
        assert re.fullmatch("[0-9a-f]{24}", found["id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["created"])


def test_the_list_can_be_narrowed_to_one_district(hub: Hub, vendor: Vendor) -> None:
    client = hub.client()
    for number, one in enumerate(vendor.districts):
        asked = f"/oauth/tokens?owner_type=district&district={one.district.id}"
        body = client.get(asked, authorization=vendor.basic).json()
        assert body == {
            "data": [element(body["data"][0], vendor, number)],
            "links": [{"rel": "self", "uri": asked}],
        }
    unknown = client.get("/oauth/tokens?district=" + "5f" * 12, authorization=vendor.basic)
    assert (unknown.status_code, unknown.json()["data"]) == (200, [])
    for written in ("district[]", "district[0]", "district%5B%5D"):
        body = client.get(
            f"/oauth/tokens?{written}={vendor.districts[1].district.id}", authorization=vendor.basic
        ).json()
        assert [one["owner"]["id"] for one in body["data"]] == [vendor.districts[1].district.id]
    odd = client.get("/oauth/tokens?district[id]=" + "5f" * 12, authorization=vendor.basic)
    assert (odd.status_code, odd.json()["message"]) == (
        400,
        "district: expected district=..., got 'district[id]'",
    )


def test_slashes_and_cases_that_clients_send_are_taken(hub: Hub, vendor: Vendor) -> None:
    client = hub.client()
    for asked in ("/oauth/tokens/", "//oauth/tokens", "/oauth//tokens/?owner_type=district"):
        answer = client.get(asked, authorization=vendor.basic)
        assert (asked, 200, 2) == (asked, answer.status_code, len(answer.json()["data"]))
    assert (
        client.get("/oauth/tokens", authorization=vendor.basic.replace("Basic", "bAsIc")).status_code == 200
    )


def test_without_the_right_credentials_nothing_is_listed(hub: Hub, vendor: Vendor) -> None:
    client = hub.client()
    client_id, secret = vendor.application.client_id, vendor.secret
    wrong = (
        None,
        "",
        "Basic",
        "Basic !!!",
        f"Bearer {vendor.tokens[0]}",
        header(client_id, ""),
        header(client_id, secret[:-1]),
        header(client_id, secret + "0"),
        header(client_id, secret.upper()),
        header("x" * 20, secret),
        header(secret, client_id),
        header("Vendor", secret),
    )
    for authorization in wrong:
        answer = client.request(
            "GET", "/oauth/tokens", {"authorization": authorization} if authorization is not None else {}
        )
        assert (authorization, 401, BAD_CLIENT) == (authorization, answer.status_code, answer.json())
        assert answer.headers["www-authenticate"] == 'Basic realm="rollbook"'


def test_a_listed_token_opens_the_api_of_its_district(hub: Hub, vendor: Vendor) -> None:
    for one in vendor.districts:
        one.sync(world.FILES)
    listed = hub.client().get("/oauth/tokens", authorization=vendor.basic).json()["data"]
    for found in listed:
        districts = hub.client(found["access_token"]).read("/v3.0/districts")["data"]
        assert [district["data"]["id"] for district in districts] == [found["owner"]["id"]]


def test_a_district_sees_nothing_of_another_one(hub: Hub, vendor: Vendor) -> None:
    for one in vendor.districts:
        one.sync(world.FILES)
    mine, theirs = (hub.client(token) for token in vendor.tokens)
    for kind in ("districts", "schools", "terms", "courses", "resources", "sections", "users"):
        for record in theirs.read(f"/v3.0/{kind}")["data"]:
            assert mine.get(record["uri"]).status_code == 404


def test_a_wrong_key_is_an_error_that_shows_no_token(
    hub: Hub, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    other = hub.folder / "other key"
    other.write_bytes(base64.urlsafe_b64encode(b"k" * 32))
    answer = hub.client(key_file=str(other)).get("/oauth/tokens", authorization=vendor.basic)
    assert answer.status_code == 500
    assert answer.json() == {"message": "Internal error", "error": "Internal error"}
    assert [record.getMessage() for record in caplog.records if "key_file" in record.getMessage()] == [
        f"no list of tokens: key_file: {other} is not the key with which the stored tokens were sealed"
    ]


# --- /oauth/tokeninfo -----------------------------------------------------------------------------------------------------


def test_tokeninfo_says_whose_a_token_is_and_what_for(hub: Hub, vendor: Vendor) -> None:
    sighted = hub.connect("read:ell_status", name="Sighted")
    assert hub.client(vendor.tokens[0]).read("/oauth/tokeninfo") == {
        "client_id": vendor.application.client_id,
        "scopes": sorted(SECURE_SYNC),
    }
    assert hub.client(sighted).read("/oauth/tokeninfo/")["scopes"] == sorted(
        (*SECURE_SYNC, "read:ell_status")
    )


def test_tokeninfo_of_an_unknown_token_is_the_401_of_the_api(hub: Hub, vendor: Vendor) -> None:
    expected = {
        "message": "Unrecognized token string",
        "error": "Unrecognized token string",
        "code": 101,
        "data": {},
    }
    for authorization in ("", "Bearer x", vendor.basic, f"Bearer {vendor.secret}"):
        answer = hub.client().get("/oauth/tokeninfo", authorization=authorization)
        assert (401, expected) == (answer.status_code, answer.json())


def test_head_of_both_is_get_without_the_body(hub: Hub, vendor: Vendor) -> None:
    client = hub.client(vendor.tokens[0])
    for path, authorization in (
        ("/oauth/tokens", vendor.basic),
        ("/oauth/tokeninfo", f"Bearer {vendor.tokens[0]}"),
    ):
        got, head = (
            client.request(method, path, {"authorization": authorization}) for method in ("GET", "HEAD")
        )
        assert (got.status_code, got.headers["etag"]) == (head.status_code, head.headers["etag"])
        assert got.headers["content-length"] == head.headers["content-length"]


# --- published credentials ------------------------------------------------------------------------------------------------


@pytest.fixture
def published_hub(hub: Hub) -> Hub:
    """A district with the published credentials, as a demo makes it."""
    client_id, secret = base64.b64decode(published.BASIC).decode().split(":")
    application, _ = applications.create(
        hub.database, NewApplication("Demo application", client_id=client_id, secret=secret, is_demo=True)
    )
    hub.reconnect(application, token=published.DISTRICT_TOKEN, is_demo=True)
    hub.sync(world.FILES)
    return hub


def test_published_credentials_open_a_demo(published_hub: Hub) -> None:
    client: Client = published_hub.client("TEST_TOKEN", demo=DEMO)
    assert len(client.records("/v3.0/users")) == 6
    listed = client.get("/oauth/tokens?owner_type=district", authorization=f"Basic {published.BASIC}").json()[
        "data"
    ]
    assert [found["access_token"] for found in listed] == ["TEST_TOKEN"]
    assert client.read("/oauth/tokeninfo")["client_id"] == "095b82cbbd8c68714d1c"


def test_published_credentials_open_nothing_outside_a_demo(published_hub: Hub) -> None:
    client = published_hub.client("TEST_TOKEN")
    for path in ("/v3.0/users", "/v3.0/districts", "/oauth/tokeninfo"):
        assert client.get(path).status_code == 401
    listed = client.get("/oauth/tokens", authorization=f"Basic {published.BASIC}")
    assert (listed.status_code, listed.json()) == (401, BAD_CLIENT)
    exchange = {"grant_type": "authorization_code", "code": "x", "redirect_uri": "http://localhost/"}
    refused = client.request(
        "POST", "/oauth/tokens", {"authorization": f"Basic {published.BASIC}"}, data=exchange
    )
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    # Unpublished tokens work beside them.
    assert published_hub.client(published_hub.connect(name="Own")).get("/v3.0/users").status_code == 200


def test_the_key_of_a_published_application_does_not_leave_the_demo_with_a_district_of_its_own(
    published_hub: Hub,
) -> None:
    application = applications.find(published_hub.database, "Demo application")
    token = published_hub.beside("Shelbyville").reconnect(application)
    outside = published_hub.client(token)
    assert outside.get("/oauth/tokens", authorization=f"Basic {published.BASIC}").status_code == 401
