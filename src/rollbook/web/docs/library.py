"""The documentation as it is served: all pages, made once at first use, with their neighbours and a
search."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path

from rollbook.web.docs import doc_sources
from rollbook.web.docs.code_lines import language_of_file
from rollbook.web.docs.doc_sources import ADDRESS, Chapter, Entry
from rollbook.web.docs.markdown_pages import Heading, Rendered, code_block, render
from rollbook.web.docs.record_drawing import NAME as DRAWING
from rollbook.web.docs.record_drawing import figure
from rollbook.web.docs.search_index import Findable, SearchIndex

NEAREST_MAX = 5
# The guides use this address for a server on the reader's machine; here it becomes this server's own.
LOCAL = "http://127.0.0.1:8400"


@dataclass(frozen=True, slots=True)
class DocPage:
    """One page. `above` names its chapter or parent page."""

    entry: Entry
    above: Entry | None
    html: str
    headings: tuple[Heading, ...]
    is_broad: bool = False
    before: Entry | None = None
    after: Entry | None = None

    @property
    def parts(self) -> tuple[Heading, ...]:
        """The headings of the page's parts."""
        return tuple(heading for heading in self.headings if heading.level == 2)


class Library:
    """All pages by their address, and the images that they show."""

    def __init__(self, folder: Path) -> None:
        known = doc_sources.files(folder)
        self.images = {
            doc_sources.address_of(path): folder / path
            for path in known
            if path.startswith("docs/") and path.endswith(tuple(doc_sources.IMAGES))
        }
        self._known = {path for path in known if doc_sources.is_page(path) or doc_sources.is_program(path)}
        self._made = dict(self._render(folder))
        self.chapters = tuple(map(self._summed_up, doc_sources.chapters(folder, known)))
        self.pages = {page.entry.address: page for page in self._pages(folder)}
        self._index = SearchIndex(self._places())

    @property
    def index(self) -> SearchIndex:
        return self._index

    def nearest(self, address: str) -> list[Entry]:
        """The pages that a wrong address may have meant."""
        wanted = posixpath.normpath(address.lower()).removeprefix(ADDRESS).strip("/").removesuffix(".md")
        entries = {page.entry.address: page.entry for page in self.pages.values()}
        names = {known.removeprefix(f"{ADDRESS}/"): known for known in entries}
        last = {posixpath.basename(name): known for name, known in names.items()}
        alike = [
            *(names[name] for name in difflib.get_close_matches(wanted, names, NEAREST_MAX, 0.7)),
            *(
                last[name]
                for name in difflib.get_close_matches(posixpath.basename(wanted), last, NEAREST_MAX, 0.6)
            ),
            *(hit.address.partition("#")[0] for hit in self._index.find(wanted.replace("-", " "))),
        ]
        return [entries[known] for known in dict.fromkeys(alike) if known in entries][:NEAREST_MAX]

    def _render(self, folder: Path) -> Iterator[tuple[str, Rendered]]:
        for path in sorted(filter(doc_sources.is_page, self._known)):
            text = (folder / path).read_text("utf-8")
            yield path, render(text, partial(self._address, path), partial(_drawing, path))

    def _summed_up(self, chapter: Chapter) -> Chapter:
        """The chapter. Where its list has no summary for a page, the page's first sentence is used."""
        entries = (
            entry if entry.summary else replace(entry, summary=_first_sentence(self._made[entry.path].lead))
            for entry in chapter.entries
        )
        return replace(chapter, entries=tuple(entries))

    def _address(self, path: str, link: str) -> str | None:
        """The target of a file's link: another page, a heading, an image, another site; None if the file is
        not served."""
        if link.startswith(LOCAL):
            return link.removeprefix(LOCAL) or "/"
        if link.startswith(("http://", "https://", "mailto:")):
            return link
        target, mark, anchor = link.partition("#")
        if not target:
            return link
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        choices = (meant, f"{meant}/README.md")
        here = next((choice for choice in choices if choice in self._known), None)
        if here is not None:
            return doc_sources.address_of(here) + mark + anchor
        address = doc_sources.address_of(meant)
        is_folder = any(known.startswith(f"{meant}/") for known in self._known)
        return address if address in self.images else ADDRESS if is_folder else None

    def _pages(self, folder: Path) -> Iterator[DocPage]:
        row = [(chapter, entry) for chapter in self.chapters for entry in chapter.entries]
        for place, (chapter, entry) in enumerate(row):
            made = self._made[entry.path]
            before = row[place - 1][1] if place else None
            after = row[place + 1][1] if place + 1 < len(row) else None
            named = Entry(entry.path, made.title or entry.title, entry.summary)
            above = Entry("", chapter.title)
            yield DocPage(named, above, made.html, made.headings, made.is_broad, before, after)
        listed = {entry.path for _, entry in row}
        for path in sorted(self._known - listed):
            if doc_sources.is_program(path):
                yield _program(folder, path, self._made.get("examples/README.md"))
            elif path.count("/") > 1 and doc_sources.address_of(path) != ADDRESS:
                made = self._made[path]
                yield DocPage(Entry(path, made.title or path), None, made.html, made.headings, made.is_broad)

    def _places(self) -> Iterator[Findable]:
        for page in self.pages.values():
            if (made := self._made.get(page.entry.path)) is None:
                yield Findable(page.entry.address, page.entry.title, "", page.entry.summary)
                continue
            for section in made.sections:
                address = f"{page.entry.address}#{section.anchor}" if section.anchor else page.entry.address
                yield Findable(address, page.entry.title, section.heading, " ".join(section.texts))


def _drawing(path: str, source: str) -> str | None:
    """The drawing of the records, if the picture in the file stands for it."""
    return figure() if path.startswith("docs/reference/") and source == DRAWING else None


def _program(folder: Path, path: str, about: Rendered | None) -> DocPage:
    """The page of a program: its text with numbered lines."""
    data = (folder / path).read_bytes()[: doc_sources.PROGRAM_BYTES_MAX]
    text = data.decode("utf-8", "replace")
    html = code_block(text, language_of_file(path), f"Program {escape(posixpath.basename(path))}")
    entry = Entry(path, posixpath.basename(path), _first_sentence(text.strip('"/* \n')))
    above = Entry("examples/README.md", about.title) if about else None
    return DocPage(entry, above, html, (), is_broad=True)


def _first_sentence(text: str) -> str:
    """The first sentence of a text, or its beginning."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0][:200]
