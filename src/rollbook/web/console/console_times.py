"""Moments as people read them: `2 h ago`, with the moment itself in the element `<time>`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from markupsafe import Markup, escape

MINUTE, HOUR, DAY = 60, 3600, 86_400


def ago(now: float) -> Callable[[str | float | None], Markup]:
    """A function that tells how long ago a moment was: an ISO text, or Unix seconds."""

    def tell(moment: str | float | None) -> Markup:
        if not moment:
            return Markup('<span class="quiet">never</span>')
        then = (
            datetime.fromisoformat(moment) if isinstance(moment, str) else datetime.fromtimestamp(moment, UTC)
        )
        stamp = then.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        words = escape(since(now - then.timestamp()))
        return Markup(f'<time datetime="{stamp}" title="{stamp}">{words}</time>')  # noqa: S704 - escaped before

    return tell


def day(moment: float) -> Markup:
    """The day of a moment in Unix seconds, as `14 Dec 2026`."""
    then = datetime.fromtimestamp(moment, UTC)
    stamp = f"{then:%Y-%m-%d}"
    return Markup(f'<time datetime="{stamp}">{then.day} {then:%b %Y}</time>')  # noqa: S704 - digits and a month


def since(seconds: float) -> str:
    """A span of time in words; negative for a moment to come."""
    if seconds < 0:
        return f"in {_span(-seconds)}" if seconds < -MINUTE else "now"
    return "just now" if seconds < MINUTE else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min"
    if seconds < 2 * DAY:
        return f"{int(seconds // HOUR)} h"
    return f"{int(seconds // DAY)} d"
