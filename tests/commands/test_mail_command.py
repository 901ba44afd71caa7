"""`rollbook mail` and `rollbook webhook`: choose, list, test; and a worker that tells a held sync by real mail."""

from __future__ import annotations

import pytest

from tests import mailboxes, world
from tests.commands.terminal import DISTRICT, Terminal, roll

NAME, ADDRESS = "Dee Park", "dee@example.org"


def test_a_worker_tells_a_held_sync_that_a_command_made(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = terminal.folder / "sis"
    terminal.done("sync", DISTRICT, world.write(folder, roll()))
    link = terminal.done("operator", "add", NAME, "--role", "district", "--district", DISTRICT).out
    assert "/console/welcome#" in link
    chosen = terminal.done("mail", "choose", NAME, ADDRESS, "--topics", "held")
    assert chosen.lines == [
        f"{NAME} gets mail at {ADDRESS}: held",
        "But no mail server is set; set ROLLBOOK_MAIL_HOST and ROLLBOOK_MAIL_SENDER, and restart server and workers.",
    ]
    with mailboxes.opened() as box:
        for name, value in box.settings().items():
            monkeypatch.setenv(f"ROLLBOOK_{name.upper()}", str(value))
        # Without a password, the person cannot sign in, and gets no mail but the test that an operator sends.
        assert terminal.run("mail", "test", NAME).err.startswith("the test was not sent: ")
        terminal.done("webhook", "add", "http://127.0.0.1:9/", "--topics", "held")
        held = terminal.run("sync", DISTRICT, world.write(folder, roll(50)))
        assert held.code == 3
        terminal.done("work", "--once")
    listed = terminal.done("mail", "outbox", "--json").json()
    assert [(each["topic"], each["state"]) for each in listed] == [("held", "waiting"), ("test", "dropped")]
    assert "the webhook cannot be reached" in terminal.run("status").out
    assert (
        "http://127.0.0.1:9/  waiting: the webhook cannot be reached" in terminal.done("mail", "outbox").out
    )
    number = listed[0]["number"]
    assert terminal.done("mail", "again", str(number)).lines == [f"a worker sends delivery {number} again"]
    assert terminal.done("webhook", "remove", "2").lines == ["Rollbook no longer calls http://127.0.0.1:9/"]
    assert terminal.run("status").code == 1


def test_what_is_chosen_is_listed_and_bad_values_are_named(small_terminal: Terminal) -> None:
    small_terminal.done("operator", "add", NAME)
    small_terminal.done("mail", "choose", NAME, ADDRESS, "--at", "06:45", "--zone", "America/Chicago")
    (line,) = small_terminal.done("mail", "list").lines
    assert line.split()[:3] == ["Dee", "Park", ADDRESS]
    assert line.endswith("night held failed late  (06:45 America/Chicago)")
    small_terminal.done("mail", "stop", NAME)
    assert small_terminal.done("mail", "list", "--json").json() == []
    for given, says in (
        (("mail", "choose", "Nobody", ADDRESS), "no person of the console has the name 'Nobody'"),
        (("mail", "choose", NAME, "dee"), "address: expected one mail address in plain letters"),
        (
            ("mail", "choose", NAME, ADDRESS, "--topics", "noon"),
            "topics: expected some of night held failed late",
        ),
        (("webhook", "add", "chat"), "address: expected an address such as https"),
        (("webhook", "test", "7"), "there is no webhook 7; `rollbook webhook list` shows them"),
        (("mail", "again", "7"), "there is no delivery 7; `rollbook mail outbox` lists them"),
    ):
        refused = small_terminal.run(*given)
        assert (refused.code, says in refused.err) == (1, True), refused.err


def test_the_password_of_the_mail_server_is_masked(
    small_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBOOK_MAIL_PASSWORD", "correct horse")
    shown = small_terminal.done("settings").out
    assert "correct horse" not in shown
    assert "***" in shown
