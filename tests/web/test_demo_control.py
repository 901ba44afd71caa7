"""A demo under control: saved and put back, broken on purpose, and entered as anybody, by several workers at once."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from rollbook.demo import demo_folder, published, saves, turns
from rollbook.demo.demo_folder import ABOUT, PULLS, SAVES, STATE
from rollbook.demo.shared_state import SharedState
from rollbook.errors import Busy, Refused
from rollbook.web.app import App
from tests import demos
from tests.demos import BEARER

BASE = "http://127.0.0.1:8400"
CODE = {"grant_type": "authorization_code", "redirect_uri": f"{BASE}/demo/arrived"}
CLIENT = published.APPLICATION


@pytest.fixture(scope="module")
def folder(made_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo that several tests change; none relies on its day."""
    return Path(shutil.copytree(made_demo, tmp_path_factory.mktemp("changed") / "demo"))


@pytest.fixture
def workers(folder: Path) -> Iterator[tuple[App, App]]:
    """Two workers of one demo, with files of their own opened, as two processes have them."""
    with demos.app_of(folder, logs=True) as one, demos.app_of(folder, logs=True) as other:
        yield one, other
        for app in (one, other):
            ask(app, "DELETE", "/demo/faults")


def ask(app: App, method: str, path: str, **options: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=120) as client:
            return await client.request(method, path, **{"headers": BEARER, **options})

    return asyncio.run(asked())


