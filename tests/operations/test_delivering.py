"""Mail and webhooks: each happening is told once, to the right people, by a real mail server and a real receiver."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from rollbook import sync
from rollbook.errors import BadSetting, Refused, SourceRejected, Unknown
from rollbook.jobs.performing import perform
from rollbook.operations import (
    delivery_words,
    happenings,
    job_control,
    mail_server,
    readiness,
    run_decisions,
    scheduling,
    subscribing,
    team,
    webhook_calls,
)
from rollbook.operations.job_control import sync_job
from rollbook.operations.subscribing import Choice
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.operators import deliveries, operator_accounts, subscriptions
from rollbook.store.work import job_queue
from tests import mailboxes, world
from tests.journeys.hub import Hub
from tests.mailboxes import Mailbox, Receiver

ALL = Choice()
CUT_OFF = world.changed(
    ("students.csv", "S,katherine,Johnson,Katherine,,5,,,,,katherine@south.example,,,,,,,\n", "")
)
PUPILS = ("Katherine", "Johnson", "katherine", "Emmy")


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mailboxes.opened() as box:
        yield box


@pytest.fixture
def box(mailbox: Mailbox) -> Mailbox:
    """The mail server, without the mails and answers of the test before."""
    mailbox.mails.clear()
    mailbox.refuses, mailbox.at_data = lambda _: None, lambda: "250 taken"
    return mailbox


@pytest.fixture(scope="module")
def receiver_address() -> Iterator[Receiver]:
    with mailboxes.receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(receiver_address: Receiver) -> Receiver:
    receiver_address.calls.clear()
    receiver_address.status, receiver_address.headers = 204, {}
    return receiver_address


class Clock:
    """The clock of the queue, some seconds ahead of the machine's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._plain, self.ahead = job_queue.now, 0.0
        monkeypatch.setattr(job_queue, "now", self)

    def __call__(self, connection: Any) -> int:
        return self._plain(connection) + int(self.ahead * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def person(hub: Hub, name: str, role: str = "operator", district: str | None = None) -> str:
    """A person of the console who can sign in, and gets all mail."""
    team.invite(hub.database, hub.settings, name, role, district)
    with hub.database.write() as transaction:
        operator_accounts.equip(transaction, name, "a hash", "", 0)
    address = f"{name.lower()}@example.org"
    subscribing.choose(hub.database, name, address, ALL)
    return address


def tell(hub: Hub, box: Mailbox | None = None, **more: Any) -> list[EmailMessage]:
    """Let a worker tell what is due; returns the new mails."""
    before = len(box.mails) if box else 0
    settings = replace(hub.settings, **(box.settings() if box else {}), **more)
    happenings.queue_due(hub.database)
    while job := job_queue.lease(hub.database, "w", outgoing=True):
        perform(hub.database, settings, job)
    return box.mails[before:] if box else []


def held(hub: Hub, files: dict[str, str] = CUT_OFF) -> int:
    """A held sync of the district; returns its number."""
    source = world.write(hub.folder / f"held {hub.district.number}", files)
    run = sync.run(hub.database, districts.find(hub.database, hub.district.id), source, hub.settings)
    assert run.state == "held"
    assert run.number
    return run.number


def parts(mail: EmailMessage) -> tuple[str, str]:
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    return text.get_content(), html.get_content()


def trouble(hub: Hub) -> str:
    return readiness.look(hub.database).delivery_trouble


def test_a_held_sync_is_told_once_to_each_person_and_names_no_pupil(hub: Hub, box: Mailbox) -> None:
    hub.sync(world.FILES)
    addresses = {person(hub, "Ola"), person(hub, "Dee", "district", "Springfield")}
    run = held(hub)
    mails = tell(hub, box)
    assert {mail["To"] for mail in mails} == addresses
    assert {mail["Subject"] for mail in mails} == {f"Springfield: sync {run} is held"}
    text, html = parts(mails[0])
    page = f"/console/d/{districts.slug(hub.district)}/runs/{run}"
    for form in (text, html):
        assert f"{page}" in form
        assert "would be deleted" in form
        assert not [name for name in PUPILS if name in form]
    assert tell(hub, box) == []
    run_decisions.discard(hub.database, "Springfield", run)
    assert tell(hub, box) == []
    assert held(hub) > run
    assert len(tell(hub, box)) == len(addresses)


def test_files_that_cannot_be_used_and_a_failed_job_are_told_without_their_messages(
    hub: Hub, box: Mailbox
) -> None:
    person(hub, "Ola")
    with pytest.raises(SourceRejected):
        hub.sync({**world.FILES, "schools.csv": ""})
    with hub.database.write() as transaction:
        job_queue.add(transaction, sync_job(hub.district.number, hub.folder))
    job = job_queue.lease(hub.database, "w")
    assert job
    with hub.database.write() as transaction:
        job_queue.finish(transaction, job, "failed", message="/srv/secret/folder is not there")
    mails = tell(hub, box)
    assert [mail["Subject"] for mail in mails] == [
        "Springfield: sync 1 failed",
        f"Springfield: job {job.number} failed",
    ]
    assert not [mail for mail in mails if "secret" in mail.as_string()]


def test_a_district_person_hears_of_their_district_alone(hub: Hub, box: Mailbox) -> None:
    other = hub.beside("Other Unified")
    for each in (hub, other):
        each.sync(world.FILES)
    person(hub, "Dee", "district", "Springfield")
    held(other)
    assert tell(hub, box) == []
    held(hub)
    (mail,) = tell(hub, box)
    assert "Other Unified" not in mail.as_string()


def test_a_person_who_was_removed_or_reset_gets_nothing_and_a_later_one_not_their_mail(
    hub: Hub, box: Mailbox
) -> None:
    hub.sync(world.FILES)
    for name in ("Ola", "Rex", "Zoe"):
        person(hub, name)
    held(hub)
    happenings.collect(hub.database)
    team.remove(hub.database, "Zoe")
    team.reset(hub.database, hub.settings, "Rex")
    person(hub, "Yan")
    assert [mail["To"] for mail in tell(hub, box)] == ["ola@example.org"]
    with hub.database.read() as transaction:
        states = {one.subscription: one.state for one in deliveries.latest(transaction, 10)}
    assert sorted(states.values()) == ["dropped", "sent"]


def test_the_summary_of_a_night_says_what_rollbook_night_says(hub: Hub, box: Mailbox, clock: Clock) -> None:
    hub.sync(world.FILES)
    hub.beside("Other Unified")
    person(hub, "Dee", "district", "Springfield")
    person(hub, "Ola")
    for name in ("Dee", "Ola"):
        subscribing.choose(hub.database, name, f"{name}@example.org", Choice(("night",), "07:00"))
    assert tell(hub, box) == []
    clock.ahead = 86_400
    summaries = {mail["To"]: mail for mail in tell(hub, box)}
    assert tell(hub, box) == []
    nights = {
        night.name: night for night in scheduling.nights(hub.database, datetime.now(UTC).timestamp() + 86_400)
    }
    text, html = parts(summaries["Ola@example.org"])
    assert summaries["Ola@example.org"]["Subject"] == "Night of 2 districts: 1 need attention"
    assert text.startswith("1 of 2 districts need attention.")
    for name, night in nights.items():
        assert f"{name}: {night.state} (UTC)" in text
        assert night.mailed_step in text
        assert "nothing came" in html
    own = summaries["Dee@example.org"]
    assert own["Subject"] == "Night of Springfield: running"
    assert "Other Unified" not in own.as_string()
    clock.ahead = 3 * 86_400
    assert len(tell(hub, box)) == 2


def test_a_late_district_is_told_once_a_night(hub: Hub, box: Mailbox, clock: Clock, tmp_path: Path) -> None:
    hub.sync(world.FILES)
    every_day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    scheduling.change(
        hub.database, "Springfield", lambda now: replace(now, late_after="00:00", days=every_day)
    )
    person(hub, "Ola")
    subscribing.choose(hub.database, "Ola", "ola@example.org", Choice(("late",)))
    assert tell(hub, box) == []
    to_midnight = 86_400 - time.time() % 86_400
    for days, count in ((2, 1), (2.01, 0), (3, 1)):
        clock.ahead = to_midnight + days * 86_400
        mails = tell(hub, box)
        assert [mail["Subject"] for mail in mails] == ["Springfield: no files came"] * count


def test_an_unreachable_server_is_tried_again_and_told_to_operators(
    hub: Hub, box: Mailbox, clock: Clock
) -> None:
    hub.sync(world.FILES)
    person(hub, "Ola")
    person(hub, "Pat")
    held(hub)
    tell(hub, **box.settings(mail_port=1))
    assert "mail server localhost:1 cannot be reached" in trouble(hub)
    assert "look at ROLLBOOK_MAIL_HOST and ROLLBOOK_MAIL_PORT" in trouble(hub)
    with hub.database.read() as transaction:
        # The second mail did not wait for the same server.
        assert sorted(one.attempts for one in deliveries.latest(transaction, 10)) == [0, 1]
    assert tell(hub, box) == []
    clock.ahead = 31
    assert len(tell(hub, box)) == 2
    assert trouble(hub) == ""


def test_no_mail_server_is_one_clear_sentence(hub: Hub) -> None:
    hub.sync(world.FILES)
    person(hub, "Ola")
    held(hub)
    tell(hub)
    assert "no mail server is set; set ROLLBOOK_MAIL_HOST and ROLLBOOK_MAIL_SENDER" in trouble(hub)


def test_what_a_server_refuses_for_good_fails_and_is_sent_again_by_hand(hub: Hub, box: Mailbox) -> None:
    hub.sync(world.FILES)
    person(hub, "Ola")
    box.refuses = lambda _: "550 no such person\r"
    held(hub)
    tell(hub, box)
    assert "refused the address ola@example.org: 550" in trouble(hub)
    box.refuses = lambda _: None
    with hub.database.read() as transaction:
        (failed,) = deliveries.latest(transaction, 1)
    assert (failed.state, tell(hub, box)) == ("failed", [])
    subscribing.send_again(hub.database, failed.number)
    assert len(tell(hub, box)) == 1
    with pytest.raises(Refused, match="is sent; only one that failed"):
        subscribing.send_again(hub.database, failed.number)


def test_a_process_that_died_while_it_sent_sends_no_mail_twice(hub: Hub, box: Mailbox, clock: Clock) -> None:
    hub.sync(world.FILES)
    person(hub, "Ola")
    held(hub)
    happenings.collect(hub.database)
    with hub.database.write() as transaction:
        (one,) = deliveries.due(transaction, 10)
        assert deliveries.claim(transaction, one)
        assert not deliveries.claim(transaction, one)
    assert tell(hub, box) == []
    clock.ahead = deliveries.SENDING_SECONDS + 1
    assert tell(hub, box) == []
    assert "may have arrived or not" in trouble(hub)


def test_a_later_mail_ends_the_trouble(hub: Hub, box: Mailbox) -> None:
    hub.sync(world.FILES)
    person(hub, "Ola")
    box.at_data = lambda: "554 no"
    held(hub)
    tell(hub, box)
    assert "the mail server refused the mail: 554 no" in trouble(hub)
    box.at_data = lambda: "250 taken"
    held(hub)
    assert len(tell(hub, box)) == 1
    assert trouble(hub) == ""


# The mail server -----------------------------------------------------------------------------------


LETTER = delivery_words.Letter("Subject", (delivery_words.Part("Head", ("Told.",)),))


def test_starttls_with_a_login_checks_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = mailboxes.certificate(tmp_path)
    with mailboxes.opened(file, has_login=True) as box:
        settings = Settings(
            **box.settings(mail_tls="starttls", mail_user=mailboxes.USER, mail_password=mailboxes.PASSWORD)
        )
        unknown = mail_server.send(settings, "ana@example.org", LETTER, "1")
        assert "has a certificate that is not trusted" in unknown.message
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert mail_server.send(settings, "ana@example.org", LETTER, "2").state == "sent"
        assert (box.was_encrypted, box.logins) == ([True], [mailboxes.USER])
        wrong = mail_server.send(replace(settings, mail_password="wrong"), "ana@example.org", LETTER, "3")
        assert "refuses user or password; look at ROLLBOOK_MAIL_USER" in wrong.message
        assert wrong.is_server
        plain = mail_server.send(replace(settings, mail_tls="tls"), "ana@example.org", LETTER, "4")
        assert "speaks no TLS there; look at ROLLBOOK_MAIL_TLS" in plain.message


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_a_server_that_greets_letter_by_letter_holds_no_job(
    tls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_server, "MAIL_SECONDS", 0.2)
    told: list[Exception] = []

    def greet() -> None:
        line, _ = door.accept()
        with line:
            try:
                while True:
                    line.sendall(b"2")
                    time.sleep(0.02)
            except OSError as error:
                told.append(error)

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        greeter = threading.Thread(target=greet)
        greeter.start()
        slow = {"mail_host": "127.0.0.1", "mail_port": door.getsockname()[1]}
        settings = Settings(mail_tls=tls, mail_sender="rollbook@example.org", **slow)
        outcome = mail_server.send(settings, "ana@example.org", LETTER, "1")
        greeter.join()
    assert (outcome.state, outcome.is_server, len(told)) == ("waiting", True, 1)


@pytest.mark.parametrize("tls", ["tls", "starttls"])
def test_a_tls_handshake_that_comes_byte_by_byte_holds_no_job(
    tls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_server, "MAIL_SECONDS", 0.5)
    told: list[Exception] = []

    def shake() -> None:
        line, _ = door.accept()
        with line:
            try:
                if tls == "starttls":
                    line.sendall(b"220 here\r\n")
                    line.recv(1000)
                    line.sendall(b"250-here\r\n250 STARTTLS\r\n")
                    line.recv(1000)
                    line.sendall(b"220 go\r\n")
                # A record of a handshake (RFC 8446, 5.1) that never ends.
                line.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
                while True:
                    line.sendall(b"\x00")
                    time.sleep(0.02)
            except OSError as error:
                told.append(error)

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        shaker = threading.Thread(target=shake)
        shaker.start()
        slow = {"mail_host": "127.0.0.1", "mail_port": door.getsockname()[1]}
        settings = Settings(mail_tls=tls, mail_sender="rollbook@example.org", **slow)
        outcome = mail_server.send(settings, "ana@example.org", LETTER, "1")
        shaker.join()
    assert (outcome.state, outcome.is_server, len(told)) == ("waiting", True, 1)


def test_a_connection_that_comes_after_the_deadline_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_server._Cuttable, "is_over", True)
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        late = {"mail_host": "127.0.0.1", "mail_port": door.getsockname()[1]}
        settings = Settings(mail_tls="none", mail_sender="rollbook@example.org", **late)
        assert mail_server.send(settings, "ana@example.org", LETTER, "1").state == "waiting"


