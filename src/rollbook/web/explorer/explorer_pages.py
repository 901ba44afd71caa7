"""The pages of the Explorer: each operation with its answer, each kind of record, and a sign-in step by step.

The server makes the same page for browsers with and without JavaScript. The answer comes from this server's
own API (`asking`), with the credential of the page (`credential_choice`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from anyio import to_thread
from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from rollbook.contract.clever import openapi_schemas
from rollbook.contract.clever.event_rows import VERBS
from rollbook.web.explorer import answer_hints, answer_view, credential_choice, field_marks, samples
from rollbook.web.explorer.answer_view import View
from rollbook.web.explorer.asking import Answered, Asked, Pairs, Server, ask
from rollbook.web.explorer.catalog import HOME, ID, VERSION, Catalog, Operation, Parameter
from rollbook.web.explorer.chosen import FIRST, NUMBERS, Chosen, version_of
from rollbook.web.explorer.credential_choice import Credential
from rollbook.web.explorer.published_tokens import Offer
from rollbook.web.explorer.record_names import Choice, Names, Reads, titled
from rollbook.web.explorer.signing_in import sign_in
from rollbook.web.http.page_compression import compressing
from rollbook.web.http.safety_headers import safety
from rollbook.web.http.visits import limited_body

# What a page itself reads, besides the parameters of the API.
_SECRETS = ("token", "real", "basic_id", "basic_secret")
_OWN = ("as", VERSION, "other_id", *_SECRETS)
_OPENS_ON = "/users"
_CODE = re.compile(r"`([^`]+)`")
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the request form."""

    parameter: Parameter
    value: str
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """The result of a request: the answer, and how it is shown."""

    asked: Asked
    answered: Answered
    view: View
    hints: Sequence[str]


@dataclass(slots=True)
class Explorer:
    """What the pages need: the server, reads that count against no limit, and the credentials of a demo."""

    server: Server
    templates: Environment
    reads: Reads
    offers: Callable[[], Offer | None] | None
    catalogs: dict[str, Catalog] = field(
        default_factory=lambda: {number: Catalog(number) for number in NUMBERS}
    )

    def routes(self) -> list[Route]:
        """The routes below `/explorer`."""
        return [
            Route(HOME, compressing(self.operation), methods=["GET", "POST"]),
            Route(f"{HOME}/records/{{kind}}", compressing(self.record), methods=["GET"]),
            Route(f"{HOME}/sign-in", compressing(self.signing_in), methods=["GET", "POST"]),
            Route(f"{HOME}/{{slug:path}}", compressing(self.operation), methods=["GET", "POST"]),
        ]

    async def operation(self, request: Request) -> Response:
        """An operation with its answer. Without parameters, it opens with an example."""
        # A secret in an address is not used, not even to say what it opens: addresses are shared and written to logs.
        asked_for = [pair for pair in request.query_params.multi_items() if pair[0] not in _SECRETS]
        given = [*asked_for, *await _form(request)]
        own = {name: value for name, value in given if name in _OWN}
        version, trouble = version_of(own.get(VERSION, ""))
        catalog = self.catalogs[version]
        operation = catalog.by_slug.get(
            f"/{request.path_params['slug']}" if request.path_params else _OPENS_ON
        )
        if operation is None:
            raise HTTPException(404)
        offer = await self._offer()
        credential = await to_thread.run_sync(
            credential_choice.choose, operation, own.get("as", ""), own, offer
        )
        chosen = Chosen(version, credential.name, offer, trouble)
        names = Names(self.reads, credential.authorization, catalog.version)
        pairs = tuple((name, value) for name, value in given if name not in _OWN)
        choices = await to_thread.run_sync(names.choices, operation) if operation.has_id else []
        asked = _asked(operation, pairs or operation.example, own.get("other_id", ""), choices, credential)
        answered = None
        if credential.may_send and not _missing(operation, asked):
            answered = await ask(self.server, asked, request.scope)
        context = {
            "operation": operation,
            "credential": credential,
            "asked": asked,
            "missing": _missing(operation, asked),
            "samples": samples.of(asked, str(request.base_url), is_public=credential.is_public),
        }

        def render() -> Response:
            shown = self._shown(operation, asked, answered, names, chosen) if answered else None
            people = _people(names, credential, offer) if operation.takes == "bearer" else []
            fields = _fields(operation, asked, choices, names)
            return self._page(
                "explorer/operation.html",
                chosen,
                _address(operation, asked),
                **context,
                shown=shown,
                people=people,
                fields=fields,
                export_line=samples.export_line(operation.takes),
                shapes=field_marks.shapes(operation.shape, catalog.version),
            )

        return await to_thread.run_sync(render)

    def _shown(
        self,
        operation: Operation,
        asked: Asked,
        answered: Answered,
        names: Names,
        chosen: Chosen,
    ) -> Shown:
        catalog = self.catalogs[chosen.version]
        view = answer_view.view(answered, operation, catalog, names, chosen.kept)
        return Shown(asked, answered, view, answer_hints.hints(operation, asked, answered))

    async def record(self, request: Request) -> Response:
        """A kind of record: its fields, the operations that return it, and its events."""
        kind = next(
            (each for each in openapi_schemas.SERVED if each.name == request.path_params["kind"]), None
        )
        if kind is None:
            raise HTTPException(404)
        version, trouble = version_of(request.query_params.get(VERSION, ""))
        catalog = self.catalogs[version]
        return self._page(
            "explorer/record.html",
            Chosen(version, offer=await self._offer(), trouble=trouble),
            f"{HOME}/records/{kind.name}",
            kind=kind,
            shapes=field_marks.shapes(kind.shape, catalog.version),
            answering=[each for each in catalog.operations if each.kind == kind.name],
            verbs=() if kind.name == "events" else VERBS,
        )

    async def signing_in(self, request: Request) -> Response:
        """A whole sign-in: a code, its exchange, and the person.

        It changes nothing in the visitor's browser.
        """
        offer = await self._offer()
        given = {**request.query_params, **dict(await _form(request))}
        version, trouble = version_of(given.get(VERSION, ""))
        catalog = self.catalogs[version]
        chosen = Chosen(version, offer=offer, trouble=trouble)
        credential = await to_thread.run_sync(
            credential_choice.choose, catalog.by_slug[_OPENS_ON], "", {}, offer
        )
        names = Names(self.reads, credential.authorization, catalog.version)
        people = await to_thread.run_sync(_people, names, credential, offer)
        steps = None
        if offer and request.method == "POST" and given.get("person"):
            client = offer.client(given.get("client", ""))
            steps = await sign_in(
                self.server, request.scope, client, offer, given["person"], version=catalog.version
            )
        views = [
            answer_view.view(step.answered, catalog.by_slug["/me"], catalog, names, chosen.kept)
            for step in steps or ()
        ]
        return self._page(
            "explorer/sign_in.html",
            chosen,
            f"{HOME}/sign-in",
            people=people,
            given=given,
            steps=list(zip(steps or (), views, strict=True)),
        )

    def _page(self, template: str, chosen: Chosen, address: str, **context: Any) -> HTMLResponse:
        shared = {
            "code_marks": _code_marks,
            "size": _size,
            "groups": list(self.catalogs[chosen.version].groups()),
            "kinds": openapi_schemas.SERVED,
            "offer": chosen.offer,
            "kept": chosen.kept,
            "place": chosen.kept(address),
            "api_version": chosen.version,
            "is_first_version": chosen.version == FIRST,
            "api_versions": chosen.versions(address),
            "version_trouble": chosen.trouble,
        }
        html = self.templates.get_template(template).render(**shared, **context)
        # The page shows records, and the host of its request, so no cache may keep it.
        return HTMLResponse(html, headers={**safety("'self'"), "Cache-Control": "no-store"})

    async def _offer(self) -> Offer | None:
        return await to_thread.run_sync(self.offers) if self.offers else None


