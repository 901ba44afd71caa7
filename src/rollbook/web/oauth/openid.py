"""Who is signed in, for programs: `/userinfo`, the discovery document and the public keys. `/me` is a path of
the Data API."""

from __future__ import annotations

from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollbook.auth import oidc
from rollbook.auth.oidc import Signer
from rollbook.auth.tokens import Tokens
from rollbook.contract.clever import tiers
from rollbook.errors import ApiError, BadParameter, Busy, NoSuchEndpoint
from rollbook.settings import Settings, api_base_url, base_url
from rollbook.store.engine.database import Database
from rollbook.store.records import record_pages
from rollbook.store.records.reading import Reading
from rollbook.web.http import inline_or_thread
from rollbook.web.http.answers import BEARER, JSON, Answer, every_answer, failure
from rollbook.web.http.rate_limit import RateLimit
from rollbook.web.http.visits import limited_body


def routes(
    database: Database, settings: Settings, tokens: Tokens, signer: Signer, rate_limit: RateLimit
) -> list[Route]:
    """The routes `/userinfo`, `/.well-known/openid-configuration` and `/oauth/certs`."""
    document = orjson.dumps(oidc.discovery(base_url(settings), api_base_url(settings)))

    async def userinfo(request: Request) -> Response:
        body = await limited_body(request) if request.method == "POST" else b""
        return _sent(
            await inline_or_thread.done(
                database, _userinfo, database, settings, tokens, rate_limit, request, body
            )
        )

    async def discovery(_: Request) -> Response:
        return _sent(Answer(200, (JSON,), document))

    async def certs(_: Request) -> Response:
        try:
            keys = await inline_or_thread.done(database, signer.certs)
        except Busy:  # there is no key yet, and another process is writing
            return _sent(Answer(503, (JSON, (b"retry-after", b"5")), b'{"message":"Busy","error":"Busy"}'))
        return _sent(Answer(200, (JSON,), orjson.dumps({"keys": keys})))

    return [
        Route("/userinfo", userinfo, methods=["GET", "POST"]),
        Route("/.well-known/openid-configuration", discovery, methods=["GET"]),
        Route("/oauth/certs", certs, methods=["GET"]),
    ]


def _userinfo(
    database: Database,
    settings: Settings,
    tokens: Tokens,
    rate_limit: RateLimit,
    request: Request,
    form: bytes,
) -> Answer:
    """OpenID Connect Core, 5.3, in the recorded form. The role is that of the login (protocol.md 2.2)."""
    limited: tuple[tuple[bytes, bytes], ...] = ()
    try:
        authorization = _authorization(request, form)
        with database.read() as transaction:
            # A worker's remembered tokens belong to one thread, so this one asks the store.
            access = Tokens(in_demo=tokens.in_demo).resolve(transaction, authorization)
            limited = rate_limit.admit(access.bucket)
            if access.holder != "user":
                raise NoSuchEndpoint("/userinfo")
            stored = record_pages.get(Reading(transaction, access), "users", access.user)
        record = tiers.cut(access, "users", orjson.loads(stored.body))
        body = oidc.userinfo(record, access.role, access.district_id, access.authorized_by)
        return Answer(200, (JSON, *limited), orjson.dumps(body))
    except BadParameter as error:  # RFC 6750, 3.1
        answer = failure(error, request.method, "/userinfo", settings.wrong_token)
        return Answer(
            answer.status,
            (*answer.headers, (b"www-authenticate", BEARER + b', error="invalid_request"')),
            answer.body,
        )
    except ApiError as error:
        answer = failure(error, request.method, "/userinfo", settings.wrong_token)
        return Answer(answer.status, (*limited, *answer.headers), answer.body)


def _authorization(request: Request, form: bytes) -> str:
    """The Authorization header, or the form's token in its place. Errors: BadParameter.

    RFC 6750, 2.2: the form is a POST with its own content type. 2: a token comes in only one way, and once.
    """
    header = request.headers.get("authorization", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    pairs = parse_qsl(form.decode("utf-8", "replace")) if kind == "application/x-www-form-urlencoded" else []
    sent = [value for name, value in pairs if name == "access_token"]
    if not sent:
        return header
    if len(sent) > 1 or header.strip().lower().startswith("bearer") or "access_token" in request.query_params:
        raise BadParameter(
            "access_token: expected once, in the Authorization header or in the form and not in both"
        )
    return f"Bearer {sent[0]}"


def _sent(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers.extend([*every_answer(), *answer.headers])
    return response
