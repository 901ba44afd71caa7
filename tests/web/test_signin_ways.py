"""The ways to sign in: roster passwords, badges, a district's own service; and what each reveals to a person
who guesses."""

from __future__ import annotations

import pytest
from httpx import Response

from rollbook.auth import passwords
from rollbook.domain.reading_rules import Rules
from rollbook.store.accounts import audit, credentials
from rollbook.store.engine.database import Transaction
from rollbook.store.records import people_lookup
from rollbook.sync import How, inspection, run
from tests.roster import world as files
from tests.sso import FILES, STUDENTS, Browser, World

WRONG = "The username or password is wrong."


@pytest.fixture
def world(sso_world: World) -> World:
    return sso_world


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser(world.app(is_demo=False))


def _sign_in(browser: Browser, username: str, password: str) -> Response:
    page = browser.follow(browser.get("/login"))
    return browser.press(page, "/in/", username=username, password=password)


@pytest.mark.parametrize("username", ["amya", "AMYA", " amya ", "amy@example.org"])
def test_a_roster_password_signs_in_by_username_or_email(browser: Browser, username: str) -> None:
    page = browser.follow(_sign_in(browser, username, "apple 1"))
    assert "Amy Adams" in page.text
    assert "Student" in page.text


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("amya", "wrong"),
        ("nobody", "apple 1"),
        ("cemc", ""),
        ("dot@example.org", ""),
        ("", ""),
        ("amya", "Apple 1"),
    ],
)
def test_nothing_tells_whether_a_person_exists(browser: Browser, username: str, password: str) -> None:
    got = _sign_in(browser, username, password)
    assert got.status_code == 401
    assert WRONG in got.text


def test_a_password_is_kept_as_a_keyed_digest_and_from_its_first_use_as_argon2id(
    world: World, browser: Browser
) -> None:
    (before,) = _stored(world, "okoyeo")
    assert len(before.verifier) == 64
    assert before.password is None
    _sign_in(browser, "okoyeo", "olive 4")
    (after,) = _stored(world, "okoyeo")
    assert after.password
    assert after.password.startswith("$argon2id$v=19$")
    assert browser.follow(_sign_in(world.browser(), "okoyeo", "olive 4")).status_code == 200
    assert _sign_in(world.browser(), "okoyeo", "olive 5").status_code == 401


def test_a_sync_brings_a_changed_password_and_keeps_the_others(world: World, browser: Browser) -> None:
    _sign_in(browser, "amya", "apple 1")
    (kept,) = _stored(world, "amya")
    _change_password_of_ben(world, "banana 9")
    assert _stored(world, "amya") == [kept]
    assert _sign_in(world.browser(), "benb", "banana 2").status_code == 401
    assert _sign_in(world.browser(), "benb", "banana 9").status_code == 303


def test_a_changed_password_ends_the_sessions_of_the_old_one(world: World) -> None:
    ben, amy, by_choice = world.browser(), world.browser(), world.browser()
    _change_password_of_ben(world, "banana 4")
    _sign_in(ben, "benb", "banana 4")
    _sign_in(amy, "amya", "apple 1")
    by_choice.sign_in("ben")
    assert "Sign out" in ben.follow(ben.get("/login")).text
    _change_password_of_ben(world, "banana 5")
    assert "Sign out" not in ben.follow(ben.get("/login")).text
    for other in (amy, by_choice):
        assert "Sign out" in other.follow(other.get("/login")).text


def test_a_guesser_waits_and_the_student_does_not(world: World) -> None:
    app = world.app(is_demo=False, login_failures=3)
    guesser = world.browser(app)
    for _ in range(3):
        assert _sign_in(guesser, "lundl", "guess").status_code == 401
    assert _sign_in(guesser, "lundl", "lemon 3").status_code == 429
    assert _sign_in(guesser, "okoyeo", "olive 4").status_code == 303
    from_elsewhere = world.browser(app, address="192.0.2.7")
    assert _sign_in(from_elsewhere, "lundl", "lemon 3").status_code == 303


def test_a_badge_signs_in_until_it_is_revoked(world: World, browser: Browser) -> None:
    with world.database.write() as transaction:
        code = _badge(transaction, world, "cem")
    spaced = "-".join((code[:7].lower(), code[7:]))
    assert "Cem Celik" in browser.follow(browser.press(browser.get("/badge"), code=spaced)).text
    with world.database.write() as transaction:
        credentials.take_badge(transaction, world.district.number, world.ids["cem"])
    late = world.browser()
    assert late.press(late.get("/badge"), code=code).status_code == 401
    assert "Sign out" not in browser.follow(browser.get("/login")).text


def test_nobody_can_lock_a_schools_badges(world: World, browser: Browser) -> None:
    app = world.app(login_failures_address=5)
    with world.database.write() as transaction:
        code = _badge(transaction, world, "cem")
    stranger = world.browser(app, address="192.0.2.99")
    answers = [
        stranger.press(stranger.get("/badge"), code=f"NONSENSE{number}").status_code for number in range(7)
    ]
    assert answers == [401] * 5 + [429] * 2
    pupil = world.browser(app, address="192.0.2.99")
    assert "Cem Celik" in pupil.follow(pupil.press(pupil.get("/badge"), code=code)).text
    with world.database.write() as transaction:
        transaction.run("DELETE FROM failures")


