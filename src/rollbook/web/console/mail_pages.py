"""Mail and webhooks: what each person gets by mail, which programs are called, and what was sent."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from rollbook.domain.topics import TOPICS
from rollbook.errors import BadSetting
from rollbook.operations import acting, mail_server, subscribing
from rollbook.operations.subscribing import AT, Choice, Subscriber
from rollbook.store.district import districts
from rollbook.store.operators import subscriptions
from rollbook.store.operators.deliveries import Delivery
from rollbook.web.console.console_frame import DIGITS_MAX, Ask, Console, Page, Shown

SENT = 20
SENT_HEADS = ("number", "when", "topic", "to", "state", "attempts", "message")
HOOK_HEADS = ("number", "address", "district", "topics", "last state", "last message")
# People of a district read this instead of the reason, which may name servers of the operator.
REASON = "The operators of this server see the reason."


def mail(console: Console, ask: Ask) -> Shown:
    """What the person gets, and what was sent to them; an operator sees what was sent to all."""
    database, actor = console.database, ask.actor
    is_operator = actor.may("change webhooks")
    own = subscribing.chosen(database, actor.name) if actor.number else None
    sees_all = is_operator or not actor.number
    sent = subscribing.outbox(database, SENT, None if sees_all else actor.name)
    told = [_sent(one, to, has_reason=is_operator) for one, to in sent]
    return Shown(
        "mail.html",
        {
            "choice": own.as_json() if own else None,
            "topics": TOPICS,
            "at": AT,
            "zone": _zone(console, ask),
            "is_person": bool(actor.number),
            "unready": mail_server.unready(console.desk.settings) if is_operator else "",
            "is_off": bool(mail_server.unready(console.desk.settings)),
            "sees_all": sees_all,
            "people": [each.as_json() for each in subscribing.everyone(database, subscriptions.MAIL)]
            if is_operator
            else [],
            "sent": told,
        },
        rows=[SENT_HEADS, *(tuple(one.values()) for one in told)],
        leave_out=("topics", "at", "zone"),
    )


def _zone(console: Console, ask: Ask) -> str:
    """The time zone that the form proposes: that of the person's district."""
    if ask.actor.district is None:
        return "UTC"
    with console.database.read() as transaction:
        return subscribing.zone_of(transaction, ask.actor.district)


def _sent(one: Delivery, to: Subscriber, *, has_reason: bool) -> dict[str, Any]:
    message = one.message if has_reason or not one.message else REASON
    return {
        "number": one.number,
        "when": districts.timestamp(one.created / 1000),
        "topic": one.topic,
        "to": to.name or to.address,
        "state": one.state,
        "attempts": one.attempts,
        "message": message,
    }


def change_mail(console: Console, ask: Ask) -> Response:
    """Choose, test or stop the person's own mail, or send a delivery again, by the button that was pressed."""
    database, actor, act = console.database, ask.actor, ask.asked("act")
    if act == "again":
        acting.do(actor, subscribing.send_again, database, _number(ask))
        return console.said(ask, "A worker sends it again.", "/console/mail")
    if not actor.number:
        raise BadSetting(
            "A demo's visitor has no account, so nobody gets mail. Try it on a server of your own."
        )
    own = _district(console, ask)
    if act == "test":
        sent = acting.do(actor, subscribing.send_test, database, console.desk.settings, actor.name, own)
        return console.said(ask, _told(sent, has_reason=actor.may("change webhooks")), "/console/mail")
    choice = _choice(ask) if act == "choose" else Choice(())
    acting.do(actor, subscribing.choose, database, actor.name, ask.asked("address"), choice, own)
    said = "Your choice is kept. It counts from now on." if choice.topics else "You get no mail any more."
    return console.said(ask, said, "/console/mail")


def _told(sent: Delivery, *, has_reason: bool) -> str:
    if sent.state == "sent":
        return "The test was sent."
    return (
        f"The test was not sent. {f'{sent.message[:1].upper()}{sent.message[1:]}.' if has_reason else REASON}"
    )


def _district(console: Console, ask: Ask) -> str | None:
    """The id of the only district that the person sees."""
    if ask.actor.district is None:
        return None
    with console.database.read() as transaction:
        return districts.by_number(transaction, ask.actor.district).id


def _choice(ask: Ask) -> Choice:
    wanted = tuple(topic for topic in TOPICS if ask.asked(f"topic {topic}"))
    return Choice(wanted, ask.asked("at", AT), ask.asked("zone", "UTC"))


def _number(ask: Ask) -> int:
    text = ask.asked("number")
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise BadSetting("number: expected a whole number")
    return int(text)


# Webhooks ------------------------------------------------------------------------------------------


def webhooks(console: Console, _: Ask) -> Shown:
    """The programs that are called, and the form for one more."""
    return _webhooks(console, "")


def _webhooks(console: Console, secret: str) -> Shown:
    found = subscribing.everyone(console.database, subscriptions.WEBHOOK)
    rows = [
        (
            *(each.number, each.address, each.district, " ".join(each.choice.topics)),
            *((each.last.state, each.last.message) if each.last else ("", "")),
        )
        for each in found
    ]
    return Shown(
        "webhooks.html",
        {
            "webhooks": [each.as_json() for each in found],
            "topics": TOPICS,
            "at": AT,
            "districts": [each.name for each in districts.list_all(console.database)],
            "secret": secret,
        },
        rows=[HOOK_HEADS, *rows],
        leave_out=("topics", "at", "districts", "secret"),
    )


def change_webhooks(console: Console, ask: Ask) -> Shown | Response:
    """Add, test or remove a webhook, by the button that was pressed."""
    database, settings, actor, act = console.database, console.desk.settings, ask.actor, ask.asked("act")
    if act == "add":
        of = ask.asked("district") or None
        _, secret = acting.do(
            actor, subscribing.add_webhook, database, settings, ask.asked("address"), _choice(ask), of
        )
        return _webhooks(console, secret)
    if act == "test":
        sent = acting.do(actor, subscribing.test_webhook, database, settings, _number(ask))
        return console.said(ask, _told(sent, has_reason=True), "/console/webhooks")
    if act == "change":
        acting.do(actor, subscribing.change_webhook, database, _number(ask), _choice(ask))
        return console.said(ask, "The webhook was changed.", "/console/webhooks")
    if act == "remove":
        address = acting.do(actor, subscribing.remove_webhook, database, _number(ask))
        return console.said(ask, f"Rollbook no longer calls {address}.", "/console/webhooks")
    raise BadSetting("act: expected add, change, test or remove")


PAGES = (
    Page(
        *("mail", "/console/mail", "choose mail", mail, change_mail),
        title="Mail",
        group="Settings",
        waits=True,
    ),
    Page(
        *("webhooks", "/console/webhooks", "change webhooks", webhooks, change_webhooks),
        title="Webhooks",
        group="Settings",
        waits=True,
    ),
)