def post(app: App, to: str, /, **asked: Any) -> Any:
    answer = ask(app, "POST", to, json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def token_of(app: App, code: str) -> httpx.Response:
    return ask(
        app,
        "POST",
        "/oauth/tokens",
        data={**CODE, "code": code},
        headers={"Authorization": f"Basic {CLIENT.basic}"},
    )


def test_programs_are_answered_without_the_site(folder: Path) -> None:
    """The site takes most of a start. A test suite saves its demo at once, and need not wait for it."""
    with demos.app_of(folder) as app:
        post(app, "/demo/save", name="at-once")
        post(app, "/demo/faults", fault="slow", path="/v3.0/events")
        assert [save["name"] for save in ask(app, "GET", "/demo/saves").json()["saves"]] == ["at-once"]
        assert ask(app, "HEAD", "/demo/faults").content == b""
        assert ask(app, "DELETE", "/demo/saves/at-once").json() == {"saves": []}
        assert ask(app, "DELETE", "/demo/faults/9").status_code == 404
        cut = ask(app, "POST", "/demo/save", content=b" " * 5000)
        assert (cut.status_code, cut.json()["message"]) == (
            400,
            "expected a JSON object of at most 4096 bytes",
        )
        refused = ask(app, "GET", "/demo/saves", headers={"Authorization": "Bearer TEST_TOKEN_2"})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="rollbook"')
        assert refused.json()["message"].endswith("send Authorization: Bearer TEST_TOKEN")
        assert ask(app, "DELETE", "/demo/faults").json() == {"faults": []}
        assert app._site._made is None
        assert ask(app, "GET", "/demo/save").status_code == 404
        assert app._site._made is not None


def test_a_closed_server_holds_no_file(folder: Path) -> None:
    def held() -> list[str]:
        return sorted(str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())

    with demos.app_of(folder) as app:
        ask(app, "GET", "/demo/saves")
        assert any(name.startswith(str(folder)) for name in held())
    assert [name for name in held() if name.startswith(str(folder))] == []


# Save and restore ------------------------------------------------------------------------------------


def test_a_restore_puts_everything_back_for_all_workers_at_once(
    workers: tuple[App, App], folder: Path
) -> None:
    one, other = workers
    day = ask(one, "GET", "/demo").json()["day"]
    person = ask(one, "GET", "/v3.0/users?role=teacher&limit=1").json()["data"][0]["data"]["id"]
    post(one, "/demo/faults", fault="expired-code", requests=7)
    code = post(one, "/demo/code", person=person)["code"]
    first = {path: ask(other, "GET", path).json() for path in ("/v3.0/users?limit=9", "/v3.0/events?limit=9")}
    left = int(ask(one, "GET", "/v3.0/users?limit=9").headers["x-ratelimit-remaining"])
    for app in workers:
        assert app.tap
        app.tap.flush()
    files = {path.name: path.read_bytes() for path in (folder / "files").iterdir()}
    post(one, "/demo/save", name="before")

    post(one, "/demo/advance", scenario="person-leaves")
    post(other, "/demo/faults", fault="server-error", requests=3, path="/userinfo")
    ask(one, "DELETE", "/demo/faults/1")
    assert token_of(one, code).status_code == 200
    assert ask(other, "GET", "/v3.0/events?limit=9").json() != first["/v3.0/events?limit=9"]

    assert post(other, "/demo/restore", name="before")["day"] == day
    for app in workers:
        answer = ask(app, "GET", "/v3.0/users?limit=9")
        left -= 1
        assert int(answer.headers["x-ratelimit-remaining"]) == left
        assert ask(app, "GET", "/demo").json()["day"] == day
        assert {path: ask(app, "GET", path).json() for path in first} == first
        left -= len(first)
        told = [
            (fault["fault"], fault["requests"]) for fault in ask(app, "GET", "/demo/faults").json()["faults"]
        ]
        assert told == [("expired-code", 7)]
    assert {path.name: path.read_bytes() for path in (folder / "files").iterdir()} == files
    ask(one, "DELETE", "/demo/faults")
    assert token_of(other, code).status_code == 200, "the code is as it was: not yet exchanged"


def test_requests_of_before_a_restore_are_not_in_the_log_after_it(workers: tuple[App, App]) -> None:
    one, other = workers
    assert one.tap
    assert other.tap
    ask(one, "GET", "/v3.0/schools?limit=1")
    one.tap.flush()
    post(one, "/demo/save", name="logged")
    ask(one, "GET", "/v3.0/courses?limit=1")
    one.tap.flush()
    ask(other, "GET", "/v3.0/terms?limit=1")  # still in the memory of that worker
    post(one, "/demo/restore", name="logged")
    ask(other, "GET", "/v3.0/sections?limit=1")
    other.tap.flush()
    paths = [entry.path for batch in one.tap.log.read() for entry in batch.entries]
    assert "/v3.0/schools" in paths
    assert ("/v3.0/sections" in paths, "/v3.0/courses" in paths, "/v3.0/terms" in paths) == (
        True,
        False,
        False,
    )


def test_a_pull_that_a_restore_overtakes_goes_on_with_the_present(workers: tuple[App, App]) -> None:
    one, other = workers
    post(one, "/demo/save", name="pull")
    post(one, "/demo/advance", scenario="student-changes-school")
    page = ask(one, "GET", "/v3.0/users?limit=2").json()
    post(one, "/demo/restore", name="pull")
    following = next(link["uri"] for link in page["links"] if link["rel"] == "next")
    answer = ask(other, "GET", following)
    assert (
        answer.headers["x-rollbook-snapshot"]
        == ask(one, "GET", "/v3.0/users?limit=2").headers["x-rollbook-snapshot"]
    )


def test_nobody_reads_a_torn_state_while_the_demo_is_put_back(workers: tuple[App, App]) -> None:
    """Each answer is whole: of before or of after a restore, also while several are under way."""
    one, other = workers
    post(one, "/demo/save", name="old")
    old = ask(one, "GET", "/v3.0/users?limit=10000").content
    post(one, "/demo/advance", scenario="mass-deletion")
    post(one, "/demo/advance", held="approve")
    post(one, "/demo/save", name="new")
    new = ask(one, "GET", "/v3.0/users?limit=10000").content
    assert old != new
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(ask(other, "GET", "/v3.0/users?limit=10000").content)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(4):
        for name in ("old", "new"):
            post(one, "/demo/restore", name=name)
    post(one, "/demo/restore", name="old")
    done.set()
    reader.join()
    assert seen <= {old, new}


def test_a_request_waits_for_a_restore_under_way(workers: tuple[App, App], folder: Path) -> None:
    one, _ = workers
    with contextlib.closing(SharedState(folder / STATE)) as shared:
        waiting = shared.keeping_requests_waiting()
        waiting.__enter__()
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(ask(one, "GET", "/v3.0/schools").status_code))
        asking.start()
        asking.join(0.2)
        assert (asking.is_alive(), answers) == (True, [])
        waiting.__exit__(None, None, None)
        asking.join(30)
        assert answers == [200]