def test_a_server_that_takes_nobody_is_told() -> None:
    def greet() -> None:
        line, _ = door.accept()
        with line:
            line.sendall(b"554 nobody\r\n")

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        threading.Thread(target=greet).start()
        here = {"mail_host": "127.0.0.1", "mail_port": door.getsockname()[1]}
        settings = Settings(mail_tls="none", mail_sender="rollbook@example.org", **here)
        outcome = mail_server.send(settings, "ana@example.org", LETTER, "1")
    assert (outcome.state, "554" in outcome.message) == ("waiting", True)


def test_a_mail_has_seven_bits_for_servers_that_take_no_eight() -> None:
    settings = Settings(mail_sender="rollbook@example.org")
    letter = delivery_words.Letter("Peñasco", (delivery_words.Part("Peñasco: held", ("Peñasco",)),))
    assert mail_server._message(settings, "ana@example.org", letter, "1").as_bytes().isascii()


def test_a_server_without_starttls_is_told(box: Mailbox) -> None:
    told = mail_server.send(Settings(**box.settings(mail_tls="starttls")), "ana@example.org", LETTER, "1")
    assert "offers no STARTTLS; look at ROLLBOOK_MAIL_TLS" in told.message
    clear = Settings(**box.settings(mail_user="u", mail_host="mail.example.org"))
    assert "would be sent in clear" in mail_server.unready(clear)
    assert "mail_sender: expected a mail address" in mail_server.unready(
        Settings(**box.settings(mail_sender="x"))
    )