def _code_marks(text: str) -> Markup:
    """Text of the rows, with its `code` marked."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def _size(body: bytes) -> str:
    return f"{len(body)} bytes" if len(body) < 1024 else f"{len(body) / 1024:.1f} KB"


async def _form(request: Request) -> list[tuple[str, str]]:
    if request.method != "POST":
        return []
    body = await limited_body(request)
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _asked(
    operation: Operation, pairs: Pairs, other_id: str, choices: list[Choice], credential: Credential
) -> Asked:
    """The request for these parameters. A typed id goes before a chosen one."""
    path = operation.path
    filled = [(name, value.strip()) for name, value in pairs if value.strip()]
    if operation.has_id:
        chosen = next((value for name, value in filled if name == ID), choices[0].id if choices else "")
        path = path.replace(f"{{{ID}}}", other_id.strip() or chosen or f"{{{ID}}}")
        filled = [(name, value) for name, value in filled if name != ID]
    in_form = {parameter.name for parameter in operation.parameters if parameter.place == "form"}
    return Asked(
        operation.method,
        path,
        tuple(pair for pair in filled if pair[0] not in in_form),
        credential.authorization,
        tuple(pair for pair in filled if pair[0] in in_form),
    )


def _missing(operation: Operation, asked: Asked) -> list[str]:
    """The required parameters without a value."""
    there = {name for name, _ in (*asked.query, *asked.form)}
    if operation.has_id and f"{{{ID}}}" not in asked.path:
        there.add(ID)
    return [each.name for each in operation.parameters if each.is_required and each.name not in there]


def _address(operation: Operation, asked: Asked) -> str:
    """The address of the page with this request, for sharing: it names no token."""
    pairs = list(asked.query)
    if operation.has_id and f"{{{ID}}}" not in asked.path:
        pairs.insert(0, (ID, _id_in(operation, asked)))
    return f"{operation.address}?{urlencode(pairs)}" if pairs else operation.address


def _id_in(operation: Operation, asked: Asked) -> str:
    at = operation.path.split("/").index(f"{{{ID}}}")
    return asked.path.split("/")[at]


def _fields(operation: Operation, asked: Asked, choices: list[Choice], names: Names) -> list[Field]:
    values: dict[str, list[str]] = {}
    for name, value in (*asked.query, *asked.form):
        values.setdefault(name, []).append(value)
    found = []
    for parameter in operation.parameters:
        if parameter.place == "path":
            chosen = "" if f"{{{ID}}}" in asked.path else _id_in(operation, asked)
            if chosen and chosen not in {choice.id for choice in choices}:
                choices = [Choice(chosen, names.of(operation.owner, chosen) or chosen), *choices]
            found.append(Field(parameter, chosen, tuple(choices)))
        else:
            found.append(Field(parameter, ",".join(values.get(parameter.name, []))))
    return found


def _people(names: Names, credential: Credential, offer: Offer | None) -> list[Choice]:
    """Some people of a demo, on whose behalf the page can ask."""
    if offer is None:
        return []
    district = Names(names.reads, f"Bearer {offer.tokens[0].token}", names.version)
    found = [
        Choice(entry["data"]["id"], titled("users", entry["data"]))
        for role in ("teacher", "student", "staff", "district_admin")
        for entry in (district.read("/users", f"role={role}&limit=6") or {"data": []})["data"]
    ]
    if (
        credential.name
        and not offer.token(credential.name)
        and credential.name not in {each.id for each in found}
    ):
        found.insert(0, Choice(credential.name, district.of("users", credential.name) or credential.name))
    return list({choice.id: choice for choice in found}.values())