def test_saves_are_listed_replaced_and_removed(workers: tuple[App, App], folder: Path) -> None:
    one, other = workers
    for name in ("first", "second", "first"):
        post(one, "/demo/save", name=name)
    listed = [save["name"] for save in ask(other, "GET", "/demo/saves").json()["saves"]]
    assert listed[:2] == ["first", "second"]
    assert ask(one, "GET", "/demo").json()["saves"] == ask(one, "GET", "/demo/saves").json()["saves"]
    assert ask(one, "DELETE", "/demo/saves/first").status_code == 200
    gone = ask(one, "DELETE", "/demo/saves/first")
    assert gone.status_code == 404
    assert re.fullmatch(r"there is no save 'first'; the saves of this demo: .*second", gone.json()["message"])
    assert not (folder / SAVES / "first").exists()


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "x" * 65, "a b", "x.partial", 5, None])
@pytest.mark.parametrize("path", ["/demo/save", "/demo/restore"])
def test_a_name_that_cannot_be_used_is_refused(workers: tuple[App, App], path: str, name: Any) -> None:
    answer = ask(workers[0], "POST", path, json={"name": name})
    assert (answer.status_code, answer.json()["message"].startswith("name: expected")) == (400, True)


def test_a_save_of_another_demo_or_version_is_refused(made_demo: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made_demo, tmp_path / "demo"))
    settings = demos.settings_of(folder)
    saves.save(folder, "mine", settings)
    about = folder / SAVES / "mine" / ABOUT
    known = orjson.loads(about.read_bytes())
    for changed, said in (
        ({"key_digest": "other"}, "is of another demo"),
        ({"version": "0.0.1"}, "was made by Rollbook 0.0.1"),
        ({"schema": 1}, "(schema 1)"),
    ):
        about.write_bytes(orjson.dumps({**known, **changed}))
        with pytest.raises(Refused, match=re.escape(said)):
            saves.restore(folder, "mine", settings)


def test_a_save_is_not_removed_while_a_demo_is_restored_from_it(made_demo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made_demo, tmp_path / "demo")
    saves.save(folder, "mine", demos.settings_of(folder))
    with turns.alone(folder), pytest.raises(Busy):
        saves.delete(folder, "mine")
    saves.delete(folder, "mine")


def test_a_fresh_demo_takes_its_saves_with_it_and_nothing_else(made_demo: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made_demo, tmp_path / "demo"))
    saves.save(folder, "mine", demos.settings_of(folder))
    note = folder / SAVES / "mine" / "note.txt"
    note.write_text("of somebody")
    with pytest.raises(Refused, match=r"saves/mine/note\.txt"):
        demo_folder.clear(folder)
    note.unlink()
    demo_folder.clear(folder)
    assert [*folder.iterdir()] == []


def test_files_that_workers_map_are_changed_in_place(made_demo: Path, tmp_path: Path) -> None:
    """A table that another process has mapped must stay the same file, and must not shrink."""
    folder = Path(shutil.copytree(made_demo, tmp_path / "demo"))
    settings = demos.settings_of(folder)
    saves.save(folder, "empty", settings)
    (folder / PULLS).write_bytes(b"x" * 100_000)
    before = (folder / PULLS).stat().st_ino
    saves.restore(folder, "empty", settings)
    assert (folder / PULLS).stat().st_ino == before
    assert (folder / PULLS).read_bytes() == bytes(100_000)


# Faults ----------------------------------------------------------------------------------------------


def test_faults_hold_for_all_workers_and_are_counted_together(workers: tuple[App, App]) -> None:
    one, other = workers
    post(one, "/demo/faults", fault="server-error", requests=3)
    statuses = [ask(app, "GET", "/v3.0/schools").status_code for app in (other, one, other, one, other)]
    assert statuses == [500, 500, 500, 200, 200]


