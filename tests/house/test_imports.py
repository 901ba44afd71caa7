"""The house has one ladder of imports, without circles, and no import hides inside a function to dodge
one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from rollbook.commands import demo
from rollbook.synthetic.stories import STORIES
from rollbook.testing import served
from tests.house.sources import everything, imported, modules, package

# Each step may import the steps above it; packages on one step do not import each other.
LADDER = (
    ("errors", "urls", "outgoing", "client"),
    ("settings",),
    ("domain", "json_logs"),
    ("contract",),
    ("roster", "store"),
    ("auth", "sync", "synthetic"),
    ("clone",),
    ("operations",),
    ("jobs",),
    ("web",),
    ("demo",),
    ("commands",),
    ("cli",),
    ("testing",),
)
STEP = {room: step for step, rooms in enumerate(LADDER) for room in rooms}
# A module, or a name in one, as a string: `rollbook.web.server:create_app`.
NAMED = re.compile(rf"rollbook\.({'|'.join(STEP)})(\.\w+)*(:\w+)?")
# The ladders inside packages with rooms.
INNER = {
    "store": (("engine",), ("district",), ("records", "accounts", "work"), ("operators",)),
    "web": (
        ("http",),
        ("data", "oauth", "signin", "docs", "log", "upkeep"),
        ("console", "explorer"),
        ("front",),
        ("site",),
        ("late_site",),
        ("app",),
        ("server",),
    ),
}
# Invented districts know nothing about the server: they write files, like any SIS.
NARROW = {"synthetic": {"errors"}}

# What a start may load: libraries, rooms of the house, and the modules of `web` and `demo`. Whatever is not here loads
# at its first use, or with the site (`rollbook.web.late_site`).
AT_START = {
    "libraries": {
        "anyio",
        "apsw",
        "click",
        "greenlet",  # reads in the loop; 1.7 ms
        "httptools",
        "isal",
        "orjson",
        "typing_extensions",
        "uvicorn",
        "uvloop",
    },
    "rooms": {
        "auth",
        "cli",
        "commands",
        "contract",
        "demo",
        "domain",
        "errors",
        "json_logs",
        "operations",
        "roster",
        "settings",
    }
    | {"store", "urls", "web"},
    "web": {"app", "data", "http", "late_site", "server", "upkeep"},
    "demo": {
        "access_sheet",
        "control",
        "demo_folder",
        "faults",
        "json_requests",
        "original_names",
        "published",
    }
    | {"saves", "serving", "shared_state", "turns"},
}
# What `rollbook --help` may load; each command loads the rest.
FOR_HELP = {"libraries": {"click"}, "rooms": {"cli", "commands", "errors", "settings", "urls"}}

# A line of a program inside a string.
IMPORT = re.compile(r"^((?:from) (rollbook[\w.]*) import (\w+).*)$", re.MULTILINE)


def test_every_room_stands_on_the_ladder() -> None:
    assert {source.room for source in package()} - {"", "__main__"} <= set(STEP)


def test_imports_go_up_the_ladder_only() -> None:
    wrong = [
        f"{source.at(node)}: {source.room} imports {module}"
        for source in package()
        for module, node in imported(source, modules())
        if source.room in STEP and not _may(source.room, module.split(".")[1])
    ]
    assert wrong == []


def _may(room: str, other: str) -> bool:
    return room == other or (STEP[other] < STEP[room] and other in NARROW.get(room, {other}))


@pytest.mark.parametrize("package_name", sorted(INNER))
def test_imports_inside_a_package_go_up_its_ladder_only(package_name: str) -> None:
    steps = {room: step for step, rooms in enumerate(INNER[package_name]) for room in rooms}
    wrong = [
        f"{source.at(node)}: {here} imports {module}"
        for source in package()
        if source.room == package_name and (here := _inner(source.module))
        for module, node in imported(source, modules())
        if module.startswith(f"rollbook.{package_name}.")
        and (there := _inner(module)) != here
        and steps[there] >= steps[here]
    ]
    assert wrong == []


def _inner(module: str) -> str:
    """The room of a module's package: the second name below the package."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 else ""


