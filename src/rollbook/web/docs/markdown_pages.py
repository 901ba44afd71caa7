"""Turn Markdown into the middle of a page: headings with anchors, tables, code, and links to other pages and
the Explorer.

Raw HTML in a file is not passed on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from rollbook.contract.clever.fields import SHAPES
from rollbook.web.docs import explorer_links
from rollbook.web.docs.code_lines import language_of, lines

_LEAD_LENGTH_MAX = 260
_BROAD_COLUMNS_MIN = 4


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    anchor: str
    text: str


@dataclass(slots=True)
class Section:
    """A part of a page that a search can find: below a heading, or a table row whose first cell is a name."""

    heading: str
    anchor: str
    texts: list[str] = field(default_factory=list)
    is_row: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page: its title, the HTML below it, its headings and its sections.

    `is_broad`: it needs the whole width. `lead`: the sentence that says what it is about.
    """

    title: str
    html: str
    headings: tuple[Heading, ...]
    sections: tuple[Section, ...]
    is_broad: bool
    lead: str


@dataclass(slots=True)
class _Page:
    """The state while a page is made.

    `address_of` gives the address of a link, or None if the file has no page. `figure` gives the drawing for
    an image, or None.
    """

    address_of: Callable[[str], str | None]
    figure: Callable[[str], str | None]
    headings: list[Heading] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    open_links: list[str] = field(default_factory=list)
    is_first_cell: bool = False
    heads: list[str] = field(default_factory=list)
    is_broad: bool = False
    lead: str = ""

    def anchor(self, text: str) -> str:
        """A heading's anchor for links from other pages, unique on the page."""
        name = re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") or "part"
        self.used[name] += 1
        return name if self.used[name] == 1 else f"{name}-{self.used[name] - 1}"

    def row_anchor(self, heading: str, name: str) -> str:
        """The anchor of a table row. It contains a dot, which no heading's anchor does."""
        wanted = ".".join((heading, re.sub(r"[^\w-]", "", name.lower())))
        self.used[wanted] += 1
        return wanted if self.used[wanted] == 1 else f"{wanted}.{self.used[wanted]}"

    def label(self, what: str) -> str:
        """The name of a table or code block for screen readers, unique on the page."""
        about = self.headings[-1].text if self.headings else "Beginning"
        self.labels[what + about] += 1
        number = self.labels[what + about]
        return f"{what}: {about}" if number == 1 else f"{what} {number}: {about}"


def render(
    text: str, address_of: Callable[[str], str | None], figure: Callable[[str], str | None]
) -> Rendered:
    """The page that a file becomes."""
    tokens = _MARKDOWN.parse(text)
    title = ""
    if (
        tokens
        and (start := next((i for i, token in enumerate(tokens) if token.tag == "h1"), None)) is not None
    ):
        title = _text(tokens[start + 1])
        del tokens[start : start + 3]
    page = _Page(address_of, figure)
    page.sections.append(Section("", ""))
    _prepare(tokens, page)
    html: str = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {"page": page})
    return Rendered(title, html, tuple(page.headings), tuple(page.sections), page.is_broad, page.lead)


def _prepare(tokens: list[Token], page: _Page) -> None:
    """Find headings, lead and sections, and mark the tokens for the renderer."""
    tokens[:] = [token for token in tokens if token.type != "html_block"]
    if (start := _lead_at(tokens)) is not None:
        tokens[start].attrSet("class", "lead")
        page.lead = _text(tokens[start + 1])
    headings: list[Heading] = []
    row_at = -1
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = _text(tokens[place + 1])
            heading = Heading(int(token.tag[1]), page.anchor(text), text)
            token.meta["heading"] = heading
            headings.append(heading)
            page.sections.append(Section(text, heading.anchor))
        elif token.type == "tr_open":
            row_at = place
        elif token.type == "td_open" and tokens[place - 1].type == "tr_open":
            _prepare_row(tokens, place, headings[-1] if headings else None, page)
        elif token.type == "inline" and [child.type for child in token.children or ()] == ["image"]:
            tokens[place - 1].hidden = tokens[place + 1].hidden = (
                True  # a drawing does not fit in a paragraph
            )
        elif token.type == "inline" and tokens[place - 1].type != "heading_open":
            page.sections[-1].texts.append(_text(token))
        elif token.type == "fence":
            page.sections[-1].texts.append(token.content)
        elif token.type == "table_close" and row_at >= 0:
            page.sections.append(
                Section(headings[-1].text, headings[-1].anchor) if headings else Section("", "")
            )
    page.sections[:] = [section for section in page.sections if section.texts or section.heading]


