"""What each tier of application learns about a person, and how people reach it: links, portal, confirmation,
consent."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rollbook.auth.tokens import Tokens
from rollbook.store.accounts import applications, audit
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from tests.sso import BACK, HOME, Browser, Club, World, answer, links, words


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()


def _record(world: World, browser: Browser, token: str, who: str) -> dict[str, object]:
    got = browser.api(f"/v3.0/users/{world.ids[who]}", token)
    assert got.status_code == 200, got.text
    return dict(got.json()["data"])


def test_an_sso_application_learns_name_and_email_and_no_school(world: World, browser: Browser) -> None:
    record = _record(world, browser, browser.token(world.door, "okoye"), "okoye")
    assert sorted(record) == ["created", "district", "email", "id", "last_modified", "name", "roles"]
    assert record["name"] == {"first": "Oba", "last": "Okoye"}
    roles = record["roles"]
    assert isinstance(roles, dict)
    assert {role: sorted(kept) for role, kept in roles.items()} == {
        "teacher": ["legacy_id", "schools"],
        "staff": ["legacy_id", "schools"],
    }
    assert roles["teacher"]["schools"] == roles["staff"]["schools"] == []


def test_an_sso_application_reads_its_district_and_nothing_else(world: World, browser: Browser) -> None:
    district_token = browser.client.get("/oauth/tokens", headers=world.door.basic).json()["data"][0][
        "access_token"
    ]
    for token in (district_token, browser.token(world.door, "okoye")):
        got = browser.api(f"/v3.0/districts/{world.district.id}", token)
        assert sorted(got.json()["data"]) == ["id", "name"]
        for path in ("/v3.0/users", "/v3.0/schools", "/v3.0/sections", "/v3.0/events"):
            assert browser.api(path, token).headers["content-type"] == "text/html; charset=utf-8"
    listed = browser.api("/v3.0/districts", district_token).json()
    assert [sorted(element["data"]) for element in listed["data"]] == [["id", "name"]]


def test_userinfo_of_an_sso_application_has_no_schools(world: World, browser: Browser) -> None:
    assert browser.api("/userinfo", browser.token(world.door, "okoye")).json()["schools"] == []


def test_a_teacher_lets_a_library_application_in_for_her_own_classes(world: World, browser: Browser) -> None:
    student = world.browser()
    assert student.sign_in("amy", student.ask(world.shelf)).status_code == 403

    question = browser.sign_in("okoye", browser.ask(world.shelf, state="s"))
    assert "Let Shelf see your classes?" in words(question)
    sent = answer(browser.follow(browser.press(question, "/allow")))
    assert (sent["state"], "read:students_limited" in sent["scope"]) == ("s", True)
    got = browser.exchange(world.shelf, sent["code"]).json()
    assert sorted(got) == ["access_token", "token_type"]
    token, own = got["access_token"], world.ids["okoye"]

    me = browser.api("/v3.0/me", token).json()
    assert me["data"] == {"id": own, "type": "user", "authorized_by": "teacher"}
    assert [link["rel"] for link in me["links"]] == ["self", "canonical"]
    teacher = _record(world, browser, token, "okoye")
    assert (teacher["email"], teacher["name"]) == (
        "okoye@example.org",
        {"first": "Oba", "last": "Okoye", "middle": ""},
    )
    sections = browser.api(f"/v3.0/users/{own}/sections?limit=1", token).json()
    assert len(sections["data"]) == 2
    assert [link["rel"] for link in sections["links"]] == ["self"]
    kept = {"grade", "id", "name", "section_number", "students", "subject", "teachers"}
    assert all(set(element["data"]) <= kept for element in sections["data"])
    students = browser.api(f"/v3.0/users/{own}/mystudents", token).json()["data"]
    assert {element["data"]["name"]["first"]: element["data"]["name"]["last"] for element in students} == {
        "Amy": "A",
        "Cem": "C",
    }
    assert all("email" not in element["data"] for element in students)
    assert all(set(element["data"]["roles"]["student"]) <= {"grade"} for element in students)
    first = sections["data"][0]["data"]["id"]
    assert browser.api(f"/v3.0/sections/{first}/users", token).status_code == 200
    assert browser.api(f"/v3.0/districts/{world.district.id}", token).status_code == 404
    # The address from the list works for the teacher's student, cut in the same way; other teachers' students
    # do not exist.
    listed = next(element for element in students if element["data"]["id"] == world.ids["amy"])
    assert browser.api(listed["uri"], token).json()["data"] == listed["data"]
    assert browser.api(f"/v3.0/users/{world.ids['ben']}", token).status_code == 404
    assert browser.api(f"/v3.0/users/{world.ids['amy']}/sections", token).status_code == 404
    assert browser.api(f"/v3.0/users/{world.ids['lund']}/sections", token).status_code == 404
    people = browser.api(f"/v3.0/sections/{first}/users?role=student&limit=1", token).json()["data"]
    assert {next(iter(element["data"]["roles"])) for element in people} == {"student"}
    assert browser.api(f"/v3.0/sections/{first}/users?role=staff", token).status_code == 400

    pupil = world.browser()
    own_token = pupil.token(world.shelf, "amy")
    assert _record(world, pupil, own_token, "amy")["name"] == {"first": "Amy", "last": "A"}
    assert pupil.api(f"/v3.0/users/{world.ids['amy']}/sections", own_token).status_code == 404
    stranger = world.browser()
    assert stranger.sign_in("ben", stranger.ask(world.shelf)).status_code == 403


def test_a_teacher_who_let_an_application_in_finds_it_and_stops_it(world: World) -> None:
    shelf = Club(
        *applications.create(
            world.database, NewApplication("Second Shelf", redirect_uris=(BACK,), tier="library")
        )
    )
    teacher, pupil, other = world.browser(), world.browser(), world.browser()
    question = teacher.sign_in("okoye", teacher.ask(shelf))
    sent = answer(teacher.follow(teacher.press(question, "/allow")))
    tokens = [teacher.exchange(shelf, sent["code"]).json()["access_token"], pupil.token(shelf, "amy")]
    unused = answer(pupil.ask(shelf))["code"]
    other.sign_in("lund")
    for browser, stops in ((teacher, True), (pupil, False), (other, False)):
        portal = browser.follow(browser.get("/login"))
        assert any(link.startswith("Second Shelf") for link in links(portal)) == (browser is not other)
        assert ("Stop letting in Second Shelf" in words(portal)) == stops
    assert [teacher.api("/v3.0/me", token).status_code for token in tokens] == [200, 200]

    # Only the teacher can withdraw it.
    form = re.findall(r'name="form" value="(\w+)"', other.follow(other.get("/login")).text)[0]
    other.client.post("/oauth/withdraw", data={"form": form, "client_id": shelf.client_id})
    assert teacher.api("/v3.0/me", tokens[0]).status_code == 200
    portal = teacher.follow(teacher.press(teacher.follow(teacher.get("/login")), "/oauth/withdraw"))
    assert "Second Shelf" not in words(portal)
    assert [teacher.api("/v3.0/me", token).status_code for token in tokens] == [401, 401]
    assert pupil.exchange(shelf, unused).json()["error"] == "invalid_grant"
    assert pupil.ask(shelf).status_code == 403
    assert "Let Second Shelf see your classes?" in words(teacher.ask(shelf))
    with world.database.read() as transaction:
        assert audit.latest(transaction, 1)[0].action == "permission of teacher withdrawn"


@pytest.mark.parametrize(("who", "is_told"), [("gil", True), ("amy", False), ("lund", False)])
def test_staff_and_administrators_see_the_applications_for_others(
    world: World, who: str, is_told: bool
) -> None:
    world.club(
        f"Elders of {who}", BACK, user_types=("student", "staff") if who == "lund" else ("teacher", "staff")
    )
    browser = world.browser()
    portal = browser.sign_in(who)
    assert (f"Elders of {who} is made for teachers and school staff." in words(portal)) == is_told
    assert not any(link.startswith(f"Elders of {who}") for link in links(portal))


def test_a_signed_in_person_comes_to_their_own_page(world: World, browser: Browser) -> None:
    browser.sign_in("lund")
    assert browser.get("/login").headers["location"] == f"/in/{districts.slug(world.district)}"


def test_a_student_is_told_that_a_teacher_can_let_a_library_application_in(
    world: World, browser: Browser
) -> None:
    stopped = browser.sign_in("ben", browser.ask(world.shelf))
    assert "a teacher of yours can allow it" in words(stopped).lower()


def test_a_teacher_does_not_let_an_application_in_and_it_is_told(world: World, browser: Browser) -> None:
    question = browser.sign_in("lund", browser.ask(world.shelf, state="a b"))
    told = browser.press(question, "/deny")
    assert told.headers["location"].startswith(f"{BACK}?")
    assert answer(told) == {"error": "access_denied", "state": "a b", "iss": HOME}
    # The refusal is not stored: next time the teacher is asked again.
    assert "Let Shelf see your classes?" in words(browser.ask(world.shelf))


def test_a_refusal_is_sent_to_a_registered_address_only(world: World, browser: Browser) -> None:
    question = browser.sign_in("lund", browser.ask(world.shelf))
    evil = f"client_id={world.shelf.client_id}&redirect_uri=https%3A%2F%2Fevil.example"
    told = browser.press(question, "/deny", ask=evil)
    assert (told.status_code, "location" in told.headers) == (400, False)


def test_an_instant_login_ends_at_the_first_address_without_a_state(world: World, browser: Browser) -> None:
    query = {"client_id": world.reader.client_id, "district_id": world.district.id, "state": "x"}
    end = browser.sign_in("amy", browser.get("/oauth/instant-login", **query))
    assert end.headers["location"].startswith(f"{BACK}?code=")
    assert "state" not in answer(end)


def test_a_portal_shows_the_applications_that_are_for_this_person(world: World, browser: Browser) -> None:
    student, teacher = browser.sign_in("amy"), world.browser().sign_in("lund")
    assert ("Reader" in student.text, "Badge Door" in student.text) == (True, False)
    assert ("Reader" in teacher.text, "Badge Door" in teacher.text) == (True, True)
    assert "Shelf" not in teacher.text


def test_a_student_on_a_shared_device_confirms_who_it_is(world: World, browser: Browser) -> None:
    browser.arrive(world.reader, "amy")
    question = browser.ask(world.reader, confirmed="false", state="s")
    assert "Are you Amy Adams?" in words(question)
    assert answer(browser.press(question, "/confirm"))["state"] == "s"
    question = browser.ask(world.reader, confirmed="false", state="s")
    login = browser.follow(browser.press(question, "/logout"))
    end = browser.follow(browser.press(login, person=world.ids["ben"]))
    assert "Are you Ben Baker?" in words(end)


def test_a_teacher_is_not_asked_to_confirm(world: World, browser: Browser) -> None:
    browser.arrive(world.reader, "lund")
    assert "code" in answer(browser.ask(world.reader, confirmed="false"))


def test_a_token_tells_any_holder_its_client_and_scopes(world: World, browser: Browser) -> None:
    token = browser.token(world.door, "okoye")
    assert browser.api("/oauth/tokeninfo", token).json() == {
        "client_id": world.door.client_id,
        "scopes": sorted(world.door.application.scopes),
    }


def test_a_user_token_is_not_remembered_past_its_end(world: World, browser: Browser) -> None:
    tokens = Tokens(in_demo=True)
    token = browser.token(world.reader, "amy")
    with world.database.read() as transaction:
        access = tokens.resolve(transaction, f"Bearer {token}")
    assert (access.holder, access.is_whole, tokens._remembered) == ("user", False, {})


def test_a_role_that_an_application_may_not_see_is_not_the_role_of_the_login(
    world: World, browser: Browser
) -> None:
    club = world.club(
        "Office", BACK, scopes=("read:students", "read:school_admins", "read:schools", "read:user_id")
    )
    token = browser.token(club, "okoye")
    record = browser.api(f"/v3.0/users/{world.ids['okoye']}", token).json()["data"]
    told = browser.api("/userinfo", token).json()
    assert list(record["roles"]) == ["staff"]
    assert (told["user_type"], told["user_id"]) == ("staff", record["roles"]["staff"]["legacy_id"])
    # A person who is only a teacher does not exist for it.
    stranger = world.browser()
    assert stranger.sign_in("lund", stranger.ask(club)).status_code == 403


def test_a_basic_scope_that_is_missing_hides_the_role(world: World, browser: Browser) -> None:
    club = world.club("Staff Door", BACK, tier="sso", scopes=("read:school_admins_basic", "read:user_id"))
    token = browser.token(club, "okoye")
    shown: Any = _record(world, browser, token, "okoye")["roles"]
    assert list(shown) == ["staff"]
    stranger = world.browser()
    assert stranger.sign_in("lund", stranger.ask(club)).status_code == 403


# The last test here, because it leaves a second district behind.
def test_a_district_that_is_not_here_is_a_page_and_another_one_asks_to_sign_in_there(
    world: World, browser: Browser
) -> None:
    browser.arrive(world.reader, "amy")
    assert browser.ask(world.reader, district_id="0" * 24).status_code == 400
    other = districts.create(world.database, "Other District")
    asked = browser.ask(world.reader, district_id=other.id)
    assert asked.headers["location"].startswith(f"/in/{districts.slug(other)}?")
    found = browser.get("/login", q="birch")
    assert ("Birch School" in found.text, "Other District" in found.text) == (True, False)
    assert "Other District" in browser.get("/login", q=other.id).text
