"""Where the documentation is, and the order of its pages.

The pages are the Markdown files of `docs/` and the programs of `examples/`. The list in a folder's README.md
gives the order; its headings divide the list into chapters.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import rollbook

ADDRESS = "/docs"
IMAGES = {".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp"}
PROGRAMS = (".py", ".mjs", ".js", ".json")
PROGRAM_BYTES_MAX = 64 * 1024

_LINK = re.compile(r"\[(?P<title>[^\]]+)\]\((?P<path>[\w./-]+\.md)\)[\s|:.,–-]*(?P<summary>.*)")
_HEADING = re.compile(r"##+ +(.+)")
_TITLE = re.compile(r"^# +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One page in a list: its file relative to the documentation's root, its title, and its summary."""

    path: str
    title: str
    summary: str = ""

    @property
    def address(self) -> str:
        return address_of(self.path)


@dataclass(frozen=True, slots=True)
class Chapter:
    """Pages that belong together."""

    title: str
    entries: tuple[Entry, ...]


def root() -> Path:
    """The folder of `docs/` and `examples/`: inside an installed package that contains them, else the
    package's checkout."""
    package = Path(rollbook.__file__).parent
    packaged = package / "documentation"
    return packaged if packaged.is_dir() else package.parents[1]


def files(folder: Path) -> tuple[str, ...]:
    """All files that pages are made of or show, relative to the root.

    Links that leave the folder are ignored.
    """
    found = chain((folder / "docs").rglob("*"), (folder / "examples").rglob("*"))
    return tuple(
        sorted(
            path.relative_to(folder).as_posix()
            for path in found
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
        )
    )


def is_page(path: str) -> bool:
    return path.endswith(".md")


def is_program(path: str) -> bool:
    return path.startswith("examples/") and path.endswith(PROGRAMS)


def address_of(path: str) -> str:
    """The address of a file: without `.md`; a README is the page of its folder."""
    below = path.removeprefix("docs/")
    if is_page(below):
        folder, name = posixpath.split(below.removesuffix(".md"))
        below = folder if name == "README" else posixpath.join(folder, name)
    return posixpath.join(ADDRESS, below) if below else ADDRESS


def chapters(folder: Path, known: Iterable[str]) -> tuple[Chapter, ...]:
    """All pages in order. A page that no list names stands at the end of its folder's chapter."""
    pages = [path for path in known if is_page(path)]
    return (
        *_chapters(folder, "docs/guide", "Guides", pages),
        *_chapters(folder, "examples", "Programs", pages),
        *_chapters(folder, "docs/reference", "Reference", pages),
        *_chapters(folder, "docs", "Background", pages),
    )


def _chapters(folder: Path, place: str, title: str, pages: list[str]) -> Iterator[Chapter]:
    here = [path for path in pages if posixpath.dirname(path) == place]
    readme = posixpath.join(place, "README.md")
    # The list of guides is the contents page itself; the list of programs is worth reading.
    own = [Entry(readme, _title_of(folder / readme))] if place == "examples" and readme in here else []
    listed: dict[str, list[Entry]] = {title: own}
    seen = set()
    for line in (folder / readme).read_text("utf-8").splitlines() if readme in here else ():
        if heading := _HEADING.match(line):
            title = heading[1]
        elif (link := _LINK.search(line)) and (path := posixpath.join(place, link["path"])) in here:
            if path not in seen:
                listed.setdefault(title, []).append(Entry(path, link["title"], _plain(link["summary"])))
            seen.add(path)
    rest = [path for path in here if path not in seen and path != readme]
    listed.setdefault(title, []).extend(Entry(path, _title_of(folder / path)) for path in rest)
    yield from (Chapter(name, tuple(entries)) for name, entries in listed.items() if entries)


def _title_of(path: Path) -> str:
    found = _TITLE.search(path.read_text("utf-8"))
    return found[1].replace("`", "") if found else path.stem


def _plain(markdown: str) -> str:
    """A summary without Markdown marks, beginning with a capital."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown).replace("`", "").strip(" |")
    return text[:1].upper() + text[1:]