def test_a_fault_may_be_for_one_token_or_one_client(workers: tuple[App, App]) -> None:
    one, other = workers
    post(one, "/demo/faults", fault="rate-limit", requests=1, token=published.SECOND_TOKEN)
    post(one, "/demo/faults", fault="expired-code", requests=1, token=published.SSO.client_id)
    second = {"Authorization": f"Bearer {published.SECOND_TOKEN}"}
    assert ask(other, "GET", "/v3.0/schools").status_code == 200
    assert ask(other, "GET", "/v3.0/schools", headers=second).status_code == 429
    assert ask(other, "GET", "/v3.0/schools", headers=second).status_code == 200
    basic = {"Authorization": f"Basic {published.SSO.basic}"}
    assert token_of(one, "0").json()["error_description"] == "invalid code"
    assert len(ask(one, "GET", "/demo/faults").json()["faults"]) == 1
    ask(one, "POST", "/oauth/tokens", data=CODE, headers=basic)
    assert ask(one, "GET", "/demo/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("rate-limit", "/v3.0/users?limit=1", 429),
        ("server-error", "/v3.1/users?limit=1", 500),
        ("unavailable", "/v3.0/users?limit=1", 503),
        ("expired-token", "/v3.0/users?limit=1", 401),
        ("dropped", "/v3.0/users?limit=1", 0),
    ],
)
def test_each_fault_has_a_name(workers: tuple[App, App], name: str, path: str, status: int) -> None:
    one, other = workers
    assert post(one, "/demo/faults", fault=name)["fault"] == name
    (told,) = ask(one, "GET", "/demo/faults").json()["faults"]
    assert (told["fault"], told["requests"], told["path"]) == (name, 1, "/v3.0")
    assert [ask(other, "GET", path).status_code for _ in range(2)] == [status, 200]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"fault": "flood"}, "fault: expected one of rate-limit, server-error, unavailable, slow, dropped,"),
        ({"fault": "slow", "status": 500}, "expected {"),
        ({"fault": "slow", "token": 5}, "token: expected"),
        ({"fault": ["slow"]}, "fault: expected one of"),
        ({"id": "9"}, "expected {"),
    ],
)
def test_a_fault_that_is_not_known_is_refused(workers: tuple[App, App], asked: Any, said: str) -> None:
    answer = ask(workers[0], "POST", "/demo/faults", json=asked)
    assert (answer.status_code, said in answer.json()["message"]) == (400, True)


def test_a_fault_that_is_not_in_force_cannot_be_removed(workers: tuple[App, App]) -> None:
    assert ask(workers[0], "DELETE", "/demo/faults/9").status_code == 404


# A login as anybody ----------------------------------------------------------------------------------


def test_a_code_for_a_person_is_exchanged_as_one_from_a_sign_in(workers: tuple[App, App]) -> None:
    one, other = workers
    user = ask(one, "GET", "/v3.0/users?role=teacher&limit=1").json()["data"][0]["data"]
    for text in (user["id"], user["roles"]["teacher"]["sis_id"], user["email"]):
        given = post(one, "/demo/code", person=text, state="s 1")
        assert (given["person"]["id"], given["person"]["role"]) == (user["id"], "teacher")
        query = httpx.URL(given["url"]).params
        assert (query["code"], query["state"], given["expires_in"]) == (given["code"], "s 1", 60)
        token = token_of(other, given["code"]).json()["access_token"]
        me = ask(other, "GET", "/v3.0/me", headers={"Authorization": f"Bearer {token}"}).json()
        assert me["data"]["id"] == user["id"]


def test_a_code_is_bound_to_its_client_and_brings_an_id_token(workers: tuple[App, App]) -> None:
    one, _ = workers
    user = ask(one, "GET", "/v3.0/users?role=student&limit=1").json()["data"][0]["data"]
    given = post(one, "/demo/code", person=user["id"], client_id=published.SSO.client_id, nonce="n1")
    assert token_of(one, given["code"]).json()["error"] == "invalid_grant"
    basic = {"Authorization": f"Basic {published.SSO.basic}"}
    answer = ask(one, "POST", "/oauth/tokens", data={**CODE, "code": given["code"]}, headers=basic).json()
    assert "id_token" in answer


@pytest.mark.parametrize("role", [role for _, role in published.USER_TOKENS])
def test_the_name_of_a_role_stands_for_its_published_person(workers: tuple[App, App], role: str) -> None:
    (token,) = (token for token, of in published.USER_TOKENS if of == role)
    me = ask(workers[0], "GET", "/v3.0/me", headers={"Authorization": f"Bearer {token}"}).json()
    given = post(workers[1], "/demo/code", person=role)["person"]
    assert (given["id"], given["role"]) == (me["data"]["id"], role)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"person": "nobody@example.org"}, 404, "person: nobody has the id"),
        ({}, 400, "person: expected a text"),
        ({"person": "x", "client_id": "0"}, 404, "client_id: no application"),
        ({"person": "x", "redirect_uri": "http://evil.example"}, 400, "redirect_uri: expected one of"),
        ({"person": "x", "scope": "all"}, 400, "scope: not known here"),
    ],
)
def test_a_login_that_cannot_be_is_refused(
    workers: tuple[App, App], asked: Any, status: int, said: str
) -> None:
    answer = ask(workers[0], "POST", "/demo/code", json=asked)
    assert (answer.status_code, answer.json()["message"].startswith(said)) == (status, True)