@pytest.mark.parametrize("name", ["amya", "okoyeo", "dotd", "nobody", "amya\0"])
@pytest.mark.parametrize("password", ["", "wrong", "apple 1"])
def test_every_attempt_costs_one_argon2id(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    spent: list[str] = []
    hasher = passwords._HASHER

    class Counting:
        def verify(self, *pair: str) -> bool:
            spent.append("verify")
            return hasher.verify(*pair)

        def hash(self, digest: str) -> str:
            return hasher.hash(digest)

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    browser = world.browser()
    got = _sign_in(browser, name, password)
    assert (got.status_code in (303, 401), spent) == (True, ["verify"])
    with world.database.write() as transaction:
        transaction.run("DELETE FROM failures")


def test_an_invalid_address_is_not_kept(world: World) -> None:
    browser = world.browser(address="x" * 30_000)
    _sign_in(browser, "amya", "wrong")
    with world.database.read() as transaction:
        assert audit.latest(transaction, 1)[0].address == ""


def test_a_new_badge_ends_the_one_before(world: World, browser: Browser) -> None:
    with world.database.write() as transaction:
        first = _badge(transaction, world, "dot")
        _badge(transaction, world, "dot")
    assert browser.press(browser.get("/badge"), code=first).status_code == 401


def _change_password_of_ben(world: World, password: str) -> None:
    changed = {**FILES, "students.csv": STUDENTS.replace("banana 2", password)}
    run(world.database, world.district, files.write(world.folder / password, changed), world.settings)


def _send(world: World, name: str, students: str) -> None:
    source = files.write(world.folder / name, {**FILES, "students.csv": students})
    assert (
        run(world.database, world.district, source, world.settings, how=How(is_approved=True)).state
        == "committed"
    )


def _badge(transaction: Transaction, world: World, person: str) -> str:
    code = credentials.new_badge()
    credentials.give_badges(transaction, world.district.number, {world.ids[person]: code})
    return code


def _stored(world: World, username: str) -> list[credentials.Credential]:
    with world.database.read() as transaction:
        return credentials.by_username(transaction, world.district.number, username)


def test_everybody_has_one_row_for_each_role(world: World) -> None:
    with world.database.read() as transaction:
        found = credentials.by_email(transaction, world.district.number, "OKOYE@example.org")
        person = people_lookup.find(
            transaction, people_lookup.whole(transaction, world.district.number), "okoye@example.org"
        )
    assert found == [(person.id, "teacher"), (person.id, "staff")]


@pytest.mark.parametrize("word", ["NULL", "n/a", "None", "-", "unknown"])
def test_a_word_for_nothing_opens_no_account_by_name_email_or_password(
    word: str, world: World, browser: Browser
) -> None:
    students = (
        "School_id,Student_id,First_name,Last_name,Grade,Student_email,Username,Password\n"
        f"ash,amy,Amy,Adams,4,{word},amya,{word}\nash,ben,Ben,Baker,4,{word},{word},banana 2\n"
        f"birch,cem,Cem,Celik,5,cem@example.org,{word},cherry 3\n"
    )
    _send(world, "words", students)
    for username, password in (
        ("amya", word),
        (word, "banana 2"),
        (word, "cherry 3"),
        (word, word),
        (word.lower(), word),
    ):
        assert _sign_in(browser, username, password).status_code == 401
    with world.database.read() as transaction:
        assert credentials.by_email(transaction, world.district.number, word) == []
    assert _sign_in(browser, "cem@example.org", "cherry 3").status_code == 303


def test_a_username_of_several_people_opens_the_account_of_the_password_and_none_if_that_is_shared_too(
    world: World,
) -> None:
    students = (
        "School_id,Student_id,First_name,Last_name,Grade,Username,Password\n"
        "ash,amy,Amy,Adams,4,moss,apple 1\nash,ben,Ben,Baker,4,moss,banana 2\nbirch,cem,Cem,Celik,5,twin,pear\n"
        "birch,dot,Dot,Diaz,5,twin,pear\n"
    )
    _send(world, "shared", students)
    ben = world.browser()
    assert "Ben Baker" in ben.follow(_sign_in(ben, "moss", "banana 2")).text
    assert _sign_in(world.browser(), "twin", "pear").status_code == 401


def test_the_report_counts_words_as_passwords_and_passwords_that_many_have_and_shows_none(
    world: World,
) -> None:
    headers = "School_id,Student_id,First_name,Last_name,Grade,Username,Password\n"
    rows = "".join(
        f"ash,s{number},A{number},B,4,user{number},{'letmein' if number < 4 else 'NULL'}\n"
        for number in range(6)
    )
    changed = {
        "students.csv": headers + rows,
        "enrollments.csv": "School_id,Section_id,Student_id\nash,algebra,s0\n",
    }
    source = files.write(world.folder / "equal", {**FILES, **changed})
    done = run(world.database, world.district, source, world.settings, how=How(is_plan=True))
    looked = inspection.inspect(source, world.settings, Rules())
    for problems in (done.problems, looked.problems):
        told = [
            (p.row, p.column, p.value, p.expected)
            for p in problems
            if "password" in p.code or p.column == "Password"
        ]
        assert told == [
            (2, "Password", None, "4 people"),
            (6, "Password", "2", None),
        ]
        assert "letmein" not in "".join(map(str, problems))
