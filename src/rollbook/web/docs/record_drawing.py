"""The data model as a drawing: each kind of record, with the fields that link to other records, from the
contract.

Only the places of the boxes are chosen here. Each box leads to the reference of its record. The page's sheet
colours the drawing; the drawing as a file has its own colours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from rollbook.contract.clever.openapi_schemas import SERVED
from rollbook.contract.clever.record_links import FIELD_LINKS, FieldLink, by_path_alone

NAME = "records.svg"
REFERENCE = "/docs/reference/fields"
TITLE = "Each kind of record, and the fields that hold ids of other records"

_WIDTH, _HEIGHT = 1000, 636
_HEAD, _LINE, _ROW, _PAD = 32, 17, 24, 14
# The place of each kind's box: left, top, width. All except events are in the district's frame.
PLACES = {
    "schools": (44, 84, 300),
    "users": (44, 250, 300),
    "sections": (434, 250, 210),
    "terms": (744, 84, 220),
    "courses": (744, 222, 220),
    "resources": (744, 376, 220),
    "events": (744, 532, 220),
}
_FRAME = (16, 40, 968, 456)
_OWN_COLOURS = """<style>
svg{background:#fff;--ink:#191f33;--ink-2:#535b70;--link:#274193;--rule:#b9c2d0;--sheet:#fff;--wash:#f2f4f6}
@media (prefers-color-scheme:dark){svg{background:#10131c;--ink:#e8eaf1;--ink-2:#a6adc0;--link:#a9bdff;
--rule:#394157;--sheet:#171b27;--wash:#1e2331}}
text{font:13px sans-serif;fill:var(--ink)}.field{font:12px monospace}.help,.where{fill:var(--ink-2)}
.kind{font-weight:600;font-size:15px;fill:var(--link)}.box,.frame{fill:var(--sheet);stroke:var(--rule)}
.frame{fill:none}.head{fill:var(--wash)}.edge{fill:none;stroke:var(--link);stroke-width:1.5}
.edge.alone{stroke:var(--ink-2);stroke-dasharray:5 4}.tip{fill:var(--link)}
</style>"""


@dataclass(frozen=True, slots=True)
class Box:
    """One kind's box: its corner and size, its help text, and its linking fields."""

    kind: str
    left: int
    top: int
    width: int
    help: tuple[str, ...]
    links: tuple[FieldLink, ...]

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def fields_top(self) -> int:
        return self.top + _HEAD + len(self.help) * _LINE + 8

    @property
    def height(self) -> int:
        return self.fields_top - self.top + len(self.links) * _ROW + (6 if self.links else 2)

    def row(self, link: FieldLink) -> int:
        """The vertical middle of a field's line in the drawing."""
        return self.fields_top + self.links.index(link) * _ROW + _ROW // 2


def figure() -> str:
    """The drawing for a page. It is wider than a phone, and scrolls there by itself."""
    return (
        '<figure class="chart model"><div class="wideplot" tabindex="0" role="region" '
        f'aria-label="Drawing of the records">{drawing()}</div></figure>'
    )


def picture() -> str:
    """The drawing as a file, with its own colours."""
    return drawing(_OWN_COLOURS) + "\n"


def drawing(style: str = "") -> str:
    """The drawing as SVG."""
    boxes = {kind: _box(kind) for kind in PLACES}
    size = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    parts = [
        f'<svg {size} role="group" aria-label="{TITLE}">',
        style,
        *_frame(),
        *_alone(boxes),
        *_edges(boxes),
        *(part for box in boxes.values() for part in _drawn(box)),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def _box(kind: str) -> Box:
    left, top, width = PLACES[kind]
    help_ = next(row.help for row in SERVED if row.name == kind)
    lines = tuple(textwrap.wrap(help_, (width - 2 * _PAD) // 7))
    links = tuple(link for link in FIELD_LINKS if link.kind == kind and link.target != "districts")
    return Box(kind, left, top, width, lines, links)


def _frame() -> Iterator[str]:
    left, top, width, height = _FRAME
    yield f'<rect class="frame" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>'
    yield (
        f'<a href="{REFERENCE}#district"><text class="kind" x="{left}" y="26">District</text></a>'
        f'<text class="help" x="{left + 68}" y="26">owns all that is in the frame: each record holds its id in '
        f'<tspan class="field">district</tspan>.</text>'
    )


def _drawn(box: Box) -> Iterator[str]:
    shape = next(row.shape for row in SERVED if row.name == box.kind)
    place = "/docs/reference/endpoints#events" if box.kind == "events" else f"{REFERENCE}#{shape.lower()}"
    yield (
        f'<rect class="box" x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" rx="6"/>'
        f'<a href="{place}"><text class="kind" x="{box.left + _PAD}" y="{box.top + 23}">{shape}</text></a>'
    )
    for number, line in enumerate(box.help):
        y = box.top + _HEAD + _LINE * number + 11
        yield f'<text class="help" x="{box.left + _PAD}" y="{y}">{escape(line)}</text>'
    for link in box.links:
        shown = escape(link.field.removeprefix("roles."))
        yield f'<text class="field" x="{box.left + _PAD}" y="{box.row(link) + 4}">{shown}</text>'


def _edges(boxes: dict[str, Box]) -> Iterator[str]:
    """A line from each field to the kind that it names. Lines to one box share their vertical part."""
    for box in boxes.values():
        for link in box.links:
            yield _line(box, box.row(link), boxes[link.target], link.field)
    events, last = boxes["events"], _FRAME[1] + _FRAME[3]
    x = events.left + _PAD + 8
    yield f'<path class="edge" d="M{x} {events.top}V{last + 8}"/>{_tip(x, last, "up")}'
    yield f'<text class="field" x="{x + 14}" y="{events.top - 12}">data.object</text>'


def _line(box: Box, y: int, target: Box, field: str) -> str:
    head = target.top + _HEAD // 2
    if target is box:  # a contact names students: around the right side
        x, lane = box.right, box.right + 22
        way = f"M{x} {y}H{lane}V{head}H{x + 8}"
        tip = _tip(x, head, "left")
    elif target.left == box.left:  # above: along the left side
        x, lane = box.left, box.left - 16
        way = f"M{x} {y}H{lane}V{head}H{x - 8}"
        tip = _tip(x, head, "right")
    elif target.left < box.left:
        lane = box.left - (22 if target.top < box.top else 40)
        head += 44 if target.top < box.top else 20
        way = f"M{box.left} {y}H{lane}V{head}H{target.right + 8}"
        tip = _tip(target.right, head, "left")
    else:
        is_far = target.top < box.top - 100
        lane = box.right + (52 if is_far else 30)
        head += 44 if is_far else 0
        way = f"M{box.right} {y}H{lane}V{head}H{target.left - 8}"
        tip = _tip(target.left, head, "right")
    return f'<path class="edge" d="{way}"><title>{escape(f"{box.kind}: {field} names {target.kind}")}</title></path>{tip}'


def _alone(boxes: dict[str, Box]) -> Iterator[str]:
    """Broken lines for links that only a path has."""
    for first, second in by_path_alone():
        one, other = sorted((boxes[first], boxes[second]), key=lambda box: (box.left, box.top))
        if one.left == other.left:
            x = one.left + one.width // 2
            yield f'<path class="edge alone" d="M{x} {one.top + one.height}V{other.top}"/>'
        elif one.top == other.top:
            yield f'<path class="edge alone" d="M{one.right} {one.top + 16}H{other.left}"/>'
        else:
            way = f"M{one.right} {one.top + 38}H{other.left - 22}V{other.top + 44}H{other.left}"
            yield f'<path class="edge alone" d="{way}"/>'
    yield (
        '<path class="edge alone" d="M16 544H56"/><text class="help" x="66" y="548">'
        "no field holds the id: a path finds the records</text>"
        '<path class="edge" d="M16 570H48"/>' + _tip(56, 570, "right") + '<text class="help" x="66" y="574">'
        "the field holds the id, or ids, of the record</text>"
    )


def _tip(x: int, y: int, towards: str) -> str:
    ways = {"right": "l-9-5v10z", "left": "l9-5v10z", "up": "l-5 9h10z"}
    return f'<path class="tip" d="M{x} {y}{ways[towards]}"/>'
