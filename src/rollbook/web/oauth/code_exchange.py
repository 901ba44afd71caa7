"""`POST /oauth/tokens`: exchange a code for a user token and, if the application uses OpenID Connect, an id
token.

RFC 6749, 4.1.3 and 5; the errors are exactly those of protocol.md 1.3. A code works once: at a second use,
the token made from it is revoked (RFC 9700, 4.5).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollbook.auth import oauth, oidc
from rollbook.auth.oidc import Signer
from rollbook.auth.tokens import basic
from rollbook.contract.clever import tiers
from rollbook.contract.clever.tiers import TIER
from rollbook.domain.access import Access
from rollbook.errors import Busy, NotFound, TokenRefused
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import applications, audit, logins
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.logins import Grant
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import record_pages
from rollbook.store.records.reading import Reading
from rollbook.web.http import inline_or_thread
from rollbook.web.http.answers import BASIC, every_answer
from rollbook.web.http.request_tap import note
from rollbook.web.http.visits import address_of, limited_body

MARK_LENGTH = 12
_JSON = "application/json; charset=utf-8"
_FORM_TYPES = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-url-encoded",
)  # the second path is printed in old samples
_INVALID_CODE = TokenRefused("invalid_grant", "invalid code")


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code stands for, and the claims of its id token (empty: no id token)."""

    grant: Grant
    claims: dict[str, object]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the token endpoint needs."""

    database: Database
    settings: Settings
    signer: Signer
    in_demo: bool

    def route(self) -> Route:
        return Route("/oauth/tokens", self.endpoint, methods=["POST"])

    async def endpoint(self, request: Request) -> Response:
        asked = (request, await limited_body(request))
        try:
            try:
                answer = await inline_or_thread.done(self.database, self._exchange, *asked)
            except Busy:  # two exchanges of one code at once: the retry sees what the other has written
                answer = await inline_or_thread.done(self.database, self._exchange, *asked)
            return _json(answer, 200)
        except TokenRefused as error:
            return _json({"error": error.code, "error_description": str(error)}, error.status)
        except Busy:
            return _json(
                {"error": "temporarily_unavailable", "error_description": "busy; try again in a moment"}, 503
            )

    def _exchange(self, request: Request, body: bytes) -> dict[str, object]:
        """Everything is checked before anything is written, so a stranger never makes writers wait."""
        content_type = request.headers.get("content-type", "")
        given = _read_body(content_type, body)
        credentials = _credentials(request.headers.get("authorization", ""), given)
        with self.database.read() as transaction:
            application = applications.authenticated(transaction, *credentials, in_demo=self.in_demo)
            if application is None:
                raise TokenRefused("invalid_client", "unknown client id, or wrong client secret", 401)
            code, redirect_uri, verifier = oauth.read_token_request(content_type, given, request.query_params)
            # Whose code it was, and whether it comes twice: by a mark from which no code can be made.
            mark = hashlib.sha256(code.encode()).hexdigest()[:MARK_LENGTH]
            note(request.scope, client=application.client_id, code=mark)
            redeemed = self._redeem(transaction, application, code, redirect_uri, verifier)
        self.signer.ensure_key()
        token = self._mint(redeemed, code, address_of(request)) if redeemed else None
        if redeemed is None or token is None:
            self._note_reuse(code, address_of(request))
            note(request.scope, stopped="code")
            raise _INVALID_CODE
        answer: dict[str, object] = {"access_token": token, "token_type": "bearer"}
        # Signing takes longest, and no other writer should wait for it.
        return {**answer, "id_token": self.signer.sign(redeemed.claims)} if redeemed.claims else answer

    def _redeem(
        self, transaction: Transaction, application: Application, code: str, redirect_uri: str, verifier: str
    ) -> Redeemed | None:
        """What the code stands for, after checking that this client may exchange it, from this address, now.

        None if the code was already exchanged. Access that the application has lost since the code was made
        is not granted.
        """
        found = logins.grant_of(transaction, code, seconds=self.settings.code_seconds)
        if found is None or found[0].application != application.number:
            raise _INVALID_CODE
        grant, is_over, token_hash = found
        if token_hash:
            return None
        access = logins.access_for(transaction, grant)
        if is_over or access is None or grant.role not in application.user_types:
            raise _INVALID_CODE
        if not hmac.compare_digest(redirect_uri.encode(), grant.redirect_uri.encode()):
            raise TokenRefused("invalid_grant", "invalid redirect")
        oauth.check_verifier(grant.challenge, grant.challenge_method, verifier)
        return Redeemed(grant, self._claims(transaction, application, access, grant))

    def _claims(
        self, transaction: Transaction, application: Application, access: Access, grant: Grant
    ) -> dict[str, object]:
        """The claims of the id token in the answer (empty: no id token)."""
        try:
            stored = record_pages.get(Reading(transaction, access), "users", grant.user_id)
        except NotFound:  # the district has removed the person from the share meanwhile
            raise _INVALID_CODE from None
        if not (
            application.has_oidc and grant.authorized_by == "district" and TIER[application.tier].has_id_token
        ):
            return {}
        person = tiers.cut(access, "users", orjson.loads(stored.body))
        return oidc.id_token_claims(
            base_url(self.settings), application.client_id, access.district_id, person, grant
        )

    def _mint(self, redeemed: Redeemed, code: str, address: str) -> str | None:
        """A token for the code; None if another exchange was faster."""
        with self.database.write(is_durable=False) as transaction:
            token = logins.new_token()
            if not logins.spend_code(
                transaction, code, token, remember_seconds=self.settings.user_token_seconds
            ):
                return None
            seconds = self.settings.user_token_seconds
            return logins.mint(transaction, redeemed.grant, seconds=seconds, token=token, address=address)

    def _note_reuse(self, code: str, address: str) -> None:
        """RFC 9700, 4.5: someone else has the code, too, so the token made from it is revoked."""
        with self.database.write() as transaction:
            found = logins.grant_of(transaction, code)
            grant, _, token_hash = found if found else (None, False, None)
            if grant is None or token_hash is None:
                return
            logins.revoke(transaction, token_hash)
            audit.record(
                transaction,
                "code used twice, token revoked",
                district=grant.district,
                application=grant.application,
                user_id=grant.user_id,
                address=address,
            )


def _read_body(content_type: str, body: bytes) -> dict[str, str]:
    """The parameters of a form or JSON body; none may stand twice (RFC 6749, 3.2). Errors: TokenRefused."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            given = orjson.loads(body or b"{}")
        except ValueError:
            raise TokenRefused("invalid_request", "the body is not JSON") from None
        if not isinstance(given, dict):
            raise TokenRefused("invalid_request", "expected a JSON object")
        return {name: value for name, value in given.items() if isinstance(value, str)}
    if kind not in _FORM_TYPES and (kind or body):
        raise TokenRefused("invalid_request", "invalid content-type")
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    if len(dict(pairs)) != len(pairs):
        raise TokenRefused("invalid_request", "a parameter stands twice")
    return dict(pairs)


def _credentials(authorization: str, given: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret, from the Basic header or the body. Errors: TokenRefused.

    RFC 6749, 2.3: a client uses only one way. Real clients that use both send the same values twice, which is
    accepted.
    """
    in_header, in_body = basic(authorization), (given.get("client_id", ""), given.get("client_secret", ""))
    if in_header and in_body[1] and in_header != in_body:
        raise TokenRefused("invalid_request", "the header and the body hold different client credentials")
    return in_header or in_body


def _json(body: dict[str, object], status: int) -> Response:
    """RFC 6749, 5.1: no cache may store it. 5.2: a client that failed to authenticate learns which scheme to
    use."""
    headers = {"pragma": "no-cache"} | ({"www-authenticate": BASIC.decode()} if status == 401 else {})
    response = Response(orjson.dumps(body), status, headers, media_type=_JSON)
    response.raw_headers.extend(every_answer())
    return response
