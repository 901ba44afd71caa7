"""Words that say nothing (`NULL`, `N/A`, `-`, `#REF!`), as SQL: nobody is known, joined or signed in by one of them.

Exports write such words where the SIS has no value. What a value means otherwise is left to `vocabulary`.
"""

from __future__ import annotations

from typing import Final

_SEPARATORS: Final = r"[^\p{L}\p{N}]"
# Each may stand alone or several times, in any letter case, with brackets, dashes or blanks around it: `(null)`, `NULL NULL`.
_WORDS: Final = (
    *("null", "nil", "none", "nan", "nothing", "undefined", "unknown", "unk", "blank", "empty", "missing", "void", "tbd", "tba"),
    rf"n{_SEPARATORS}*a",
    rf"not{_SEPARATORS}+(?:available|applicable|provided|given|known|on{_SEPARATORS}+file|set|entered)",
    rf"no{_SEPARATORS}*(?:e{_SEPARATORS}*)?mail",
    rf"no{_SEPARATORS}+(?:contact|data|id|name|password|phone|username|value)",
)
# What a spreadsheet shows in a cell whose formula fails; `#N/A` and `#NULL!` are words above.
_FAILED_FORMULA: Final = r"#(?:ref!|value!|name[?]|div/0!|num!|spill!|calc!|error!|getting_data)"
_NOTHING: Final = rf"(?:{_SEPARATORS}*(?:(?:{'|'.join(_WORDS)})(?:{_SEPARATORS}+|$))*|{_FAILED_FORMULA})"
# An address that an office fills in for everybody who has none; `na@` may be a person's initials.
_PLACEHOLDER: Final = (
    r"(?:null|nil|none|undefined|unknown|(?:no|fake|dummy|not?[-_.]?valid|invalid)[-_.]?(?:e[-_.]?)?mail|no[-_.]?reply)@.*"
)
_EMAIL: Final = r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+"


def is_nothing(cell: str) -> str:
    """SQL: whether a cell holds a word for nothing; a blank cell does not."""
    return f"({cell} <> '' AND regexp_full_match(lower({cell}), '{_NOTHING}'))"


def is_email(cell: str) -> str:
    """SQL: whether a cell has the form of an email, x@y.z (documented)."""
    return f"regexp_full_match({cell}, '{_EMAIL}')"


def tells_who(email: str) -> str:
    """SQL: whether an email can tell who somebody is: it has the form, and is no address for everybody who has none."""
    return f"({is_email(email)} AND NOT regexp_full_match(lower({email}), '{_PLACEHOLDER}'))"


MACROS: Final = (
    f"CREATE MACRO is_nothing(cell) AS {is_nothing('cell')}",
    # A number that a spreadsheet shortened, such as 1.23457E+11; the sign alone is found faster than the whole form.
    "CREATE MACRO is_rewritten(cell) AS contains(cell, '+') AND regexp_full_match(cell, '[0-9]([.,][0-9]+)?[eE][+][0-9]{2,3}')",
    # A cell, blank where it holds a word for nothing, or a number that many others have become, too.
    "CREATE MACRO said(cell) AS CASE WHEN is_nothing(cell) OR is_rewritten(cell) THEN '' ELSE cell END",
    # Nan and Na are names, too: of somebody whose email or phone says something, where neither is a word for nothing.
    """CREATE MACRO is_no_name(name, email, phone) AS is_nothing(name) AND NOT (
        lower(name) IN ('nan', 'na') AND concat(email, phone) <> ''
        AND NOT is_nothing(coalesce(email, '')) AND NOT is_nothing(coalesce(phone, '')))""",
    """CREATE MACRO said_name(name, email, phone) AS
        CASE WHEN is_no_name(name, email, phone) OR is_rewritten(name) THEN '' ELSE name END""",
    f"CREATE MACRO is_email(cell) AS {is_email('cell')}",
    f"CREATE MACRO tells_who(cell) AS {tells_who('cell')}",
)
