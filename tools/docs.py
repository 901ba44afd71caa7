"""Writes the generated files: the pages of docs/reference/, the client's record types, the drawing in
ARCHITECTURE.md.

`python -m tools.docs` writes them. With `--check` it writes nothing, names the outdated ones, and exits with
1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields as rows_of
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from rollbook.cli import rollbook
from rollbook.contract.clever import openapi, openapi_schemas, versions
from rollbook.contract.clever.column_values import VALUE, Values
from rollbook.contract.clever.columns import FILES, Column, File, columns_of
from rollbook.contract.clever.endpoints import ENDPOINTS, EVENTS, Endpoint
from rollbook.contract.clever.field_sources import columns_of_field
from rollbook.contract.clever.fields import SHAPES, Field
from rollbook.contract.clever.record_links import FIELD_LINKS, by_path_alone
from rollbook.contract.clever.sign_in_rows import SIGN_IN_OPERATIONS, SIGN_IN_SHAPES, TAGS
from rollbook.domain.kinds import Kind
from rollbook.domain.reading_rules import DEFAULTS, SWITCHES
from rollbook.roster.problems import PROBLEMS, Problem
from rollbook.settings import PREFIX, Settings
from rollbook.web.docs import record_drawing
from tools import client_types, house

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
VERSION = "3.0"
NOTE = "<!-- Made from the code by `make docs`. To change this page, change the rows it is made from. -->"
HELP_WIDTH = 100


def main(arguments: list[str]) -> int:
    """Write the pages, or check them. Exit code 1: some are outdated; 2: the command line cannot be read."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m tools.docs [--check]", file=sys.stderr)
        return 2
    if arguments == ["--check"]:
        found = stale()
        for name in found:
            print(f"{name} is stale: run `make docs`", file=sys.stderr)
        return 1 if found else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES:
        (FOLDER / name).write_text(page(), "utf-8")
    for made in (house, client_types):
        made.PAGE.write_text(made.page(), "utf-8")
    return 0


def stale() -> list[str]:
    """Names of the pages that are missing, outdated, or no longer made."""
    made = {name: page() for name, page in PAGES}
    there = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    found = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    others = [made.PAGE.name for made in (house, client_types) if made.PAGE.read_text("utf-8") != made.page()]
    return [*found, *others]


