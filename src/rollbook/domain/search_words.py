"""Words by which people, schools and sections are found: one function for what is stored and what is typed.

Letter case, accents and other marks do not count. A word in another script than Latin is written as the hex
digits of its UTF-8, so that both databases compare words in the same way, in any script.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# How many words of a text count, and how many characters of a word.
WORDS_MAX = 24
CHARACTERS_MAX = 64
# Begins a word that is written as hex digits; no other word has this character.
_HEX = "="
# Letters that have no accent that could be taken off.
_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
)
# Left out inside a word: O'Brien is found as obrien.
_APOSTROPHES = re.compile("['`´’‘ʼʻ]")
_BETWEEN = re.compile(r"[^a-z0-9]+")
# Characters of ids and addresses that count.
_NOT_OF_IDS = re.compile(r"[^a-z0-9@._+#/-]+")

# Most names, ids and addresses are one word as they are.
_ONE = re.compile("[A-Za-z]+|[A-Za-z._+#/-]*[0-9@][A-Za-z0-9@._+#/-]*")


def words(texts: Iterable[str]) -> list[str]:
    """The words of some texts, each once, in order. Ids and addresses are one word each."""
    found: dict[str, None] = {}
    for text in texts:
        if text and text.isascii() and _ONE.fullmatch(text):
            found[text.lower()[:CHARACTERS_MAX]] = None
        elif text:
            found.update(dict.fromkeys(_words(text)))
    return [*found][:WORDS_MAX]


def fold(text: str) -> str:
    """The text without letter case, accents and marks of writing."""
    if text.isascii():
        return text.lower()
    # Taken apart, a sign may be capital letters: № is No.
    letters = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS)).lower()
    return "".join(letter for letter in letters if unicodedata.category(letter) not in ("Mn", "Me", "Cf"))


@lru_cache(maxsize=50_000)
def _words(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for chunk in fold(_APOSTROPHES.sub("", text[:1000])).split():
        # An id or an address is one word, with its dots and dashes.
        is_id = "@" in chunk or any(letter.isdigit() for letter in chunk)
        if chunk.isascii():
            found += [_NOT_OF_IDS.sub("", chunk)] if is_id else _BETWEEN.sub(" ", chunk).split()
        else:
            found += [chunk] if is_id else "".join(_letter(letter) for letter in chunk).split()
    return tuple(_stored(word[:CHARACTERS_MAX]) for word in found if word)


def _letter(letter: str) -> str:
    """A letter or digit as it is; a blank for anything between words."""
    return letter if unicodedata.category(letter)[0] in "LNM" else " "


def _stored(word: str) -> str:
    return word if word.isascii() else _HEX + word.encode().hex()
