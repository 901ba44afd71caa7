"""What a mail says, as text and as HTML, and what a webhook gets. Nothing here names a pupil or shows a field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from rollbook.domain.topics import FAILED, HELD, LATE, NIGHT
from rollbook.settings import Settings, base_url
from rollbook.store.operators.deliveries import Delivery

SUBJECT_MAX = 200
_FONT = "font-family:Georgia,'Times New Roman',serif;font-size:16px;line-height:1.5;color:#1d2433"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail: a head, sentences, lines of the night, and a link with its title."""

    head: str = ""
    sentences: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    link: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail: its subject on one line, and its parts."""

    subject: str
    parts: tuple[Part, ...] = field(default=())

    @property
    def text(self) -> str:
        return "\n\n".join("\n".join(_as_text(part)) for part in self.parts) + "\n"

    @property
    def html(self) -> str:
        body = Markup("").join(_as_html(part) for part in self.parts)
        head = Markup('<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{}</title></head>')
        page = Markup(
            '<body style="margin:0;padding:24px;background:#ffffff"><div style="max-width:40em;{}">{}</div></body></html>'
        )
        return str(head.format(self.subject) + page.format(_FONT, body)) + "\n"


def one_line(text: str) -> str:
    """A text for a header: on one line, without characters that control a terminal or a header."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:SUBJECT_MAX]


def letter(delivery: Delivery, settings: Settings) -> Letter:
    """The mail of a delivery."""
    told, base = delivery.content, base_url(settings)
    parts = {NIGHT: _night, HELD: _held, FAILED: _failed, LATE: _late}.get(delivery.topic, _test)(told, base)
    foot = Part(
        sentences=("You chose this mail in the console of Rollbook, and can change it there.",),
        link=("Mail", f"{base}/console/mail"),
    )
    return Letter(one_line(subject(delivery)), (*parts, foot))


def subject(delivery: Delivery) -> str:
    """What happened, in a few words."""
    told = delivery.content
    name = told.get("district", "")
    if delivery.topic == NIGHT:
        asks = told["to_look_at"]
        if told["count"] == 1:
            return f"Night of {told['districts'][0]['district']}: {told['districts'][0]['state']}"
        return f"Night of {told['count']} districts: {f'{asks} need attention' if asks else 'all is well'}"
    if delivery.topic == HELD:
        return f"{name}: sync {told['run']} is held"
    if delivery.topic == FAILED:
        return f"{name}: sync {told['run']} failed" if "run" in told else f"{name}: job {told['job']} failed"
    return f"{name}: no files came" if delivery.topic == LATE else "A test of Rollbook's mail"


def payload(delivery: Delivery, settings: Settings) -> dict[str, Any]:
    """The JSON that a webhook gets."""
    told = {name: value for name, value in delivery.content.items() if name not in ("page", "slug")}
    told["districts"] = [
        {
            **{name: each[name] for name in each if name not in ("page", "slug")},
            "link": _link(each, base_url(settings)),
        }
        for each in told.get("districts", ())
    ]
    if not told["districts"]:
        del told["districts"]
    link = _link(delivery.content, base_url(settings))
    return {
        "id": delivery.id,
        "type": delivery.topic,
        "text": one_line(subject(delivery)),
        "link": link,
        "data": told,
    }


def _link(told: Mapping[str, Any], base: str) -> str:
    """The page of the console for a district; the overview for the whole server."""
    return f"{base}/console/d/{told['slug']}{told['page']}" if told.get("slug") else f"{base}/console"


def _night(told: Mapping[str, Any], base: str) -> Iterator[Part]:
    asks, count = told["to_look_at"], told["count"]
    if count != 1:
        yield Part(
            sentences=(
                f"{asks} of {count} districts need attention."
                if asks
                else f"All is well in {count} districts.",
            ),
            link=("Overview", f"{base}/console"),
        )
    for each in told["districts"]:
        step = (each["next_step"],) if each["next_step"] else ()
        title = "Look at it" if step else "Home"
        yield Part(
            f"{each['district']}: {each['state']} ({each['zone']})",
            step,
            tuple(each["happened"]),
            (title, _link(each, base)),
        )
    if count > len(told["districts"]):
        yield Part(sentences=(f"{count - len(told['districts'])} more districts are on the overview.",))


def _held(told: Mapping[str, Any], base: str) -> Iterator[Part]:
    counts = ", ".join(f"{number:,} {verb}" for verb, number in told["counts"].items())
    yield Part(
        f"{told['district']}: sync {told['run']} is held",
        (
            f"It came at {told['at']}. Nothing was changed: applications read the roster from before.",
            f"It would change these records: {counts}.",
            *(f"{reason[:1].upper()}{reason[1:]}." for reason in told["reasons"]),
            "Are the files right? Look at the sync; then approve or discard it.",
        ),
        link=(f"Review sync {told['run']}", _link(told, base)),
    )


def _failed(told: Mapping[str, Any], base: str) -> Iterator[Part]:
    what = f"sync {told['run']}" if "run" in told else f"job {told['job']}"
    yield Part(
        f"{told['district']}: {what} failed",
        (
            f"It failed at {told['at']}. Nothing was changed: applications read the roster from before.",
            "The page says what is wrong. Mend the files, and upload all of them again."
            if "run" in told
            else "The page lists the last jobs, and says what is wrong.",
        ),
        link=(f"See what is wrong with {what}", _link(told, base)),
    )


def _late(told: Mapping[str, Any], base: str) -> Iterator[Part]:
    yield Part(
        f"{told['district']}: no files came",
        (f"No files came since {told['since']}. Find out why, and upload them.",),
        link=(f"Home of {told['district']}", _link(told, base)),
    )


def _test(told: Mapping[str, Any], base: str) -> Iterator[Part]:
    yield Part(
        "A test of Rollbook's mail",
        (f"You asked for this mail at {told['at']}. It arrived, so the mail server works.",),
        link=("Console", f"{base}/console"),
    )


def _as_text(part: Part) -> Iterator[str]:
    yield from filter(None, (one_line(part.head),))
    yield from (f"  {one_line(line)}" for line in part.lines)
    yield from (one_line(sentence) for sentence in part.sentences)
    if part.link:
        yield f"{one_line(part.link[0])}: {part.link[1]}"


def _as_html(part: Part) -> Markup:
    head = (
        Markup('<h2 style="font-size:18px;margin:24px 0 4px">{}</h2>').format(part.head)
        if part.head
        else Markup("")
    )
    lines = Markup("").join(Markup("<li>{}</li>").format(line) for line in part.lines)
    listed = (
        Markup('<ul style="margin:4px 0;padding-left:20px">{}</ul>').format(lines)
        if part.lines
        else Markup("")
    )
    told = Markup("").join(Markup('<p style="margin:4px 0">{}</p>').format(one) for one in part.sentences)
    if part.link:
        title, address = part.link
        told += Markup('<p style="margin:4px 0"><a href="{}" style="color:#1f4e8c">{}</a></p>').format(
            address, escape(title)
        )
    return head + listed + told
