"""A text as spans of another text: what to keep of it, what to skip, and what to add at the end.

Spans are written in the language of `struct`: `120s17x9s` keeps 120 bytes, skips 17, keeps 9. So `struct` cuts a whole
page of records in one call, and refuses a text whose length is not the one that the spans were made for.
"""

from __future__ import annotations

from struct import Struct

# With more spans than this, a text is stored itself.
SPANS_MAX = 40
# How much of a text has to be found again behind a skipped span, in bytes: first much, then less.
_AGAIN = (24, 10, 5)


def refer(base: str, text: str) -> tuple[str, str] | None:
    """A text as (what to add to the base, spans of both together); None if that is not shorter than the text."""
    if base == text:
        return "", f"{len(base.encode())}s"
    found = _pieces(base.encode(), text.encode())
    if found is None:
        return None
    added, spans = found
    return (added, spans) if len(added) + len(spans) < len(text) else None


def cut(both: bytes, spans: str) -> bytes:
    """The text: the kept spans of the base and of what is added to it."""
    return b"".join(Struct(spans).unpack(both))


def text_of(base: str | None, body: str, spans: str | None) -> str:
    """A stored text: the body itself, or spans of its base and the body."""
    return body if spans is None else cut(f"{base or ''}{body}".encode(), spans).decode()


def _pieces(base: bytes, text: bytes) -> tuple[str, str] | None:
    spans, at, done = [], 0, 0
    while done < len(text):
        same = _whole_characters(text, done, _same(base, at, text, done))
        if same:
            spans.append(f"{same}s")
            at, done = at + same, done + same
        if done == len(text):
            break
        begin = _again(base, at, text, done)
        if begin < 0:
            break
        if begin == at or len(spans) > SPANS_MAX:
            return None
        spans.append(f"{begin - at}x")
        at = begin
    if at < len(base):
        spans.append(f"{len(base) - at}x")
    if done < len(text):
        spans.append(f"{len(text) - done}s")
    return text[done:].decode(), "".join(spans)


def _same(base: bytes, at: int, text: bytes, done: int) -> int:
    """How many bytes from here on are equal."""
    low, high = 0, min(len(base) - at, len(text) - done)
    step = 64
    while low < high:
        end = min(low + step, high)
        if base[at + low : at + end] == text[done + low : done + end]:
            low, step = end, step * 2
        elif end - low == 1:
            break
        else:
            high, step = end, (end - low) // 2
    return low


def _whole_characters(text: bytes, done: int, size: int) -> int:
    """At most this many bytes, so that no character of UTF-8 is cut in two."""
    while size and done + size < len(text) and text[done + size] & 0xC0 == 0x80:
        size -= 1
    return size


def _again(base: bytes, at: int, text: bytes, done: int) -> int:
    """Where in the base the text goes on; -1 if nowhere."""
    for size in _AGAIN:
        begin = base.find(text[done : done + size], at)
        if begin >= 0:
            return begin
    return -1
