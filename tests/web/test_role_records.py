"""The part of v2.1 that sign-in clients still use: the person of a token, and the record of that role."""

from __future__ import annotations

import pytest

from tests.sso import Browser, World, answer


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


def test_a_sign_in_client_of_v2_1_follows_the_canonical_link_to_a_record(world: World) -> None:
    for who, kind, type_ in (("amy", "students", "student"), ("okoye", "teachers", "teacher")):
        browser = world.browser()
        token = browser.token(world.reader, who)
        user = browser.api(f"/v3.0/users/{world.ids[who]}", token).json()["data"]
        held = user["roles"][type_]
        id_ = held.get("legacy_id", user["id"])
        me = browser.api("/v2.1/me", token).json()
        assert me["type"] == me["data"]["type"] == type_
        assert (me["data"]["id"], me["data"]["district"]) == (id_, world.district.id)
        links = {link["rel"]: link["uri"] for link in me["links"]}
        assert links["canonical"] == f"/v2.1/{kind}/{id_}"
        assert browser.api(links["district"], token).json()["data"]["id"] == world.district.id
        record = browser.api(links["canonical"], token).json()
        shared = {name: user[name] for name in ("created", "district", "email", "last_modified", "name")}
        own = {name: value for name, value in held.items() if name != "legacy_id"}
        assert record["data"] == {"id": id_, **shared, **own}
        assert record["links"] == [{"rel": "self", "uri": links["canonical"]}]


def test_each_role_of_a_person_has_an_id_and_a_record_of_its_own(world: World, browser: Browser) -> None:
    token = browser.token(world.reader, "okoye")
    roles = browser.api(f"/v3.0/users/{world.ids['okoye']}", token).json()["data"]["roles"]
    assert set(roles) == {"teacher", "staff"}
    as_staff = browser.api(f"/v2.1/school_admins/{roles['staff']['legacy_id']}", token).json()["data"]
    assert as_staff["schools"] == roles["staff"]["schools"]
    assert as_staff["id"] != browser.api("/v2.1/me", token).json()["data"]["id"]


def test_a_smaller_tier_is_told_no_more_than_in_v3_0(world: World, browser: Browser) -> None:
    token = browser.token(world.door, "okoye")
    path = next(
        link["uri"] for link in browser.api("/v2.1/me", token).json()["links"] if link["rel"] == "canonical"
    )
    record = browser.api(path, token).json()["data"]
    assert sorted(record) == ["created", "district", "email", "id", "last_modified", "name", "schools"]
    assert (record["schools"], sorted(record["name"])) == ([], ["first", "last"])


def test_a_teacher_who_let_an_application_in_reads_her_students(world: World, browser: Browser) -> None:
    question = browser.sign_in("okoye", browser.ask(world.shelf, state="s"))
    sent = answer(browser.follow(browser.press(question, "/allow")))
    token = browser.exchange(world.shelf, sent["code"]).json()["access_token"]
    me = browser.api("/v2.1/me", token).json()
    assert ("district" in me["data"], [link["rel"] for link in me["links"]]) == (False, ["self", "canonical"])
    taught = browser.api(f"/v3.0/users/{world.ids['okoye']}/mystudents", token).json()["data"]
    for element in taught:
        student = element["data"]
        record = browser.api(f"/v2.1/students/{student['id']}", token).json()["data"]
        assert record == {
            **{name: value for name, value in student.items() if name != "roles"},
            **student["roles"]["student"],
        }
    assert taught


def test_no_other_record_and_no_other_token_is_answered(world: World, browser: Browser) -> None:
    token = browser.token(world.reader, "gil")
    amy = world.ids["amy"]
    for path in (f"/v2.1/students/{amy}", f"/v2.1/teachers/{world.ids['gil']}", f"/v2.1/students/{'0' * 24}"):
        got = browser.api(path, token)
        assert (got.status_code, got.json()["message"]) == (404, "Resource not found")
    for path in ("/v2.1/sections", "/v2.1/students", f"/v2.1/students/{amy}/sections", "/v2.1/contacts/1"):
        assert browser.api(path, token).json()["message"].startswith("Version v2.1 is not spoken")
    district = browser.client.get("/oauth/tokens", headers=world.reader.basic).json()["data"][0][
        "access_token"
    ]
    for path in ("/v2.1/me", f"/v2.1/students/{amy}"):
        assert browser.api(path, district).status_code == 404
        assert browser.api(path, "nothing").status_code == 401
