"""Requests of programs to the demo's own paths: JSON with the published token, and JSON as the answer."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from rollbook.errors import BadSetting, Refused, RollbookError, Unauthorized, Unknown
from rollbook.web.data.api import Receive
from rollbook.web.http.answers import JSON, NO_STORE, Answer, every_answer, failure

BODY_BYTES_MAX = 4096
FORM_TYPE = "application/x-www-form-urlencoded"


async def read_json(receive: Receive) -> dict[str, Any]:
    """The body as a JSON object. Errors: BadSetting, also for a body that is cut off."""
    body, is_whole = b"", False
    while not is_whole and len(body) <= BODY_BYTES_MAX:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    try:
        asked = orjson.loads(body) if is_whole and len(body) <= BODY_BYTES_MAX else None
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise BadSetting(f"expected a JSON object of at most {BODY_BYTES_MAX} bytes")
    return asked


def check_token(authorization: str, token: str) -> None:
    """Errors: Unauthorized without the published token; no other token opens these paths."""
    scheme, _, given = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Unauthorized(
            f"the demo's own paths take only its published token: send Authorization: Bearer {token}"
        )


def text_of(asked: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text parameter. Errors: BadSetting."""
    value = asked.get(name, default)
    if not isinstance(value, str) or (not value and default is None):
        raise BadSetting(f"{name}: expected a text")
    return value


def check_names(asked: Mapping[str, Any], *names: str) -> None:
    """Errors: BadSetting for an unknown parameter."""
    if unknown := sorted({*asked} - {*names}):
        raise BadSetting(f"{unknown[0]}: not known here; expected {', '.join(names) or 'no parameter'}")


def answered(body: Mapping[str, object]) -> Answer:
    return Answer(200, (NO_STORE, JSON), orjson.dumps(body))


def failed(error: RollbookError, method: str, path: str) -> Answer:
    if isinstance(error, Unauthorized):
        refusal = failure(error, method, path, "html")
        return refusal._replace(headers=(*every_answer(), *refusal.headers))
    body = orjson.dumps({"message": str(error), "error": str(error)})
    return Answer(status_of(error), (NO_STORE, JSON), body)


def status_of(error: RollbookError) -> int:
    """400 for a wrong request, 404 for something unknown, 409 for an act that is impossible now, 500 for our
    own trouble."""
    if isinstance(error, BadSetting):
        return 400
    if isinstance(error, Unknown):
        return 404
    return 409 if isinstance(error, Refused | Unauthorized) else 500