# --- what pages are made of


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([NOTE, f"# {title}", *(part for part in parts if part)]) + "\n"


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """A table; `head` names the columns, with `|` between."""
    lines = [f"| {head} |", "|".join(["", *(" --- " for _ in head.split("|")), ""])]
    return "\n".join([*lines, *("| " + " | ".join(_cell(text) for text in row) + " |" for row in rows)])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _values(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" if value else '`""`' for value in values)


# --- README.md and records.md


def contents() -> str:
    """The list of the other pages, in their order."""
    rows = ((name, page, page().partition("\n# ")[2].partition("\n")[0]) for name, page in PAGES[2:])
    return _page("Reference", "\n".join(f"- [{title}]({name}): {_says(page)}" for name, page, title in rows))


def _says(page: Callable[[], str]) -> str:
    """The description of a page: the docstring of its function."""
    return " ".join((page.__doc__ or "").split()).removesuffix(".")


def records() -> str:
    """The data model as a drawing, and the fields that hold ids of other records."""
    links = (
        (_link(_SHAPE[link.kind]), _code(link.field), _link(_SHAPE[link.target])) for link in FIELD_LINKS
    )
    pairs = (f"{_SHAPE[first]} and {_SHAPE[second]}" for first, second in by_path_alone())
    return _page(
        "Records and their links",
        "A roster has seven kinds of record. A record names another one by its id.",
        f"![{record_drawing.TITLE}]({record_drawing.NAME})",
        "## Fields that hold ids\n\n" + _table("record | field | holds the id of", links),
        (
            "## Links by path\n\nNo field of either record holds the id of the other, but a "
            "[path](endpoints.md) leads from one to the other:"
        ),
        "\n".join(f"- {pair}" for pair in pairs),
    )


_SHAPE = {kind.name: kind.shape for kind in openapi_schemas.SERVED}


# --- endpoints.md


def endpoints() -> str:
    """Every path with its parameters and answer, then the meaning of each parameter, and the errors."""
    described: Any = openapi.document(version=VERSION)["components"]
    groups = (_group(kind) for kind in openapi_schemas.SERVED)
    parameters = (
        (_code(name), _bounds(row["schema"]), row["description"])
        for name, row in described["parameters"].items()
    )
    role = (
        _code("role"),
        "one of those named above",
        "Only users who have this role; they are shown with all their roles.",
    )
    failures = ((name, row["description"]) for name, row in described["responses"].items())
    return _page(
        "Paths of the API",
        f"All {len(ENDPOINTS)} paths of the Data API, and the two of the Events API, are GET, and begin with `/v{VERSION}`."
        " Below them stand the paths of Identity and OAuth, whole. The same, for programs, is at `/openapi.json`.",
        *groups,
        *(_sign_in_group(tag, help_text) for tag, help_text in TAGS),
        "## Parameters\n\n" + _table("parameter | values | meaning", [*parameters, role]),
        "## What goes wrong\n\n" + _table("answer | when", failures),
    )


def _group(kind: Kind) -> str:
    rows = [row for row in (*ENDPOINTS, *EVENTS) if row.source == kind.name]
    paths = [(_code(row.path), _answer(row), _parameters(row), row.operation) for row in rows]
    return f"## {kind.name.title()}\n\n{kind.help}\n\n" + _table(
        "path | answer | parameters | operation", paths
    )


_TAKES = {
    "user token": "a user token",
    "token": "any token",
    "client": "client id and secret (Basic)",
    "none": "",
}


def _sign_in_group(tag: str, help_text: str) -> str:
    rows = [
        (
            _code(f"{row.method.upper()} {openapi.address(row, VERSION)}"),
            _TAKES[row.takes],
            _link(row.answer) if row.answer else "a redirect, or a page",
            ", ".join(_code(parameter.name) for parameter in row.parameters),
            row.operation,
            " ".join(part for part in (f"{row.summary}.", row.help) if part),
        )
        for row in SIGN_IN_OPERATIONS
        if row.tag == tag
    ]
    head = "path | needs | answer | parameters | operation | meaning"
    return "\n\n".join([f"## {tag}", help_text, _table(head, rows), *_sign_in_parameters(tag)])


def _sign_in_parameters(tag: str) -> Iterator[str]:
    for row in SIGN_IN_OPERATIONS:
        if row.tag == tag and row.parameters:
            told = (
                (
                    _code(each.name),
                    "required" if each.is_required else "",
                    _values(each.values),
                    each.help,
                )
                for each in row.parameters
            )
            title = f"Parameters of `{row.method.upper()} {row.path}`:"
            yield f"{title}\n\n" + _table("parameter | needed | values | meaning", told)


def _answer(row: Endpoint) -> str:
    shape = next(kind.shape for kind in openapi_schemas.SERVED if kind.name == row.returns)
    if row in EVENTS:
        return f"page of {shape}s" if row.shape == "list" else shape
    return f"page of {_link(shape)}" if row.shape in ("list", "many") else _link(shape)


def _parameters(row: Endpoint) -> str:
    named = (f"`role` ({', '.join(row.roles)})" if name == "role" else f"`{name}`" for name in row.parameters)
    return ", ".join(named)


def _bounds(schema: dict[str, Any]) -> str:
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}, else {schema['default']}"
    if "enum" in schema:
        return _values(schema["enum"])
    if "items" in schema:
        return f"some of {_values(schema['items']['enum'])}"
    return "24 hex characters, or `last`" if "last" in schema["pattern"] else "24 hex characters"


def _link(shape: str) -> str:
    return f"[{shape}](fields.md#{shape.lower()})"


# --- fields.md


def fields() -> str:
    """Every field of every shape that this version serves."""
    shapes = [shape for shape in SHAPES if openapi_schemas.fields_of(shape, VERSION)]
    return _page(
        "Fields of the records",
        '**Guaranteed**: always has a value. **Nullable**: may be `""`, or left out; not `null`, save in what was cloned from a '
        "server that says `null`. **Validated**: its form is checked before it is served. A field that needs a scope is left out "
        "for a token without it. *From* names the CSV columns that are copied into the field; a field without one is derived.",
        *(_shape(shape, openapi_schemas.fields_of(shape, VERSION)) for shape in shapes),
        *_later_versions(),
        "The shapes from here on are those of Identity and OAuth.",
        *(_shape(shape, fields) for shape, fields in SIGN_IN_SHAPES.items()),
    )