def test_a_person_without_access_gets_no_code(workers: tuple[App, App]) -> None:
    one, _ = workers
    second = {"Authorization": f"Bearer {published.SECOND_TOKEN}"}
    user = ask(one, "GET", "/v3.0/users?role=student&limit=1", headers=second).json()["data"][0]["data"]["id"]
    answer = ask(one, "POST", "/demo/code", json={"person": user, "client_id": published.SSO.client_id})
    assert (answer.status_code, "has no access to Demo SSO application" in answer.json()["message"]) == (
        409,
        True,
    )


# A person edited by hand -----------------------------------------------------------------------------


def test_an_edit_becomes_events_by_the_next_sync_and_stays(workers: tuple[App, App]) -> None:
    one, other = workers
    ask(one, "DELETE", "/demo/edits")
    user = ask(one, "GET", "/v3.0/users?role=student&limit=1").json()["data"][0]["data"]
    given = post(one, "/demo/edits", person=user["id"], fields={"First_name": "Zoë", "Grade": "12"})
    assert (given["file"], given["fields"]["First_name"]) == ("students.csv", "Zoë")
    assert ask(one, "GET", f"/v3.0/users/{user['id']}").json()["data"]["name"] == user["name"], "not before"
    assert ask(other, "GET", "/demo/edits").json()["waiting"] == user["roles"]["student"]["sis_id"]
    (run,) = post(other, "/demo/advance", days=1)["runs"]
    assert (run["state"], run["person"]["id"]) == ("committed", user["id"])
    told = ask(one, "GET", "/v3.0/events?limit=10000&record_type=users").json()["data"]
    mine = [event["data"] for event in told if event["data"]["data"]["object"]["id"] == user["id"]]
    assert mine[-1]["type"] == "users.updated"
    assert mine[-1]["data"]["object"]["name"]["first"] == "Zoë"
    assert mine[-1]["data"]["previous_attributes"]["name"]["first"] == user["name"]["first"]
    post(one, "/demo/advance", days=1)
    assert ask(one, "GET", f"/v3.0/users/{user['id']}").json()["data"]["name"]["first"] == "Zoë"
    page = " ".join(ask(one, "GET", "/demo", headers={"Accept": "text/html"}).text.split())
    assert "Zoë" in page
    assert ask(one, "DELETE", "/demo/edits").json() == {"edits": [], "waiting": None}
    post(one, "/demo/advance", days=1)
    assert ask(one, "GET", f"/v3.0/users/{user['id']}").json()["data"]["name"] == user["name"]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"person": "nobody", "fields": {"Grade": "1"}}, 404, "no people have the id"),
        ({"person": "student"}, 400, "fields: expected columns of students.csv"),
        ({"fields": {}}, 400, "person: expected a text"),
        ({"person": "@", "fields": {}}, 400, "fields: expected columns of teachers.csv"),
        (
            {"person": "@", "fields": {"Grade": "1"}},
            400,
            "fields: 'Grade' cannot be edited; expected columns of",
        ),
        ({"person": "@", "fields": {"Teacher_id": "1"}}, 400, "fields: 'Teacher_id' cannot be edited"),
        ({"person": "@", "fields": {"Title": "x" * 201}}, 400, "fields: expected for Title a text"),
        ({"person": "@", "fields": {"Title": "a\nb"}}, 400, "fields: expected for Title a text"),
        ({"person": "@", "fields": {"Title": 5}}, 400, "fields: expected for Title a text"),
        ({"person": "@", "role": "student", "fields": {"Title": "x"}}, 400, "role: expected one of"),
        ({"person": "@", "name": "x"}, 400, "name: not known here"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(
    workers: tuple[App, App], asked: dict[str, Any], status: int, said: str
) -> None:
    teacher = ask(workers[0], "GET", "/v3.0/users?role=teacher&limit=1").json()["data"][0]["data"]
    given = {**asked, "person": teacher["id"]} if asked.get("person") == "@" else asked
    answer = ask(workers[0], "POST", "/demo/edits", json=given)
    assert (answer.status_code, answer.json()["message"].startswith(said)) == (status, True), answer.text


def test_a_person_is_edited_in_a_form(workers: tuple[App, App]) -> None:
    one, _ = workers
    user = ask(one, "GET", "/v3.0/users?role=teacher&limit=1").json()["data"][0]["data"]
    html = {"Accept": "text/html"}
    found = ask(one, "GET", f"/demo/person?search={user['name']['last']}", headers=html).text
    assert f'href="/demo/person?person={user["id"]}"' in found
    unasked = ask(one, "GET", "/demo/person", headers=html).text
    assert unasked.count('href="/demo/person?person=') == 20
    page = ask(one, "GET", f"/demo/person?person={user['id']}", headers=html)
    given = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.text))
    cookie = {"Cookie": page.headers["set-cookie"].partition(";")[0]}
    assert given["field.Last_name"] == user["name"]["last"]
    sent = {**given, "field.Last_name": "Quince", "then": "night"}
    assert ask(one, "POST", "/demo/edits", data={**sent, "form": "0"}, headers=cookie).status_code == 403
    done = ask(one, "POST", "/demo/edits", data=sent, headers=cookie)
    assert (done.status_code, done.headers["location"]) == (303, "/demo#happened")
    assert ask(one, "GET", f"/v3.0/users/{user['id']}").json()["data"]["name"]["last"] == "Quince"
    assert ask(one, "GET", "/demo/person?person=nobody", headers=html).status_code == 404


