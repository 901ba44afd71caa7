"""Sentences beside an answer, as rows of a condition and a sentence. The answer itself stays unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from rollbook.contract.clever.query import LIMIT_MAX, SINCE_SNAPSHOT
from rollbook.web.explorer.asking import Answered, Asked
from rollbook.web.explorer.catalog import Operation, Parameter

_OF_STATUS = {
    401: "The server does not know this token: it may have ended, or belong to another server.",
    413: f"`limit` may be at most {LIMIT_MAX}.",
    429: "This token has used up its requests of this minute. The header X-RateLimit-Reset says when it goes on.",
    504: "The server was told to give no answer: see the faults of the demo.",
}


def hints(operation: Operation, asked: Asked, answered: Answered) -> list[str]:
    """The sentences that apply to a request and its answer."""
    return [*_unknown(operation, asked), *_refused(operation, answered)]


def _unknown(operation: Operation, asked: Asked) -> Iterator[str]:
    known = [parameter.name for parameter in operation.parameters if parameter.place != "path"]
    for name in dict.fromkeys(name.partition("[")[0] for name, _ in asked.query):
        if name not in known and name != SINCE_SNAPSHOT:
            near = get_close_matches(name, known, 1, 0.5)
            meant = (
                f" Did you mean `{near[0]}`?" if near else f" Known are: {_listed(known)}." if known else ""
            )
            yield f"`{name[:40]}` is not a parameter of this operation, so the API ignored it.{meant}"


def _refused(operation: Operation, answered: Answered) -> Iterator[str]:
    if answered.status in _OF_STATUS:
        yield _OF_STATUS[answered.status]
    elif answered.status == 400 and operation.takes != "client":
        message = answered.body.decode("utf-8", "replace")
        named = [
            each
            for each in operation.parameters
            if f'"{each.name}: ' in message or f'"{each.name}, ' in message
        ]
        yield from (_described(parameter) for parameter in named)
    elif answered.status == 404 and operation.takes:
        is_page = "text/html" in answered.header("content-type")
        if is_page:
            wanted = "a user token" if operation.group == "Identity" else "a token that reaches it"
            yield f'This token does not open this path: it needs {wanted}. Choose another one under "As".'
        else:
            yield "No record with this id is shared with this token. A missing record and an unshared one look the same."


def _described(parameter: Parameter) -> str:
    values = f" It takes {_listed(parameter.values)}." if parameter.values else ""
    return f"`{parameter.name}`: {parameter.help}{values}"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
