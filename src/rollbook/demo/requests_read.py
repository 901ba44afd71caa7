"""Read requests to the demo's own paths: JSON with the published token, or a form of its page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rollbook.auth.tokens import bearer
from rollbook.errors import BadSetting, Refused, RollbookError, Unauthorized, Unknown
from rollbook.web.http.answers import as_response, failure
from rollbook.web.http.visits import FORM_BYTES_MAX, limited_body

BODY_BYTES_MAX = 4096
# Parameters that are whole numbers; a form sends them as text.
NUMBERS = ("days", "requests", "status", "delay_ms")
FORM_TYPE = "application/x-www-form-urlencoded"
_JSON = "application/json; charset=utf-8"


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith(FORM_TYPE)


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Errors: BadSetting."""
    try:
        asked = orjson.loads(await limited_body(request, BODY_BYTES_MAX))
    except orjson.JSONDecodeError:
        asked = None
    if not isinstance(asked, dict):
        raise BadSetting(f"expected a JSON object of at most {BODY_BYTES_MAX} bytes")
    return asked


async def read_form(request: Request, *, with_blanks: bool = False) -> dict[str, str]:
    """The filled-in fields of a form, or all of them."""
    body = (await limited_body(request, FORM_BYTES_MAX)).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=with_blanks))


def as_asked(form: Mapping[str, str]) -> dict[str, Any]:
    """A form's request, in the form of JSON."""
    return {
        name: int(text) if name in NUMBERS and text.isascii() and text.isdigit() else text
        for name, text in form.items()
    }


def check_token(request: Request, token: str) -> None:
    """Errors: Unauthorized without the published token; no other token opens these paths."""
    given = bearer(request.headers.get("authorization", ""))
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Unauthorized("Unrecognized token string")


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


def answered(body: Mapping[str, object]) -> Response:
    return Response(orjson.dumps(body), media_type=_JSON, headers={"Cache-Control": "no-store"})


def failed(error: RollbookError, request: Request) -> Response:
    if isinstance(error, Unauthorized):
        return as_response(failure(error, request.method, request.url.path, "html"))
    body = orjson.dumps({"message": str(error), "error": str(error)})
    return Response(body, status_of(error), {"Cache-Control": "no-store"}, media_type=_JSON)


def status_of(error: RollbookError) -> int:
    """400 for a wrong request, 404 for something unknown, 409 for an act that is impossible now, 500 for our
    own trouble."""
    if isinstance(error, BadSetting):
        return 400
    if isinstance(error, Unknown):
        return 404
    return 409 if isinstance(error, Refused | Unauthorized) else 500