def test_no_name_of_a_district_becomes_a_header_or_markup(hub: Hub, box: Mailbox) -> None:
    hub.sync(world.FILES)
    person(hub, "Ola")
    name = "Evil\r\nBcc: all@example.org\r\n\r\n<script>x</script>"
    with hub.database.write() as transaction:
        transaction.run("UPDATE districts SET name = ?", (name,))
    held(replace_district(hub))
    (mail,) = tell(hub, box)
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Evil Bcc: all@example.org <script>")
    text, html = parts(mail)
    assert "<script>" not in html
    assert "Evil Bcc: all@example.org" in text


def replace_district(hub: Hub) -> Hub:
    hub.district = districts.find(hub.database, hub.district.id)
    return hub


@pytest.mark.parametrize(
    "text",
    ["", "ana", "ana@", "a@b\r\nBcc: c@d", "a@b, c@d", "Ana <a@b>", "ána@example.org", f"{'a' * 250}@b.org"],
)
def test_an_address_that_is_no_mailbox_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="address: expected one mail address"):
        mail_server.address(text)


# Webhooks ------------------------------------------------------------------------------------------


def genuine(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """The sample of the guide."""
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "mail.md").read_text("utf-8")
    known: dict[str, Any] = {}
    exec(guide.partition("```python\n")[2].partition("```")[0], known)
    return bool(known["is_genuine"](headers, body, secret))