def _later_versions() -> Iterable[str]:
    """What each later version adds to the records of the first one, as tables."""
    for version in versions.VERSIONS[1:]:
        rows = (
            (
                _code(f"{shape}.{row.name}"),
                _code(row.scope or ""),
                _values(row.enum[:15]) + _more(row),
                row.help,
            )
            for shape in SHAPES
            for row in openapi_schemas.fields_of(shape, version.number)
            if row.differs_in(version.number)
        )
        yield (
            f"**Version {version.number}** has the same paths and ids under `/{version.name}`. It adds "
            f"the fields below, or has other words for them. `/openapi.json?version={version.number}` describes it for programs."
        )
        yield _table("field | scope | words | meaning", rows)


def _more(field: Field) -> str:
    more = len(field.enum) - 15
    return f" and {more} more" if more > 0 else ""


def _shape(shape: str, served: tuple[Field, ...]) -> str:
    rows = (
        (
            _code(row.name),
            _type(row),
            ", ".join(openapi_schemas.marks(row)),
            _code(row.scope or ""),
            _from(shape, row),
            row.help,
        )
        for row in served
    )
    absent = ", ".join(f"`{row.name}`" for row in SHAPES.get(shape, ()) if not row.is_on_wire)
    never = f"Listed in the published files, and never sent: {absent}." if absent else ""
    table = _table("field | type | promises | scope | from | meaning", rows)
    return "\n\n".join(part for part in (f"## {shape}", table, _enums(served), never) if part)


def _enums(served: Iterable[Field]) -> str:
    named: dict[tuple[str, ...], list[str]] = {}
    for row in served:
        if row.enum:
            named.setdefault(row.enum, []).append(f"`{row.name}`")
    return "\n".join(f"- {' and '.join(names)}: {_values(values)}" for values, names in named.items())


def _type(field: Field) -> str:
    has_rows = field.of in SHAPES or field.of in SIGN_IN_SHAPES
    name = (
        f"[{field.of}](#{field.of.lower()})"
        if field.of and has_rows
        else field.of or field.format or "string"
    )
    if field.type == "array":
        return f"list of {name}"
    return (
        "map of strings"
        if field.type == "object" and not field.of
        else name
        if field.type != "boolean"
        else field.type
    )


def _from(shape: str, field: Field) -> str:
    sources = columns_of_field(shape, field)
    files = [
        (file, [column.header for column in columns])
        for file, columns in groupby(sources, lambda column: column.file)
    ]
    return "; ".join(f"{file}: {', '.join(headers)}" for file, headers in files)


# --- files.md

# Kinds of values whose words are listed; other kinds show the written value.
_LISTED = tuple(
    VALUE[name]
    for name in (
        "gender",
        "race",
        "frl",
        "phone_type",
        "relationship",
        "contact_type",
        "staff_role",
        "subject",
    )
)


def files() -> str:
    """Every file and column that a sync reads."""
    return _page(
        "Files of a district",
        "CSV files in UTF-8 with a header row, in one folder or zip file. Names of files are exact; in headers, letter case does "
        "not matter, and space, dash and underscore are equal. Files that allow it may have columns of the district's own, "
        "named `ext.` and anything; they appear under `ext` as text.",
        _table(
            "file | needed | holds",
            ((f"[{file.name}](#{file.table}csv)", _need(file), file.help) for file in FILES),
        ),
        *(_file(file) for file in FILES),
        "## Words\n\nWords that the columns take, in any letter case, with what the API shows. Further spellings with one "
        "meaning are read as well, such as `KG` or `Free Lunch`; a word that is not known is reported.\n\n"
        + _table("values | words | shown as", (row for values in _LISTED for row in _accepted(values))),
        (
            "## Rules\n\nHow the files of a district are read; `rollbook rules DISTRICT --set "
            "NAME=on` switches one.\n\n"
        )
        + _table(
            "rule | default | when it is on",
            ((_code(name), _on(DEFAULTS[name]), SWITCHES[name]) for name in SWITCHES),
        ),
    )