# By buttons ------------------------------------------------------------------------------------------


def test_faults_and_saves_are_buttons_of_the_page(workers: tuple[App, App]) -> None:
    one, _ = workers
    page = ask(one, "GET", "/demo", headers={"Accept": "text/html"})
    found = re.search(r'name="form" value="([0-9a-f]+)"', page.text)
    assert found
    cookie = {"Cookie": page.headers["set-cookie"].partition(";")[0]}

    def press(to: str, /, **fields: str) -> httpx.Response:
        return ask(one, "POST", to, data={"form": found[1], **fields}, headers=cookie)

    asked = press("/demo/faults", fault="slow", requests="4", path="/v3.0", token="")
    assert (asked.status_code, asked.headers["location"]) == (303, "/demo#faults")
    assert press("/demo/save", name="by-hand").headers["location"] == "/demo#saves"
    shown = " ".join(ask(one, "GET", "/demo", headers={"Accept": "text/html", **cookie}).text.split())
    assert "Slow answer</span> for the next 4 requests to" in shown
    assert "<bdi>by-hand</bdi>, of day" in shown
    assert press("/demo/faults/remove", id="1").status_code == 303
    assert press("/demo/restore", name="by-hand").headers["location"] == "/demo#happened"
    assert press("/demo/faults/clear", all="yes").status_code == 303
    assert press("/demo/saves/remove", name="by-hand").status_code == 303
    wrong = press("/demo/restore", name="by-hand")
    assert (wrong.status_code, "there is no save" in wrong.text) == (404, True)
    assert ask(one, "GET", "/demo/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/demo/faults"),
        ("DELETE", "/demo/faults"),
        ("DELETE", "/demo/faults/1"),
        ("GET", "/demo/saves"),
        ("DELETE", "/demo/saves/x"),
        ("POST", "/demo/save"),
        ("POST", "/demo/restore"),
        ("POST", "/demo/code"),
        ("GET", "/demo/edits"),
        ("POST", "/demo/edits"),
        ("DELETE", "/demo/edits"),
    ],
)
def test_only_the_published_token_opens_the_control(workers: tuple[App, App], method: str, path: str) -> None:
    assert ask(workers[0], method, path, headers={"Authorization": "Bearer nope"}).status_code == 401


# The report card -------------------------------------------------------------------------------------


def test_the_report_card_shows_what_the_log_has(workers: tuple[App, App]) -> None:
    one, other = workers
    code = post(one, "/demo/code", person="teacher")["code"]
    token = token_of(one, code).json()["access_token"]
    ask(other, "GET", "/v3.0/sections?limit=5", headers={"Authorization": f"Bearer {token}"})
    for app in workers:
        assert app.tap
        app.tap.flush()
    page = ask(one, "GET", "/demo/rehearsal", headers={"Accept": "text/html"})
    shown = " ".join(page.text.split())
    assert page.status_code == 200
    assert (
        'Never paged with a user token</th> <td role="cell"><span class="chip ask">✗ failed</span>' in shown
    )
    assert 'Exchanged each code once</th> <td role="cell"><span class="chip soft">✓ passed</span>' in shown
    assert 'Took users.deleted</th> <td role="cell"><span class="chip soft">○ not seen</span>' in shown
    assert code not in page.text
    assert ask(one, "GET", "/demo/rehearsal?application=nobody").status_code == 404