def test_there_is_no_circle() -> None:
    graph = {
        source.module: {module for module, _ in imported(source, modules())} - {source.module}
        for source in package()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_modules_named_in_strings_exist() -> None:
    """An import in a string counts: the table of commands, a driver, a started program."""
    rooms = {source.module for source in package() if source.path.stem == "__init__"}
    files = modules() - rooms
    wrong = [
        f"{source.at(node)}: {node.value}"
        for source in everything()
        for node in source.nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and NAMED.fullmatch(node.value)
        and not any(f"{node.value}.".startswith(f"{module}.") for module in files)
        and node.value.partition(":")[0] not in modules()
    ]
    assert wrong == []


def test_programs_in_strings_import_existing_names() -> None:
    """Tests start small programs from their text; a move of a module must not break them."""
    names = {source.module: _names(source.tree) for source in package()}
    wrong = [
        f"{source.at(node)}: {line}"
        for source in everything()
        for node in source.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for line, module, name in IMPORT.findall(node.value)
        if f"{module}.{name}" not in modules() and name not in names.get(module, ())
    ]
    assert wrong == []


def _names(tree: ast.Module) -> set[str]:
    """The names of a module: its own, and those that it imports."""
    own = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = {node.name for node in ast.walk(tree) if isinstance(node, own)}
    found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return found | {alias.asname or alias.name for node in imports for alias in node.names}


def test_no_import_stands_inside_a_function() -> None:
    wrong = [
        source.at(node)
        for source in everything()
        for function in source.nodes
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert wrong == []


def loaded_by(program: str) -> dict[str, set[str]]:
    """What a program loads: libraries, rooms of the house, and the modules of `web` and `demo`."""
    told = f"import sys, rollbook\n{program}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    names = [name.split(".") for name in done.stderr.split() if not name.startswith(("_", "cython_runtime"))]
    ours = [name[1:] for name in names if name[0] == "rollbook" and len(name) > 1]
    return {
        "libraries": {name[0] for name in names} - set(sys.stdlib_module_names) - {"rollbook"},
        "rooms": {name[0] for name in ours},
        **{room: {name[1] for name in ours if name[0] == room and len(name) > 1} for room in ("web", "demo")},
    }


def test_a_start_loads_only_what_it_is_listed_to_load() -> None:
    """A start that loads more takes longer, and nobody notices one module more."""
    found = loaded_by(f"import rollbook.commands.serve, {', '.join(served.LOADED)}")
    assert {what: found[what] - may for what, may in AT_START.items()} == {what: set() for what in AT_START}


def test_the_help_loads_only_what_it_is_listed_to_load() -> None:
    found = loaded_by("from rollbook.cli import rollbook as help\nhelp(['--help'], standalone_mode=False)")
    assert {what: found[what] for what in FOR_HELP} == FOR_HELP


def test_the_command_names_the_stories_that_it_does_not_load() -> None:
    assert tuple(STORIES) == demo.STORIES


@pytest.mark.parametrize("heavy", ["duckdb", "psycopg"])
def test_a_server_that_only_serves_does_not_load_the_engine_of_syncs_nor_another_database(heavy: str) -> None:
    loaded = [sys.executable, "-c", f"import sys, rollbook.web.server; sys.exit({heavy!r} in sys.modules)"]
    assert subprocess.run(loaded, check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["rollbook.web.app", "rollbook.web.server", "uvicorn", "starlette"])
def test_a_demo_loads_its_server_only_while_its_districts_are_made(heavy: str) -> None:
    loaded = [sys.executable, "-c", f"import sys, rollbook.commands.demo; sys.exit({heavy!r} in sys.modules)"]
    assert subprocess.run(loaded, check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["rollbook.store", "rollbook.web", "cryptography", "rich"])
def test_a_check_of_files_without_a_terminal_loads_no_store_and_nothing_that_draws(heavy: str) -> None:
    loaded = [
        sys.executable,
        "-c",
        f"import sys, rollbook.commands.check; sys.exit({heavy!r} in sys.modules)",
    ]
    assert subprocess.run(loaded, check=False).returncode == 0
