"""Search in the documentation: an index in memory, made once from the pages' sections.

A hit is a section or a table row. Words are compared in one letter case and without plural endings. A word of
three letters or more also finds longer words.
"""

from __future__ import annotations

import difflib
import math
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

QUERY_LENGTH_MAX = 200
WORDS_MAX = 8
HITS_MAX = 20
HITS_OF_PAGE_MAX = 4
EXCERPT_LENGTH = 220

_WORD = re.compile(r"\w+")
# The weight of a word, by the place where it stands.
_IN_TITLE, _IN_HEADING, _IN_TEXT = 3.0, 5.0, 1.0
_PREFIX_LENGTH_MIN = 3
_PREFIX_SHARE = 0.4
_MENDED_LIKENESS_MIN = 0.75


@dataclass(frozen=True, slots=True)
class Findable:
    """A place of a page that a search can find, with its words."""

    address: str
    title: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A found place. `excerpt` has pairs of text and whether it is one of the words searched for."""

    address: str
    title: str
    heading: str
    excerpt: tuple[tuple[str, bool], ...]


class SearchIndex:
    """All places, with their words."""

    def __init__(self, places: Iterable[Findable]) -> None:
        self._places = tuple(places)
        self._weights: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, place in enumerate(self._places):
            for word, weight in _weighed(place).items():
                self._weights[word].append((number, weight))
        self._words = sorted(self._weights)

    def find(self, query: str) -> list[Hit]:
        """The places for a query, best first."""
        wanted = list(dict.fromkeys(_words(query[:QUERY_LENGTH_MAX])))[:WORDS_MAX]
        scores: dict[int, float] = defaultdict(float)
        met: Counter[int] = Counter()
        for word in wanted:
            for number, score in self._scores(word).items():
                scores[number] += score
                met[number] += 1
        # A place with all the words goes before a place that has one word often.
        ranked = sorted(scores, key=lambda number: (-scores[number] * met[number] ** 2, number))
        return [_hit(self._places[number], wanted) for number in self._spread(ranked)]

    def mended(self, query: str) -> str | None:
        """The query, with each unknown word replaced by the most similar known one; None if there is none."""
        words = [_singular(word) for word in _WORD.findall(query[:QUERY_LENGTH_MAX].lower())[:WORDS_MAX]]
        known = [word if self._scores(word) else self._nearest(word) for word in words]
        return " ".join(word for word in known if word) if words and all(known) and known != words else None

    def _nearest(self, word: str) -> str:
        return next(iter(difflib.get_close_matches(word, self._words, 1, _MENDED_LIKENESS_MIN)), "")

    def _scores(self, word: str) -> dict[int, float]:
        """What a word adds to each place: more if it is rare, less if it is only the beginning of a word."""
        found: dict[int, float] = {}
        for known in self._beginning_with(word):
            share = 1.0 if known == word else _PREFIX_SHARE
            rarity = math.log(1 + len(self._places) / len(self._weights[known]))
            for number, weight in self._weights[known]:
                found[number] = max(found.get(number, 0.0), share * rarity * weight)
        return found

    def _beginning_with(self, word: str) -> Iterator[str]:
        for known in self._words[bisect_left(self._words, word) :]:
            if known != word and (not known.startswith(word) or len(word) < _PREFIX_LENGTH_MIN):
                return
            yield known

    def _spread(self, ranked: Iterable[int]) -> Iterator[int]:
        """The first places, but only a few of each page."""
        of_page: Counter[str] = Counter()
        shown = 0
        for number in ranked:
            page = self._places[number].address.partition("#")[0]
            of_page[page] += 1
            if of_page[page] <= HITS_OF_PAGE_MAX:
                shown += 1
                yield number
            if shown == HITS_MAX:
                return


def _weighed(place: Findable) -> dict[str, float]:
    """Each word of a place with its weight.

    Repeated words count little more, and a long text has no advantage.
    """
    found: dict[str, float] = defaultdict(float)
    words = _words(place.text)
    length = 1 + len(words) / 200
    for word, times in Counter(words).items():
        found[word] += _IN_TEXT * times / (times + length)
    for text, weight in ((place.title, _IN_TITLE), (place.heading, _IN_HEADING)):
        for word in set(_words(text)):
            found[word] += weight / (1 + len(text) / 60)
    return found


def _words(text: str) -> list[str]:
    """The words of a text, in the form in which they are compared: `sis_ids` gives itself, `sis` and `id`."""
    found = []
    for word in _WORD.findall(text.lower()):
        parts = [part for part in word.split("_") if part] if "_" in word else []
        found += [_singular(part) for part in (word, *parts)]
    return found


def _singular(word: str) -> str:
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


def _hit(place: Findable, wanted: list[str]) -> Hit:
    return Hit(place.address, place.title, place.heading, tuple(_excerpt(place.text, wanted)))


def _excerpt(text: str, wanted: list[str]) -> Iterator[tuple[str, bool]]:
    """The part of a text with the most of the words, which are marked."""
    text = " ".join(text.split())
    marks = [match.span() for match in _WORD.finditer(text) if _is_wanted(match[0], wanted)]
    begin = _best_begin(text, marks)
    end = len(text) if begin + EXCERPT_LENGTH >= len(text) else text.rfind(" ", begin, begin + EXCERPT_LENGTH)
    end = end if end > begin else begin + EXCERPT_LENGTH
    at = begin
    yield ("… " if begin else "", False)
    for first, last in marks:
        if begin <= first and last <= end:
            yield text[at:first], False
            yield text[first:last], True
            at = last
    yield text[at:end] + (" …" if end < len(text) else ""), False


def _best_begin(text: str, marks: list[tuple[int, int]]) -> int:
    """Where the part with the most marks begins: at a word, a little before the first mark."""
    begins = [max(0, text.rfind(" ", 0, max(0, first - 40)) + 1) for first, _ in marks] or [0]
    return max(begins, key=lambda begin: sum(begin <= first < begin + EXCERPT_LENGTH for first, _ in marks))


def _is_wanted(word: str, wanted: list[str]) -> bool:
    return any(
        found == one or (len(one) >= _PREFIX_LENGTH_MIN and found.startswith(one))
        for found in _words(word)
        for one in wanted
    )
