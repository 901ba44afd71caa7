"""Mail and webhooks at their edges: choices that cannot be kept, servers that stop half-way, and much to tell."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from httpcore import ConnectError

from rollbook.errors import BadSetting, Refused, RollbookError, Unknown
from rollbook.operations import (
    delivering,
    delivery_words,
    happenings,
    job_control,
    mail_server,
    night_words,
    scheduling,
    subscribing,
    team,
    webhook_calls,
)
from rollbook.operations.subscribing import Choice
from rollbook.settings import Settings
from rollbook.store.operators import deliveries
from rollbook.store.operators.deliveries import Delivery
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import NewJob
from tests import mailboxes
from tests.auth.hostile import hostile, ok
from tests.journeys.hub import Hub
from tests.mailboxes import Receiver
from tests.operations.test_delivering import ALL, LETTER, Clock, person

HOOK = "https://chat.example.org/hooks"
NIGHTLY = Choice(("night",), "07:00")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with mailboxes.receiving() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def latest(hub: Hub) -> list[Delivery]:
    with hub.database.read() as transaction:
        return deliveries.latest(transaction, 50)


# Choices -------------------------------------------------------------------------------------------


def fill(hub: Hub, count: int) -> None:
    for number in range(count):
        subscribing.add_webhook(hub.database, hub.settings, f"{HOOK}/{number}", ALL)


def invite(hub: Hub) -> None:
    team.invite(hub.database, hub.settings, "Ola", "operator")


REFUSED: dict[str, tuple[Callable[[Hub], object], type[RollbookError], str]] = {
    "a time that is blank": (
        lambda hub: subscribing.choose(hub.database, "Ola", "ola@example.org", Choice(at="")),
        BadSetting,
        "at: expected a time such as 07:00, got ''",
    ),
    "a test without a choice": (
        lambda hub: subscribing.send_test(hub.database, hub.settings, "Ola"),
        Refused,
        "name: choose mail first",
    ),
    "a person of another district": (
        lambda hub: subscribing.send_test(hub.database, hub.settings, "Ola", hub.district.name),
        Unknown,
        "no person of this district has the name 'Ola'",
    ),
    "a webhook about nothing": (
        lambda hub: subscribing.add_webhook(hub.database, hub.settings, HOOK, Choice(())),
        BadSetting,
        "topics: expected some of night held failed late",
    ),
    "one webhook too many": (
        lambda hub: fill(hub, subscribing.WEBHOOKS_MAX + 1),
        Refused,
        "there are 20 webhooks; remove one first",
    ),
    "a webhook that is not there": (
        lambda hub: subscribing.change_webhook(hub.database, 99, ALL),
        Unknown,
        "there is no webhook",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_choice_that_cannot_be_kept_is_refused(small_hub: Hub, case: str) -> None:
    invite(small_hub)
    act, error, told = REFUSED[case]
    with pytest.raises(error, match=re.escape(told)):
        act(small_hub)
    assert subscribing.chosen(small_hub.database, "Ola") is None
    assert latest(small_hub) == []


def test_a_person_without_mail_may_choose_none(small_hub: Hub) -> None:
    invite(small_hub)
    assert subscribing.choose(small_hub.database, "Ola", "", Choice(())).topics == ()
    assert subscribing.chosen(small_hub.database, "Ola") is None


def test_a_webhook_hears_of_what_was_chosen_last(small_hub: Hub, receiver: Receiver, clock: Clock) -> None:
    database, settings = small_hub.database, small_hub.settings
    number, _ = subscribing.add_webhook(database, settings, receiver.address, ALL)
    for choice, count in ((NIGHTLY, 0), (Choice(("failed",)), 1)):
        assert subscribing.change_webhook(database, number, choice) == choice
        queue(small_hub)
        fail(small_hub)
        assert happenings.collect(database) == count
        # A choice hears of its own millisecond too: the next choice comes later.
        clock.ahead += 1


def queue(hub: Hub) -> None:
    """A sync waits."""
    with hub.database.write() as transaction:
        job_queue.add(transaction, job_control.sync_job(hub.district.number, hub.folder))


def fail(hub: Hub, message: str = "") -> None:
    """The job that waits fails."""
    job = job_queue.lease(hub.database, "w")
    assert job
    with hub.database.write() as transaction:
        job_queue.finish(transaction, job, "failed", message=message)


# What is told --------------------------------------------------------------------------------------


def test_failed_jobs_of_the_server_and_of_last_week_are_told_to_nobody(small_hub: Hub, clock: Clock) -> None:
    person(small_hub, "Ola")
    with small_hub.database.write() as transaction:
        job_queue.add(transaction, NewJob("backup", "backup", "/srv"))
    queue(small_hub)
    for _ in range(2):
        fail(small_hub)
    clock.ahead = happenings.OLD_SECONDS + 60
    happenings.collect(small_hub.database)
    assert "failed" not in {each.topic for each in latest(small_hub)}


def test_a_webhook_gets_the_districts_of_a_night_with_their_pages(
    small_hub: Hub, receiver: Receiver, clock: Clock
) -> None:
    small_hub.beside("Other Unified")
    subscribing.add_webhook(small_hub.database, small_hub.settings, receiver.address, NIGHTLY)
    clock.ahead = 86_400
    assert happenings.collect(small_hub.database) == 1
    receiver.calls.clear()
    assert delivering.deliver(small_hub.database, small_hub.settings) == {"sent": 1}
    ((_, body),) = receiver.calls
    told = json.loads(body)["data"]["districts"]
    assert [each["district"] for each in told] == ["Other Unified", "Springfield"]
    assert all("/console/d/" in each["link"] and "slug" not in each for each in told)


def test_a_summary_of_many_districts_lists_some_and_counts_the_others(
    small_hub: Hub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(happenings, "LISTED_MAX", 1)
    for name in ("Ash", "Birch"):
        small_hub.beside(name)
    invite(small_hub)
    person(small_hub, "Pat")
    subscribing.choose(small_hub.database, "Pat", "pat@example.org", NIGHTLY)
    clock.ahead = 86_400
    happenings.collect(small_hub.database)
    (one,) = latest(small_hub)
    text = delivery_words.letter(one, small_hub.settings).text
    assert "2 more districts are on the overview." in text
    assert len([name for name in ("Ash", "Birch", "Springfield") if f"{name}: " in text]) == 1


def test_a_night_on_a_terminal_says_why_a_job_failed_and_a_mail_does_not(small_hub: Hub) -> None:
    queue(small_hub)
    fail(small_hub, "/srv/files is not there")
    (night,) = scheduling.nights(small_hub.database)
    shown, mailed = "\n".join(night_words.lines(night, "UTC")), "\n".join(night_words.happened(night, "UTC"))
    assert "job 1 failed: /srv/files is not there" in shown
    assert mailed.endswith("job 1 failed")


def test_what_a_job_has_no_time_for_is_sent_by_the_next_one(
    small_hub: Hub, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribing.add_webhook(small_hub.database, small_hub.settings, receiver.address, NIGHTLY)
    clock.ahead = 86_400
    happenings.collect(small_hub.database)
    receiver.calls.clear()
    monkeypatch.setattr(delivering, "JOB_SECONDS", -1.0)
    assert (delivering.deliver(small_hub.database, small_hub.settings), receiver.calls) == ({}, [])
    monkeypatch.undo()
    Clock(monkeypatch).ahead = 86_400
    assert delivering.deliver(small_hub.database, small_hub.settings) == {"sent": 1}


# Servers -------------------------------------------------------------------------------------------


@contextmanager
def scripted(*answers: str) -> Iterator[Settings]:
    """A mail server that gives these answers, one for each thing that it is told, and then hangs up."""

    def play() -> None:
        line, _ = door.accept()
        with line, line.makefile("rb") as told:
            line.sendall(b"220 here\r\n")
            for answer in answers:
                told.readline()
                line.sendall(f"{answer}\r\n".encode())
            if answers[-1].startswith("354"):
                while told.readline() != b".\r\n":  # the end of the mail
                    pass

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        player = threading.Thread(target=play)
        player.start()
        here = {"mail_host": "127.0.0.1", "mail_port": door.getsockname()[1]}
        yield Settings(mail_tls="none", mail_sender="rollbook@example.org", **here)
        player.join()


GREETED = ("250 here", "250 sender", "250 address")


@pytest.mark.parametrize(
    ("answers", "state", "says"),
    [
        (("451 later",), "waiting", "the mail server refused the mail: 451 later"),
        (("554 never",), "failed", "the mail server refused the mail: 554 never"),
        (("354 go",), "unsure", "the mail server did not answer after the mail"),
    ],
)
def test_a_mail_is_sent_again_only_if_it_surely_was_not_taken(
    answers: tuple[str, ...], state: str, says: str
) -> None:
    with scripted(*GREETED, *answers) as settings:
        outcome = mail_server.send(settings, "ana@example.org", LETTER, "1")
    assert (outcome.state, outcome.message.startswith(says)) == (state, True), outcome


def delivery(hub: Hub, address: str) -> Delivery:
    """A delivery that waits for a webhook."""
    number, _ = subscribing.add_webhook(hub.database, hub.settings, address, NIGHTLY)
    return subscribing.test_webhook(hub.database, replace(hub.settings, webhook_networks="public"), number)


def test_a_webhook_that_is_gone_or_answers_without_end_fails_with_what_to_do(
    small_hub: Hub, receiver: Receiver
) -> None:
    one = delivery(small_hub, receiver.address)
    receiver.status = 410
    gone = webhook_calls.call(small_hub.settings, receiver.address, "whsec_AAAA", one)
    receiver.status = 204
    assert (gone.state, "remove it with `rollbook webhook remove`" in gone.message) == ("failed", True)
    with hostile() as service:
        service.answers["/hook"] = ok(b"x" * (webhook_calls.ANSWER_BYTES_MAX + 1))
        large = webhook_calls.call(small_hub.settings, f"{service.address}/hook", "whsec_AAAA", one)
    assert (large.state, large.is_server) == ("waiting", False)
    assert large.message == "the webhook answered with more than 65,536 bytes; expected a short answer"


def test_a_webhook_at_a_public_address_is_called(small_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def connect(_: object, address: str, *__: Any) -> None:
        called.append(address)
        raise ConnectError("nobody")

    monkeypatch.setattr("rollbook.outgoing.httpcore.SyncBackend.connect_tcp", connect)
    sent = delivery(small_hub, "http://93.184.216.34/hook")
    assert (sent.state, called) == ("failed", ["93.184.216.34"])
    assert sent.message == "the webhook cannot be reached: nobody"