def _lead_at(tokens: Sequence[Token]) -> int | None:
    """Where the lead stands, the sentence about the page: first, or after a note."""
    start = 0
    if tokens and tokens[0].type == "blockquote_open":
        start = next(at for at, token in enumerate(tokens) if token.type == "blockquote_close") + 1
    if len(tokens) <= start + 1 or tokens[start].type != "paragraph_open":
        return None
    text = _text(tokens[start + 1])
    is_said = text[:1].isupper() and text.endswith(".") and len(text) <= _LEAD_LENGTH_MAX
    return start if is_said else None


def _prepare_row(tokens: Sequence[Token], cell: int, heading: Heading | None, page: _Page) -> None:
    """Give a row whose first cell is a name its own anchor and section."""
    children = tokens[cell + 1].children or []
    named = next((child for child in children if child.type == "code_inline"), None)
    is_name = named is not None and len(_text(tokens[cell + 1])) == len(named.content)
    if named is None or not is_name:
        return
    about = heading.text if heading else ""
    anchor = page.row_anchor(heading.anchor if heading else "row", named.content)
    tokens[cell].meta["anchor"] = anchor
    tokens[cell].meta["shape"] = about
    page.sections.append(Section(f"{about} · {named.content}".strip(" ·"), anchor, is_row=True))


def _text(token: Token) -> str:
    """The text of a token, without marks."""
    return "".join(
        " " if child.type in ("softbreak", "hardbreak") else child.content
        for child in token.children or ()
        if child.type in ("text", "code_inline", "softbreak", "hardbreak")
    )


# The text before and after an element, whatever it contains.
_FIXED = {
    "blockquote_open": '<div class="notice" role="note">\n',
    "blockquote_close": "</div>\n",
    "table_close": "</table></div>\n",
}


def _heading_open(tokens: Sequence[Token], at: int, page: _Page) -> str:
    heading = tokens[at].meta["heading"]
    page.headings.append(heading)
    anchor = escape(heading.anchor)
    return f'<{tokens[at].tag} id="{anchor}"><a class="self" href="#{anchor}">'


def _heading_close(tokens: Sequence[Token], at: int, _: _Page) -> str:
    return f"</a></{tokens[at].tag}>\n"


def _table_open(tokens: Sequence[Token], at: int, page: _Page) -> str:
    label = escape(page.label("Table"))
    columns = _columns(tokens, at)
    page.is_broad |= columns >= _BROAD_COLUMNS_MIN
    table = f'<table class="register {"slim" if columns <= 2 else "blocks"}">\n'
    return f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{table}'


def _thead_open(tokens: Sequence[Token], at: int, page: _Page) -> str:
    end = next(place for place in range(at, len(tokens)) if tokens[place].type == "thead_close")
    page.heads = [_text(token) for token in tokens[at:end] if token.type == "inline"]
    return "<thead>" if any(page.heads) else "<thead hidden>"


def _th_open(tokens: Sequence[Token], at: int, page: _Page) -> str:
    return '<th scope="col">' if tokens[at + 1].content or not any(page.heads) else "<td>"


def _th_close(tokens: Sequence[Token], at: int, page: _Page) -> str:
    return "</th>" if tokens[at - 1].content or not any(page.heads) else "</td>"


def _td_open(tokens: Sequence[Token], at: int, page: _Page) -> str:
    """The first cell of a row is its header, and the others name their column's.

    A field's name links to the Explorer.
    """
    if tokens[at - 1].type != "tr_open" or not tokens[at + 1].content:
        head = page.heads[_column(tokens, at)]
        return f'<td data-label="{escape(head)}">' if head else "<td>"
    meta = tokens[at].meta
    anchor = f' id="{escape(meta["anchor"])}"' if "anchor" in meta else ""
    page.is_first_cell = True
    page.open_links.append(_explorer_of_row(meta, tokens[at + 1]))
    link = f'<a href="{escape(page.open_links[-1])}">' if page.open_links[-1] else ""
    return f'<th scope="row"{anchor}>{link}'


