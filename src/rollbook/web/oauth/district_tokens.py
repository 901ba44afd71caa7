"""The OAuth paths without a login page: the list of an application's district tokens, and what a token is
for.

`/oauth/tokens` takes Basic credentials, `/oauth/tokeninfo` any bearer token. Neither counts against the rate
limit.
"""

from __future__ import annotations

import hashlib
import logging

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollbook.auth.tokens import Tokens, basic
from rollbook.contract.clever.query import link, values_of
from rollbook.errors import ApiError, BadParameter, BadSetting, Unauthorized
from rollbook.store.accounts import applications, connections
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.web.http import inline_or_thread
from rollbook.web.http.answers import BASIC, failure
from rollbook.web.http.route_answers import as_response, with_headers

_JSON = "application/json; charset=utf-8"


def routes(database: Database, sealer: Sealer, tokens: Tokens) -> list[Route]:
    """The routes of `/oauth/tokens` and `/oauth/tokeninfo`."""

    async def list_tokens(request: Request) -> Response:
        return await inline_or_thread.done(database, _list_tokens, database, sealer, tokens.in_demo, request)

    async def token_info(request: Request) -> Response:
        return await inline_or_thread.done(database, _token_info, database, tokens.in_demo, request)

    return [
        Route("/oauth/tokens", list_tokens, methods=["GET"]),
        Route("/oauth/tokeninfo", token_info, methods=["GET"]),
    ]


def _list_tokens(database: Database, sealer: Sealer, in_demo: bool, request: Request) -> Response:
    credentials = basic(request.headers.get("authorization", ""))
    with database.read() as transaction:
        application = (
            applications.authenticated(transaction, *credentials, in_demo=in_demo) if credentials else None
        )
        if application is None:
            return _bad_client()
        try:
            district = values_of(request.url.query, ("district",)).get("district", [None])[-1]
            tokens = connections.list_tokens(
                transaction, sealer, application.number, district, in_demo=in_demo
            )
        except BadParameter as error:
            return as_response(failure(error, request.method, request.url.path, "html"))
        except BadSetting as error:
            # The key is not the one that sealed the tokens: only the operator should learn this.
            logging.getLogger(__name__).error("no list of tokens: %s", error)
            return as_response(failure(ApiError("Internal error"), request.method, request.url.path, "html"))
    listed = [
        {
            "id": token.id,
            "created": token.created,
            "owner": {"type": "district", "id": token.district_id},
            "access_token": token.access_token,
            "scopes": token.scopes,
        }
        for token in tokens
    ]
    asked = f"/oauth/tokens?{request.url.query}" if request.url.query else "/oauth/tokens"
    return _json(b'{"data":%b,"links":[%b]}' % (orjson.dumps(listed), link("self", asked).encode()))


def _token_info(database: Database, in_demo: bool, request: Request) -> Response:
    try:
        with database.read() as transaction:
            access = Tokens(in_demo=in_demo).resolve(transaction, request.headers.get("authorization", ""))
    except Unauthorized as error:
        return as_response(failure(error, request.method, request.url.path, "html"))
    return _json(orjson.dumps({"client_id": access.client_id, "scopes": access.scopes}))


def _bad_client() -> Response:
    """RFC 6749, 5.2: invalid_client is 401, with the scheme that the client may use."""
    body = {
        "error": "invalid_client",
        "error_description": "unknown client id, or wrong client secret; expected HTTP Basic",
    }
    return with_headers(
        Response(orjson.dumps(body), 401, {"www-authenticate": BASIC.decode()}, media_type=_JSON)
    )


def _json(body: bytes) -> Response:
    etag = f'W/"{hashlib.blake2b(body, digest_size=15).hexdigest()}"'
    return with_headers(Response(body, headers={"etag": etag}, media_type=_JSON))


async def preflight(_: Request) -> Response:
    """The answer to a browser's preflight request for a page of another site, as in the Data API."""
    return with_headers(Response(status_code=204))
