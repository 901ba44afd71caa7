"""The record types of `rollbook.client`, made from the contract's rows: a class for each shape, a field for
each row.

A row counts if its field is on the wire in any version.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from rollbook.contract.clever.fields import FIRST, SHAPES, Field
from rollbook.domain.kinds import KINDS, ROLES

PAGE = Path(__file__).parent.parent / "src" / "rollbook" / "client" / "record_types.py"
WIDTH = 110
# A field with more words than this is described in the reference.
WORDS_MAX = 20
HEAD = '''"""The records of the API as types.

Made from the contract's rows by `make docs`: to change this file, change the rows. A field that an answer does not
have is None: it is not shared, or the record has none. A field that has no row here is ignored.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import msgspec
'''
TAIL = """

KINDS: tuple[type[Record], ...] = ({kinds})
"""
BASE = '''

class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of a kind; `KIND` is the kind's name in paths and events."""

    KIND: ClassVar[str]
    id: str
    """24 hex characters, unique over all districts and kinds, never reused."""


R = TypeVar("R", bound=Record)
'''
# The same text as a user's own `email`, which lists show twice and events once.
TWICE = {("Student", "email")}
HELP = {
    **{kind.shape: kind.help for kind in KINDS},
    **{role.shape: f"What a user has as a {role.name.replace('_', ' ')}." for role in ROLES},
    "DistrictContact": "The owner of a district's account.",
    "Location": "An address.",
    "Principal": "The head of a school.",
    "Name": "A person's name.",
    "Roles": "The roles of a user; only those that the person holds are there.",
    "StudentRelationship": "How a contact is related to one student.",
    "SchoolEnrollment": "A span of time in a school.",
    "Credentials": "How the district knows a person's login.",
    "Disability": "A student's disability.",
    "PreferredName": "How a student wants to be called.",
    "LmsStatus": "What the learning management system knows.",
}


def page() -> str:
    """The whole file."""
    kinds = ", ".join(kind.shape for kind in KINDS)
    return HEAD + BASE + "".join(_class(shape) for shape in _in_order()) + TAIL.format(kinds=kinds)


def _in_order() -> list[str]:
    """The shapes, each after those that it names, because the language reads their fields in this order."""
    found: list[str] = []

    def visit(shape: str) -> None:
        for field in SHAPES[shape]:
            if field.of:
                visit(field.of)
        if shape not in found:
            found.append(shape)

    for shape in SHAPES:
        visit(shape)
    return found


def _class(shape: str) -> str:
    kind = next((kind for kind in KINDS if kind.shape == shape), None)
    base = "Record" if kind else "msgspec.Struct"
    lines = [f"class {shape}({base}, frozen=True, gc=False):", *_documented(HELP[shape]), ""]
    if kind:
        lines += [f'    KIND: ClassVar[str] = "{kind.name}"']
    shown = [f for f in SHAPES[shape] if f.is_on_wire and (shape, f.name) not in TWICE]
    for field in shown:
        if kind and field.name == "id":
            continue
        lines += [f"    {field.name}: {_type(field)} | None = None", *_documented(_help(field))]
    return "\n\n" + "\n".join(lines) + "\n"


def _type(field: Field) -> str:
    plain = {"string": "str", "boolean": "bool"}.get(field.type)
    if field.type == "object":
        plain = field.of or "dict[str, Any]"
    return plain or f"list[{field.of or 'str'}]"


def _help(field: Field) -> str:
    said = [field.help.rstrip(".")] if field.help else []
    if 0 < len(field.enum) <= WORDS_MAX:
        words = field.words("3.1")
        said.append("One of " + ", ".join(f"`{word}`" if word else '`""`' for word in words) if words else "")
    if field.scope:
        said.append(f"Needs the scope `{field.scope}`")
    if field.since != FIRST:
        said.append(f"From v{field.since} on")
    return ". ".join(part for part in said if part) + "." if any(said) else ""


def _documented(text: str) -> Iterator[str]:
    if not text:
        return
    whole = f'    """{text}"""'
    if len(whole) <= WIDTH:
        yield whole
        return
    lines = textwrap.wrap(text, WIDTH - 8)
    yield f'    """{lines[0]}'
    yield from (f"    {line}" for line in lines[1:-1])
    yield f"    {lines[-1]}"
    yield '    """'