def _column(tokens: Sequence[Token], at: int) -> int:
    """The number of a cell's column, from 0."""
    row = next(place for place in range(at, -1, -1) if tokens[place].type == "tr_open")
    return sum(token.type == "td_open" for token in tokens[row:at])


def _td_close(_tokens: Sequence[Token], _at: int, page: _Page) -> str:
    if not page.is_first_cell:
        return "</td>"
    page.is_first_cell = False
    return ("</a>" if page.open_links.pop() else "") + "</th>"


def _fence(tokens: Sequence[Token], at: int, page: _Page) -> str:
    code = tokens[at].content
    language = language_of(code, tokens[at].info.strip().partition(" ")[0])
    return code_block(code, language, page.label("Code")) + _tries(code)


def _code_inline(tokens: Sequence[Token], at: int, page: _Page) -> str:
    text = tokens[at].content
    shown = f"<code>{escape(text)}</code>"
    address = None if any(page.open_links) else explorer_links.of_call(text)
    return f'<a href="{escape(address)}">{shown}</a>' if address else shown


def _link_open(tokens: Sequence[Token], at: int, page: _Page) -> str:
    address = page.address_of(str(tokens[at].attrGet("href") or "")) or ""
    if any(page.open_links):
        address = ""
    page.open_links.append(address)
    outside = ' rel="noreferrer"' if address.startswith("http") else ""
    return f'<a href="{escape(address)}"{outside}>' if address else ""


def _link_close(_tokens: Sequence[Token], _at: int, page: _Page) -> str:
    return "</a>" if page.open_links.pop() else ""


def _image(tokens: Sequence[Token], at: int, page: _Page) -> str:
    source = str(tokens[at].attrGet("src") or "")
    if drawn := page.figure(source):
        page.is_broad = True
        return drawn
    address = page.address_of(source)
    said = escape(tokens[at].content)
    return f'<img src="{escape(address)}" alt="{said}" loading="lazy">' if address else said


def _html_inline(tokens: Sequence[Token], at: int, _: _Page) -> str:
    text = tokens[at].content
    return "" if text.startswith("<!--") else escape(text)


_RULES: dict[str, Callable[[Sequence[Token], int, _Page], str]] = {
    "heading_open": _heading_open,
    "heading_close": _heading_close,
    "table_open": _table_open,
    "thead_open": _thead_open,
    "th_open": _th_open,
    "th_close": _th_close,
    "td_open": _td_open,
    "td_close": _td_close,
    "fence": _fence,
    "code_block": _fence,
    "code_inline": _code_inline,
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
    "html_inline": _html_inline,
}


def code_block(code: str, language: str, label: str) -> str:
    """Code in a frame, with line numbers if it has several lines of a known language."""
    plain = "" if language and code.count("\n") > 2 else " plain"
    kind = "panel" if language and language != "text" else "panel output"
    return (
        f'<div class="{kind}"><pre class="code{plain}" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<code>{lines(code, language)}</code></pre></div>\n"
    )


def _tries(code: str) -> str:
    calls = explorer_links.of_code(code)
    if not calls:
        return ""
    links = ", ".join(f'<a href="{escape(address)}">{escape(path)}</a>' for path, address in calls)
    return f'<p class="tries">Try it in the Explorer: {links}</p>\n'


def _explorer_of_row(meta: dict[str, Any], cell: Token) -> str:
    """The link of a field's row: to the fields of its shape, on the Explorer's page of the record."""
    if meta.get("shape") not in SHAPES or any(child.type == "link_open" for child in cell.children or ()):
        return ""
    return explorer_links.of_shape(meta["shape"]) or ""


def _columns(tokens: Sequence[Token], at: int) -> int:
    end = next(place for place in range(at, len(tokens)) if tokens[place].type == "thead_close")
    return sum(token.type == "th_open" for token in tokens[at:end])


def _reader() -> MarkdownIt:
    """The library's parser, with our own rendering of the parts that the sheet styles."""
    reader = MarkdownIt("commonmark").enable("table")

    def of_page(draw: Callable[[Sequence[Token], int, _Page], str]) -> Callable[..., str]:
        return lambda _self, tokens, at, _options, env: draw(tokens, at, env["page"])

    for name, text in _FIXED.items():
        reader.add_render_rule(name, lambda _self, *_, text=text: text)
    for name, draw in _RULES.items():
        reader.add_render_rule(name, of_page(draw))
    return reader


_MARKDOWN = _reader()
