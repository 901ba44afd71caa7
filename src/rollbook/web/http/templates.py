"""How pages are made: one set of templates for a server, with the navigation and the addresses of static
files.

`templates/base.html` lists the blocks that a page fills in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import CodeType

from jinja2 import BytecodeCache, Environment, FileSystemLoader
from jinja2.bccache import Bucket

from rollbook import __version__
from rollbook.contract.clever import versions
from rollbook.web.http.static_files import static_files

_TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the navigation. It is marked on each page that sets `page` to its name."""

    name: str
    title: str
    path: str
    is_only_in_demo: bool = False


# The navigation of every page, in order. A new page is a new row.
NAVIGATION = (
    Entry("console", "Console", "/console", is_only_in_demo=True),
    Entry("demo", "Demo days", "/demo", is_only_in_demo=True),
    Entry("explorer", "Explorer", "/explorer"),
    Entry("log", "Request log", "/log", is_only_in_demo=True),
    Entry("docs", "Docs", "/docs"),
    Entry("signin", "Sign in", "/login"),
)


class _Compiled(BytecodeCache):
    """The compiled templates of this process. Each sheet of badges, and each server in a test, would compile them again."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code:
            self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


def environment(*, in_demo: bool, **shared: object) -> Environment:
    """The templates, with the values that all of them may use."""
    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_COMPILED,
    )
    pages.globals.update(
        asset=static_files().address,
        in_demo=in_demo,
        spoken=" and ".join(versions.SPOKEN),
        navigation=[entry for entry in NAVIGATION if in_demo or not entry.is_only_in_demo],
        version=__version__,
        weekday=lambda: datetime.now().astimezone().weekday(),
        **shared,
    )
    return pages