def test_a_webhook_is_signed_and_called_again_with_the_same_id(
    hub: Hub, receiver: Receiver, clock: Clock
) -> None:
    hub.sync(world.FILES)
    number, secret = subscribing.add_webhook(hub.database, hub.settings, receiver.address, ALL, "Springfield")
    receiver.status = 503
    run = held(hub)
    tell(hub)
    assert "a webhook call waits for another attempt: the webhook answered 503" in trouble(hub)
    receiver.status, clock.ahead = 200, 31
    tell(hub)
    assert trouble(hub) == ""
    (first, _), (headers, body) = receiver.calls
    assert first["webhook-id"] == headers["webhook-id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert genuine(headers, body, secret)
    assert not genuine(headers, body + b" ", secret)
    assert not genuine({**headers, "webhook-timestamp": "1700000000"}, body, secret)
    told = json.loads(body)
    assert (told["type"], told["data"]["run"], told["data"]["district"]) == ("held", run, "Springfield")
    assert told["link"].endswith(f"/runs/{run}")
    assert not [name for name in PUPILS if name in body.decode()]
    assert subscribing.remove_webhook(hub.database, number) == receiver.address
    with pytest.raises(Unknown, match="there is no webhook"):
        subscribing.test_webhook(hub.database, hub.settings, number)


def test_a_webhook_whose_secret_cannot_be_opened_stops_no_other(hub: Hub, receiver: Receiver) -> None:
    hub.sync(world.FILES)
    number, _ = subscribing.add_webhook(hub.database, hub.settings, receiver.address, ALL)
    subscribing.add_webhook(hub.database, hub.settings, receiver.address, ALL, "Springfield")
    with hub.database.write() as transaction:
        transaction.run("UPDATE subscriptions SET secret_sealed = 'p1.none' WHERE number = ?", (number,))
    held(hub)
    tell(hub)
    assert len(receiver.calls) == 1
    assert "is not the key with which" in trouble(hub)


def test_a_webhook_follows_no_redirect_and_may_be_kept_from_private_addresses(
    small_hub: Hub, receiver: Receiver, clock: Clock
) -> None:
    number, _ = subscribing.add_webhook(small_hub.database, small_hub.settings, receiver.address, ALL)
    receiver.status, receiver.headers = 302, {"location": receiver.address}
    sent = subscribing.test_webhook(small_hub.database, small_hub.settings, number)
    assert (sent.state, len(receiver.calls)) == ("failed", 1)
    assert sent.message == "the webhook answered 302, a redirect; name its last address instead"
    with pytest.raises(Refused, match="a test was sent less than a minute ago"):
        subscribing.test_webhook(small_hub.database, small_hub.settings, number)
    clock.ahead = 61
    public = replace(small_hub.settings, webhook_networks="public")
    refused = subscribing.test_webhook(small_hub.database, public, number)
    assert "is at a private address" in refused.message
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    "text", ["", "ftp://a.example", "https://u:p@a.example/", "https://a.example/#x", "x" * 3000]
)
def test_an_address_that_is_no_webhook_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="address: expected an address such as https"):
        webhook_calls.address(text)


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (Choice(("held", "noon")), "topics: expected some of night held failed late, got 'noon'"),
        (Choice(at="7"), "at: expected a time such as 02:30, got '7'"),
        (Choice(zone="Mars"), "zone: expected a time zone"),
    ],
)
def test_a_choice_that_cannot_be_used_is_refused(small_hub: Hub, choice: Choice, says: str) -> None:
    team.invite(small_hub.database, small_hub.settings, "Ola", "operator")
    with pytest.raises(BadSetting, match=says):
        subscribing.choose(small_hub.database, "Ola", "ola@example.org", choice)


def test_a_role_that_sees_no_runs_gets_no_mail(small_hub: Hub) -> None:
    team.invite(small_hub.database, small_hub.settings, "Hal", "help desk")
    with pytest.raises(Refused, match="the role help desk sees no runs"):
        subscribing.choose(small_hub.database, "Hal", "hal@example.org", ALL)


def test_old_deliveries_are_dropped_with_old_jobs(small_hub: Hub, clock: Clock) -> None:
    small_hub.sync(world.FILES)
    person(small_hub, "Ola")
    held(small_hub)
    happenings.collect(small_hub.database)
    clock.ahead = 86_400 * (job_control.JOB_DAYS + 1)
    job_control.prune(small_hub.database, small_hub.settings)
    with small_hub.database.read() as transaction:
        assert deliveries.latest(transaction, 10) == []
        assert subscriptions.are_there(transaction)
