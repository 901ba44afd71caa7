"""Charts as SVG that the server draws: stacked bars over time, steps with a limit, and bars by name.

A chart needs no script. Its figure says in a sentence what it shows, and holds the numbers as a table. Patterns stand
beside colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log10

from markupsafe import Markup

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 1000, 240, 44, 20, 212
ROW, NAME_WIDTH, NAME_MAX = 36, 240, 30
# The look of each series, in order: a class of the sheet, or a pattern.
LOOKS = ("c1", "c2", "hatch")
NOTHING = Markup("")


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its question, the sentence that answers it, the drawing, its keys, and the numbers behind it."""

    name: str
    question: str
    answer: str
    heads: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    drawing: Markup = NOTHING
    keys: tuple[tuple[str, Markup], ...] = ()


def stacked(name: str, labels: Sequence[str], series: Sequence[Sequence[int]]) -> Markup:
    """Bars over time, one for each label; `series` are stacked from the axis up."""
    totals = [sum(each) for each in zip(*series, strict=True)]
    top = _round(max(totals, default=0))
    step = (WIDTH - LEFT) / max(len(labels), 1)
    parts = [*_axis(top)]
    for place in range(len(labels)):
        y = float(BOTTOM)
        for number, values in enumerate(series):
            height = _scaled(values[place], top)
            y -= height
            if height:
                parts.append(_rect(name, number, LEFT + step * place + 2, y, max(step - 5, 1), height))
    return _svg(name, HEIGHT, [*parts, *_labels(labels, step)])


def steps(name: str, labels: Sequence[str], values: Sequence[float], limit: float | None = None) -> Markup:
    """A line of steps over time, with a limit as a second line."""
    top = _round(max([*values, limit or 0], default=0))
    step = (WIDTH - LEFT) / max(len(labels), 1)
    points = [(LEFT + step * place, BOTTOM - _scaled(value, top)) for place, value in enumerate(values)]
    line = "".join(f"V{y:.1f}H{x + step:.1f}" for x, y in points)
    start = points[0][1] if points else BOTTOM
    parts = [*_axis(top), Markup('<path class="stepline" d="M{} {}{}"/>').format(LEFT, f"{start:.1f}", line)]
    if limit is not None:
        y = f"{BOTTOM - _scaled(limit, top):.1f}"
        parts.append(Markup('<path class="limitline" d="M{} {}H{}"/>').format(LEFT, y, WIDTH))
    return _svg(name, HEIGHT, [*parts, *_labels(labels, step)])


def by_name(name: str, rows: Sequence[tuple[str, int]]) -> Markup:
    """Bars from left to right, one for each name."""
    top = _round(max((value for _, value in rows), default=0))
    parts = []
    for place, (label, value) in enumerate(rows):
        y, width = 8 + ROW * place, (WIDTH - NAME_WIDTH - 60) * value / top
        short = label if len(label) <= NAME_MAX else f"{label[: NAME_MAX - 1]}…"
        parts += [
            Markup('<text class="e b" x="{}" y="{}">{}</text>').format(NAME_WIDTH - 10, y + 15, short),
            Markup('<rect class="c1" x="{}" y="{}" width="{}" height="22"/>').format(
                NAME_WIDTH, y, f"{max(width, 1):.1f}"
            ),
            Markup('<text x="{}" y="{}">{}</text>').format(
                f"{NAME_WIDTH + width + 8:.1f}", y + 15, f"{value:,}"
            ),
        ]
    base = Markup('<path class="base" d="M{} 4V{}"/>').format(NAME_WIDTH, ROW * len(rows) + 4)
    return _svg(name, ROW * len(rows) + 12, [base, *parts])


def key(name: str, number: int) -> Markup:
    """A small square in the look of a series."""
    return Markup(
        '<svg viewBox="0 0 14 14" aria-hidden="true"><rect {} width="14" height="14"/></svg>'
    ).format(_look(name, number))


def _svg(name: str, height: int, parts: Sequence[Markup]) -> Markup:
    hatch = Markup(
        '<defs><pattern id="hatch-{}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect class="c3" width="5" height="5"/><path class="hatch-ink" d="M0 0v5"/></pattern></defs>'
    ).format(name)
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-labelledby="q-{}">{}{}</svg>').format(
        WIDTH, height, name, hatch, Markup("").join(parts)
    )


def _rect(name: str, number: int, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect {} x="{}" y="{}" width="{}" height="{}"/>').format(
        _look(name, number), f"{x:.1f}", f"{y:.1f}", f"{width:.1f}", f"{height:.1f}"
    )


def _look(name: str, number: int) -> Markup:
    """The attribute that gives a bar the look of its series."""
    if LOOKS[number] == "hatch":
        return Markup('fill="url(#hatch-{})"').format(name)
    return Markup('class="{}"').format(LOOKS[number])


def _axis(top: int) -> Iterator[Markup]:
    """Lines for a quarter, a half and so on of the greatest value, each with its number."""
    for quarter in range(5):
        value = top * quarter / 4
        y = BOTTOM - _scaled(value, top)
        told = f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0")
        look = "grid" if quarter else "base"
        yield Markup('<path class="{}" d="M{} {}H{}"/>').format(look, LEFT, f"{y:.1f}", WIDTH)
        yield Markup('<text class="e" x="{}" y="{}">{}</text>').format(LEFT - 8, f"{y + 4:.1f}", told)


def _labels(labels: Sequence[str], step: float) -> Iterator[Markup]:
    """About six labels below the axis; the last one always."""
    every = ceil(len(labels) / 6) or 1
    for place in range(len(labels) - 1, -1, -every):
        x = LEFT + step * (place + 0.5)
        look = "e" if place == len(labels) - 1 and len(labels) > 1 else "m"
        x = min(x, WIDTH) if look == "m" else WIDTH
        yield Markup('<text class="{}" x="{}" y="230">{}</text>').format(look, f"{x:.1f}", labels[place])


def _scaled(value: float, top: int) -> float:
    return (BOTTOM - TOP) * value / top


def _round(most: float) -> int:
    """The end of an axis: the next round number, at least 1."""
    if most <= 1:
        return 1
    size = 10 ** int(log10(most))
    return next(int(size * factor) for factor in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if size * factor >= most)
