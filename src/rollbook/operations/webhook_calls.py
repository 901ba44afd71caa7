"""Calls of webhooks: signed as Standard Webhooks describes it, within a deadline, and never redirected.

The signature is an HMAC-SHA-256 of the id, the moment and the body. A receiver that checks the moment rejects old calls.
A receiver that remembers ids acts once for each.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b64decode, b64encode
from typing import Final

import orjson

from rollbook import __version__, urls
from rollbook.errors import BadSetting
from rollbook.operations import delivery_words
from rollbook.outgoing import FAILURES, AnswerTooLarge, Caller
from rollbook.settings import Settings
from rollbook.store.operators.deliveries import Delivery, Outcome

CALL_SECONDS, ANSWER_BYTES_MAX = 10.0, 64 * 1024
ADDRESS_MAX: Final = 2_000
PREFIX: Final = "whsec_"
KEY_BYTES: Final = 32


class _Inner(Exception):
    """The name leads to a private address."""


def new_secret() -> str:
    """A new key for signatures, in the form of Standard Webhooks."""
    return PREFIX + b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def secret_of(address: str) -> str:
    """The purpose for which the secret of a webhook is sealed."""
    return f"webhook {address}"


def address(text: str) -> str:
    """A webhook's address. Errors: BadSetting."""
    found = urls.parts(text.strip()) if len(text) <= ADDRESS_MAX else None
    if found is None or "@" in found.netloc or found.fragment:
        raise BadSetting(
            "address: expected an address such as https://chat.example.org/hooks/rollbook, without a user, a password or #"
        )
    return text.strip()


def signature(secret: str, id_: str, moment: int, body: bytes) -> str:
    """The header `webhook-signature` of a call."""
    key = b64decode(secret.removeprefix(PREFIX))
    return "v1," + b64encode(hmac.digest(key, f"{id_}.{moment}.".encode() + body, "sha256")).decode()


def call(settings: Settings, to: str, secret: str, delivery: Delivery) -> Outcome:
    """Call a webhook once. Every answer from 200 to 299 is a success, whatever it holds."""
    body = orjson.dumps(delivery_words.payload(delivery, settings))
    moment = int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": f"Rollbook/{__version__}",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(moment),
        "webhook-signature": signature(secret, delivery.id, moment, body),
    }
    check = _check if settings.webhook_networks == "public" else None
    caller = Caller(to, check=check)
    try:
        reply = caller.ask(
            "POST", to, seconds=CALL_SECONDS, bytes_max=ANSWER_BYTES_MAX, headers=headers, body=body
        )
    except _Inner:
        return Outcome(
            "failed", "the webhook is at a private address, which ROLLBOOK_WEBHOOK_NETWORKS=public refuses"
        )
    except AnswerTooLarge:
        return Outcome(
            "waiting",
            f"the webhook answered with more than {ANSWER_BYTES_MAX:,} bytes; expected a short answer",
        )
    except FAILURES as error:
        return Outcome(
            "waiting",
            f"the webhook cannot be reached: {delivery_words.one_line(str(error))[:200]}",
            is_server=True,
        )
    finally:
        caller.close()
    if 200 <= reply.status < 300:
        return Outcome("sent")
    if 300 <= reply.status < 400:
        return Outcome(
            "failed", f"the webhook answered {reply.status}, a redirect; name its last address instead"
        )
    if reply.status == 410:
        return Outcome(
            "failed", "the webhook answered 410: it is gone; remove it with `rollbook webhook remove`"
        )
    return Outcome("waiting", f"the webhook answered {reply.status}; expected 200 to 299")


def _check(_: str, found: urls.Address) -> None:
    if urls.is_inner(found):
        raise _Inner
