"""`rollbook demo` as a new user meets it: printed commands work, the state survives, and a demo can start
over."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.commands.demo import DISTRICT
from rollbook.demo import published
from rollbook.demo.build import SECOND_DISTRICT
from tests import sso
from tests.journeys import program
from tests.journeys.program import Server

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "ci.md").read_text("utf-8")
SMALL = ("demo", "--students", "60")
BEARER = {"authorization": "Bearer TEST_TOKEN"}
BASIC = {
    "authorization": (
        "Basic MDk1YjgyY2JiZDhjNjg3MTRkMWM6NGIzMzg0ODljZWI0YmVjMzYyNDYxYTdjOTZlM2FhNjA5ZWZmZjA0OQ=="
    )
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[Server]:
    with program.serving(*SMALL, folder=folder) as server:
        yield server


def read(server: Server, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = httpx.get(server.base + path, headers=headers or BEARER)
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def window(server: Server) -> Iterator[sso.Window]:
    """A browser with cookies of its own."""
    with httpx.Client(base_url=server.base, timeout=program.TIMEOUT_SECONDS) as client:
        yield sso.Window(client)


def exchanged(server: Server, client: published.Client, sent: dict[str, str], redirect_uri: str) -> str:
    """The user token for the parameters that an application received."""
    asked = {"grant_type": "authorization_code", "code": sent["code"], "redirect_uri": redirect_uri}
    answer = httpx.post(
        f"{server.base}/oauth/tokens", json=asked, headers={"authorization": f"Basic {client.basic}"}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def sign_in_link(server: Server, client: published.Client) -> str:
    """The link to an application, as the front page has it."""
    (link,) = re.findall(
        rf'href="(/oauth/authorize\?[^"]*{client.client_id}[^"]*)"', httpx.get(server.base).text
    )
    return str(link).replace("&amp;", "&")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def line_after(server: Server, label: str) -> str:
    """The text printed after a label."""
    return next(
        line.split(maxsplit=2)[2] for line in server.printed.splitlines() if line.strip().startswith(label)
    )


def ids(server: Server) -> list[str]:
    """The ids of all records."""
    kinds = ("districts", "schools", "terms", "courses", "resources", "sections", "users")
    return [element["uri"] for kind in kinds for element in read(server, f"/v3.0/{kind}?limit=10000")["data"]]


def fetched(line: str) -> Any:
    """What a printed line fetches, with curl if it is installed, else with the same header and address."""
    if shutil.which("curl"):
        return json.loads(
            subprocess.run(
                ["sh", "-c", f"{line} --silent --show-error"], capture_output=True, check=True
            ).stdout
        )
    _, flag, header, address = shlex.split(line)
    assert flag == "-H"
    request = urllib.request.Request(address, headers=dict([header.split(": ", 1)]))
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def test_it_says_where_it_is_and_which_tokens_open_it(demo: Server, folder: Path) -> None:
    assert f"Rollbook demo: {DISTRICT}, served at {demo.base}" in demo.printed
    assert "TEST_TOKEN" in demo.printed
    assert BASIC["authorization"].removeprefix("Basic ") in demo.printed
    assert "Stop with Ctrl+C" in demo.printed
    links = [line.split()[0] for line in demo.printed.splitlines() if line.strip().startswith(demo.base)]
    assert len(links) >= 3
    for link in links:
        assert (link, 200) == (
            link,
            httpx.get(link, headers={"accept": "text/html"}, follow_redirects=True).status_code,
        )
    (district,) = read(demo, "/v3.0/districts")["data"]
    assert district["data"]["name"] == DISTRICT
    assert "#DEMO" in DISTRICT


def test_its_three_lines_work_as_printed(demo: Server) -> None:
    lines = [line.strip() for line in demo.printed.splitlines() if line.strip().startswith("curl ")]
    teachers, section, tokens = map(fetched, lines)
    assert len(teachers["data"]) == 3
    assert all("teacher" in element["data"]["roles"] for element in teachers["data"])
    assert len(section["data"]) == 1
    assert [token["access_token"] for token in tokens["data"]] == ["TEST_TOKEN", "TEST_TOKEN_2"]


def test_its_people_are_about_as_many_as_asked_for(demo: Server) -> None:
    assert 45 <= read(demo, "/v3.0/users?role=student&count=true")["count"] <= 75


@pytest.mark.parametrize(("token", "role"), published.USER_TOKENS)
def test_a_published_user_token_is_somebody_of_that_role_alone_and_says_whom(
    demo: Server, token: str, role: str
) -> None:
    user = read(demo, f"/v3.0/users/{read(demo, '/v3.0/me', bearer(token))['data']['id']}", bearer(token))[
        "data"
    ]
    assert [*user["roles"]] == [role]
    name = f"{user['name']['first']} {user['name']['last']}"
    (line,) = [line for line in demo.printed.splitlines() if line.strip().startswith(token)]
    assert line.endswith(f"a login of {name}, {role.replace('_', ' ')}")


def test_a_second_district_has_a_token_of_its_own(demo: Server) -> None:
    (second,) = read(demo, "/v3.0/districts", bearer("TEST_TOKEN_2"))["data"]
    assert second["data"]["name"] == SECOND_DISTRICT
    assert 130 <= read(demo, "/v3.0/users?role=student&count=true", bearer("TEST_TOKEN_2"))["count"] <= 170
    assert f"TEST_TOKEN_2                   all records and events of {SECOND_DISTRICT}" in demo.printed
    assert read(demo, "/v3.0/events", bearer("TEST_TOKEN_2"))["data"] == []
    listed = read(demo, f"/oauth/tokens?district={second['data']['id']}", BASIC)["data"]
    assert [token["access_token"] for token in listed] == ["TEST_TOKEN_2"]
    assert not {*ids(demo)} & {second["data"]["id"]}


def test_a_district_token_of_the_sso_application_reads_name_and_id_alone(demo: Server) -> None:
    (district,) = read(demo, "/v3.0/districts", bearer("TEST_TOKEN_SSO"))["data"]
    assert {*district["data"]} == {"id", "name"}
    assert httpx.get(f"{demo.base}/v3.0/users", headers=bearer("TEST_TOKEN_SSO")).status_code == 404


# Signing in ----------------------------------------------------------------------------------------


def test_the_printed_link_signs_somebody_in_and_shows_what_an_application_is_sent(demo: Server) -> None:
    link = line_after(demo, "Sign in")
    assert link == demo.base + sign_in_link(demo, published.APPLICATION)
    student = read(demo, "/v3.0/users?role=student&limit=1")["data"][0]["data"]
    with window(demo) as browser:
        page = browser.follow(browser.get(link))
        ended = browser.press(page, person=student["id"])
        sent = sso.answer(browser.follow(ended))
        arrived = browser.get(browser.follow(ended).headers["location"])
    assert f"Basic {published.BASIC}" in re.sub(r"<[^>]*>", "", arrived.text)
    token = exchanged(demo, published.APPLICATION, sent, f"{demo.base}/demo/arrived")
    assert read(demo, "/v3.0/me", bearer(token))["data"]["id"] == student["id"]


def test_login_leads_to_either_district(demo: Server) -> None:
    with window(demo) as browser:
        page = browser.get("/login")
        assert all(name in page.text for name in (DISTRICT, SECOND_DISTRICT))
        for address in re.findall(r'class="choice" href="([^"]+)"', page.text):
            assert "Who do you want to be?" in browser.get(address).text


def test_the_sso_application_sees_name_email_and_role_of_who_signs_in(demo: Server) -> None:
    teacher = read(demo, "/v3.0/users?role=teacher&limit=1")["data"][0]["data"]
    with window(demo) as browser:
        page = browser.follow(browser.get(sign_in_link(demo, published.SSO)))
        sent = sso.answer(browser.follow(browser.press(page, person=teacher["id"])))
    token = exchanged(demo, published.SSO, sent, f"{demo.base}/demo/arrived")
    seen = read(demo, f"/v3.0/users/{teacher['id']}", bearer(token))["data"]
    assert {*seen} == {"created", "district", "email", "id", "last_modified", "name", "roles"}
    assert seen["roles"]["teacher"]["schools"] == []


def test_a_teacher_lets_the_library_application_in_and_it_sees_her_classes(demo: Server) -> None:
    section = read(demo, "/v3.0/sections?limit=1")["data"][0]["data"]
    with window(demo) as browser:
        page = browser.follow(browser.get(sign_in_link(demo, published.LIBRARY)))
        asked = browser.follow(browser.press(page, person=section["teachers"][0]))
        assert "Let Demo Library application see your classes?" in re.sub(r"<[^>]*>", "", asked.text)
        sent = sso.answer(browser.follow(browser.press(asked, "allow")))
    token = exchanged(demo, published.LIBRARY, sent, f"{demo.base}/demo/arrived")
    people = [
        element["data"]
        for element in read(demo, f"/v3.0/sections/{section['id']}/users", bearer(token))["data"]
    ]
    students = [person for person in people if "student" in person["roles"]]
    assert len(students) == len(section["students"])
    assert {key for student in students for key in student} == {
        "created",
        "id",
        "last_modified",
        "name",
        "roles",
    }
    assert {len(student["name"]["last"]) for student in students} == {1}


# For scripts ---------------------------------------------------------------------------------------


def test_json_is_one_line_when_the_server_is_ready_and_all_of_it_works(tmp_path: Path) -> None:
    addresses = ("http://localhost:3000/callback", "http://localhost:3000/other?a=b")
    asked = [part for address in addresses for part in ("--redirect-uri", address)]
    with program.serving(*SMALL, "--json", *asked, folder=tmp_path, wait=False) as server:
        told = json.loads(server.printed_line("{"))
        assert told["base_url"] == server.base
        (district,) = read(server, "/v3.0/districts", bearer(told["district_token"]))["data"]
        assert told["district_id"] == district["data"]["id"]
        for each in told["districts"]:
            assert (
                read(server, "/v3.0/districts", bearer(each["token"]))["data"][0]["data"]["name"]
                == each["name"]
            )
        for each in told["user_tokens"]:
            assert read(server, "/v3.0/me", bearer(each["token"]))["data"]["id"] == each["user_id"]
        assert told["redirect_uris"] == [*addresses, f"{server.base}/demo/arrived"]
        assert [each["tier"] for each in told["applications"]] == ["secure_sync", "sso", "library"]
        assert (
            told["applications"][0].items()
            >= {key: told[key] for key in ("client_id", "client_secret")}.items()
        )
        assert told["people"]["teacher"]["name"] == told["user_tokens"][1]["name"]
        control = told["control"]
        headers = bearer(told["district_token"])
        assert httpx.get(control["state"], headers=headers).json()["day"] == 0
        assert httpx.post(control["save"], json={"name": "a"}, headers=headers).json()["day"] == 0
        sis_id = told["people"]["teacher"]["sis_id"]
        login = httpx.post(control["code"], json={"person": sis_id}, headers=headers).json()
        assert login["person"]["id"] == told["people"]["teacher"]["id"]
        person = told["user_tokens"][0]["user_id"]
        with window(server) as browser:
            for address in (None, *addresses):
                also = {"redirect_uri": address} if address else {}
                link = f"{told['sign_in_url']}&{httpx.QueryParams(also)}".rstrip("&")
                page = browser.follow(browser.get(link + "&prompt=login"))
                location = browser.follow(browser.press(page, person=person)).headers["location"]
                assert location.startswith(address or addresses[0])
            refused = browser.get(f"{told['sign_in_url']}&redirect_uri=http://localhost:3000/callbacks")
        assert refused.status_code == 400


def test_the_guides_lines_for_scripts_work_as_printed(tmp_path: Path) -> None:
    (block,) = [block for block in re.findall(r"```\n(.*?)```", GUIDE, re.DOTALL) if "demo.json" in block]
    assert "--port 8400" in block
    script = f"set -e\n{block.replace('--port 8400', f'--students 60 --port {program.free_port()}')}\nwait $!"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={**program.environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=program.TIMEOUT_SECONDS,
        check=False,
    )
    told = json.loads((tmp_path / "demo.json").read_text("utf-8"))
    assert (done.returncode, done.stdout) == (0, f"{told['sign_in_url']}\n"), done.stderr


def test_addresses_are_kept_until_others_are_given_and_the_printed_command_changes_them_at_once(
    tmp_path: Path,
) -> None:
    with program.serving(*SMALL, "--redirect-uri", "http://localhost:1/a", folder=tmp_path) as server:
        assert "http://localhost:1/a" in httpx.get(server.base).text
    with program.serving("demo", folder=tmp_path) as server:
        front = httpx.get(server.base).text
        assert "http://localhost:1/a" in front
        assert "Copy return address 2" in front
        command = shlex.split(line_after(server, "Your callback"))
        assert command[0] == "rollbook"
        program.done(*command[1:], folder=tmp_path)
        changed = httpx.get(server.base).text
        assert changed.count("http://localhost:1/a") < front.count("http://localhost:1/a")
        with window(server) as browser:
            arrived = browser.get(
                f"{sign_in_link(server, published.APPLICATION)}&redirect_uri=http://localhost:3000/callback"
            )
        assert arrived.status_code == 302
    with program.serving("demo", "--redirect-uri", "demo", folder=tmp_path) as server:
        front = httpx.get(server.base).text
        assert f"{server.base}/demo/arrived" in front
        assert "Copy return address 2" not in front


def test_an_invalid_address_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    outcome = program.run(*SMALL, "--redirect-uri", "callback", folder=tmp_path)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    expected = "expected an absolute address in plain letters and without a fragment, got 'callback'"
    assert outcome.stderr == f"rollbook: redirect uri: {expected}\n"
    assert [*tmp_path.iterdir()] == []


# What it is not -------------------------------------------------------------------------------------


def test_published_credentials_open_nothing_when_the_demos_database_is_served_for_real(
    demo: Server, folder: Path
) -> None:
    database = folder / "rollbook-demo" / "rollbook.db"
    # Under the demo's own address; otherwise the server would put its own into the records of other tests.
    with program.serving("serve", "--database", database, folder=folder, public_url=demo.base) as server:
        for path in ("/v3.0/users", "/v3.0/districts", "/v3.0/me", "/oauth/tokeninfo"):
            for token in (*published.DISTRICT_TOKENS, *(token for token, _ in published.USER_TOKENS)):
                assert httpx.get(server.base + path, headers=bearer(token)).status_code == 401
        for client in published.CLIENTS:
            basic = {"authorization": f"Basic {client.basic}"}
            assert httpx.get(f"{server.base}/oauth/tokens", headers=basic).status_code == 401
            link = f"{server.base}/oauth/authorize?response_type=code&client_id={client.client_id}"
            assert "not known to this server" in httpx.get(link).text
    assert ids(demo)


def test_it_does_not_pass_for_a_demo_of_another_size_or_seed(demo: Server, folder: Path) -> None:
    said = (
        "rollbook: this demo has 60 students and the seed 1; use --fresh to make another one in its place,"
        " or --folder to make one beside it\n"
    )
    for asked in (
        ("--students", "50"),
        ("--seed", "2"),
        ("--students", "60", "--seed", "2"),
        ("--students", "50", "--advance", "1"),
    ):
        outcome = program.run("demo", *asked, "--port", str(program.free_port()), folder=folder)
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (1, "", said)


def test_a_second_demo_of_one_folder_is_refused_with_the_address_of_the_first(
    demo: Server, folder: Path
) -> None:
    before = ids(demo)
    for more in ((), ("--fresh",)):
        outcome = program.run(*SMALL, *more, "--port", str(program.free_port()), folder=folder)
        expected = (
            f"rollbook: the demo in rollbook-demo is served already, at {demo.base}; use that one, stop it, or make"
            " another demo with --folder\n"
        )
        assert (outcome.returncode, outcome.stdout, outcome.stderr) == (1, "", expected)
    assert ids(demo) == before


def test_commands_save_and_restore_a_demo_that_runs(demo: Server, folder: Path) -> None:
    assert program.done(*SMALL, "--save", "here", folder=folder) == "Saved here: day 0, 2026-08-17.\n"
    program.done(*SMALL, "--advance", "1", folder=folder)
    assert read(demo, "/demo")["day"] == 1
    told = json.loads(program.done(*SMALL, "--restore", "here", "--json", folder=folder))
    assert (told["name"], told["day"], read(demo, "/demo")["day"]) == ("here", 0, 0)
    outcome = program.run(*SMALL, "--restore", "there", folder=folder)
    assert (outcome.returncode, "there is no save 'there'" in outcome.stderr) == (1, True)


def test_its_port_is_taken_while_it_runs(demo: Server, tmp_path: Path) -> None:
    port = demo.base.rpartition(":")[2]
    outcome = program.run(*SMALL, "--port", port, folder=tmp_path)
    expected = (
        f"rollbook: port {port} on 127.0.0.1 cannot be used: Address already in use; choose "
        "another one with --port\n"
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (1, "", expected)


def test_its_state_survives_and_fresh_starts_over(tmp_path: Path) -> None:
    with program.serving(*SMALL, folder=tmp_path) as first:
        assert "Making a district of about 60 students" in first.printed
        before = ids(first)
    with program.serving(*SMALL, folder=tmp_path) as second:
        assert "Making a district" not in second.printed
        assert ids(second) == before
    with program.serving(*SMALL, "--fresh", folder=tmp_path) as third:
        assert "Making a district" in third.printed
        after = ids(third)
    assert after == before


def test_a_demo_that_was_never_finished_is_made_again(tmp_path: Path) -> None:
    with program.serving(*SMALL, folder=tmp_path, wait=False) as unfinished:
        assert "Making" in unfinished.printed_at_once()
        os.killpg(unfinished.process.pid, signal.SIGKILL)
    assert not (tmp_path / "rollbook-demo" / "ready").exists()
    with program.serving(*SMALL, folder=tmp_path) as again:
        assert "Making a district" in again.printed
        assert len(ids(again)) > 100


def test_the_same_seed_makes_the_same_district_to_the_byte(demo: Server, tmp_path: Path) -> None:
    kinds = ("districts", "schools", "terms", "courses", "resources", "sections", "users")
    with program.serving("demo", "--students", "60", "--seed", "1", folder=tmp_path) as same:
        for kind in kinds:
            left, right = (
                httpx.get(f"{one.base}/v3.0/{kind}?limit=10000", headers=BEARER) for one in (demo, same)
            )
            # Only the sign-in address differs.
            assert (left.status_code, left.content) == (
                200,
                right.content.replace(same.base.encode(), demo.base.encode()),
            )
            # An application's cached answer of one demo is not valid for another one.
            assert left.headers["etag"] != right.headers["etag"]


def test_another_size_has_other_ids(demo: Server, tmp_path: Path) -> None:
    with program.serving("demo", "--students", "61", folder=tmp_path) as other:
        assert not set(ids(demo)) & set(ids(other))