def _on(value: bool) -> str:
    return "on" if value else "off"


def _need(row: File | Column) -> str:
    if isinstance(row, Column) and row.with_contact:
        return "with a contact"
    return "required" if row.required else "old" if row.deprecated else ""


def _file(file: File) -> str:
    goes_to = _targets()
    rows = (
        (
            _code(row.header),
            _need(row),
            row.help,
            _holds(row),
            ", ".join(goes_to.get((row.file, row.header), ())),
        )
        for row in columns_of(file.name)
    )
    own = "\n\nMay have `ext.` columns." if file.own_columns else ""
    return f"## {file.name}\n\n{file.help}{own}\n\n" + _table(
        "column | needed | meaning | values | shown as", rows
    )


def _holds(column: Column) -> str:
    """What a column's values must be, besides text."""
    said = [VALUE[column.values].expected] if column.values else []
    said += ["unique in the district"] if column.unique else []
    said += [f"an id of {column.link}"] if column.link else []
    return "; ".join(said)


def _accepted(values: Values) -> Iterator[tuple[str, str, str]]:
    """Each value of the API, with the words for it."""
    words = {**values.words, **values.glosses, **values.examples}
    for shown in dict.fromkeys(words.values()):
        yield (
            values.name.replace("_", " "),
            _values(word for word, meaning in words.items() if meaning == shown),
            _code(shown),
        )


def _targets() -> dict[tuple[str, str], list[str]]:
    """The fields that each column is copied into, as `Shape.field`."""
    found: dict[tuple[str, str], list[str]] = {}
    for shape in SHAPES:
        for field in openapi_schemas.fields_of(shape, VERSION):
            for column in columns_of_field(shape, field):
                found.setdefault((column.file, column.header), []).append(
                    f"[{shape}](fields.md#{shape.lower()}).{field.name}"
                )
    return found


# --- problems.md


def problems() -> str:
    """Every finding that a sync may report."""
    severities = {
        "stop": "Stops: nothing is written",
        "error": "Errors: something is left out, the rest goes in",
        "warning": "Warnings: everything goes in that can be used",
    }
    return _page(
        "Problems a sync reports",
        "Each problem has a code that stays, and says where it is: file, row, column. The header is row 1.",
        *(f"## {title}\n\n" + _problems(severity) for severity, title in severities.items()),
    )


def _problems(severity: str) -> str:
    rows = (row for row in PROBLEMS if row.severity == severity)
    return _table("code | problem | left out | what to do", map(_problem, rows))


def _problem(row: type[Problem]) -> tuple[str, ...]:
    return _code(row.code), row.title, row.left_out, row.mend


# --- settings.md and cli.md


def settings() -> str:
    """Every setting, with its default."""
    rows = (
        (
            _code(PREFIX + row.name.upper()),
            _code(str(row.default)),
            _values(row.metadata["choices"]),
            row.metadata["help"],
        )
        for row in rows_of(Settings)
    )
    return _page(
        "Settings",
        (
            "Read from the environment; an option of the command line goes before it. "
            "`rollbook settings` prints what is in force."
        ),
        _table("variable | default | values | meaning", rows),
    )


def commands() -> str:
    """The help of every command, as the program prints it."""
    return _page(
        "Commands", *(f"## {path}\n\n```\n{text}\n```" for path, text in _help(rollbook, "rollbook", None))
    )


def _help(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    width = {"terminal_width": HELP_WIDTH, "max_content_width": HELP_WIDTH}
    context = click.Context(command, info_name=name, parent=parent, **{**command.context_settings, **width})
    yield context.command_path, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None and not found.hidden:
                yield from _help(found, child, context)


# The pages; a new one is a new row.
PAGES: tuple[tuple[str, Callable[[], str]], ...] = (
    ("README.md", contents),
    (record_drawing.NAME, record_drawing.picture),
    ("records.md", records),
    ("endpoints.md", endpoints),
    ("fields.md", fields),
    ("files.md", files),
    ("problems.md", problems),
    ("settings.md", settings),
    ("cli.md", commands),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
