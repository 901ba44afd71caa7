"""Requests to the demo's pages, as routes of the site: JSON with the published token, or a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from rollbook.demo import json_requests
from rollbook.demo.json_requests import FORM_TYPE
from rollbook.errors import RollbookError
from rollbook.web.http.answers import Answer
from rollbook.web.http.visits import FORM_BYTES_MAX, limited_body

# Parameters that are whole numbers; a form sends them as text.
NUMBERS = ("days", "requests", "status", "delay_ms")


def is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith(FORM_TYPE)


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Errors: BadSetting."""
    return await json_requests.read_json(request.receive)


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
    json_requests.check_token(request.headers.get("authorization", ""), token)


def answered(body: Mapping[str, object]) -> Response:
    return _response(json_requests.answered(body))


def failed(error: RollbookError, request: Request) -> Response:
    return _response(json_requests.failed(error, request.method, request.url.path))


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers.extend(answer.headers)
    return response
