"""What the words in a district's files mean on the wire, as rows; looking values up in them is left to `meanings`.

Sources: the published specification for the meanings; help articles and recorded answers for the words. A word or a pattern
that neither gives is our own choice, listed in docs/decisions.md. Words are compared in lower case, patterns with any letter
case, and in the order given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rollbook.contract.fields import CONTACT_TYPES, DISABILITIES, GENDERS, GRADES, LANGUAGES, PHONE_TYPES, RACES, RELATIONSHIPS


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one kind of value. A word that is not among them means `otherwise`, and is reported; blank means `blank`."""

    name: str
    words: dict[str, str]
    expected: str
    patterns: tuple[tuple[str, str], ...] = ()
    otherwise: str = ""
    blank: str = ""


def _themselves(meanings: tuple[str, ...]) -> dict[str, str]:
    return {meaning.lower(): meaning for meaning in meanings if meaning}


_GRADES: Final = {
    **_themselves(GRADES),
    "0": "Kindergarten",
    # CEDS codes, and the short forms that exports use.
    **dict.fromkeys(("k", "kg", "kn", "kf"), "Kindergarten"),
    **dict.fromkeys(("pk", "prek", "pre-k"), "PreKindergarten"),
    "pr": "Preschool",
    "it": "InfantToddler",
    "tk": "TransitionalKindergarten",
    **dict.fromkeys(("pg", "ps"), "PostGraduate"),
    "ug": "Ungraded",
}
# Only with the lenient rule: documentation says that a leading zero is refused.
PADDED_GRADES: Final = {f"0{number}": str(number) for number in range(1, 10)} | {"00": "Kindergarten"}

_YES_NO: Final = {**dict.fromkeys(("y", "yes", "true", "1"), "Y"), **dict.fromkeys(("n", "no", "false", "0"), "N")}

# Names that a help article accepts as input and the specification does not serve; two of them have no code there.
_OTHER_LANGUAGE_NAMES: Final = {
    "cambodian (khmer)": "Khmer",
    "meiteilon (manipuri)": "Manipuri",
    "nyanja (chichewa)": "Chichewa",
    "sepedi": "Northern Sotho",
    "akateko": "Other",
    "q'anjob'al": "Other",
}
_LANGUAGE_NAMES: Final = {
    # `iku` is also accepted for Inuinnaqtun; a language's own code comes before.
    **{code: language.name for language in LANGUAGES for code in language.accepted_codes},
    **{language.code: language.name for language in LANGUAGES},
    **{language.name.lower(): language.name for language in LANGUAGES},
    **_OTHER_LANGUAGE_NAMES,
}
_CODES: Final = {language.name: language.code for language in LANGUAGES}

_DISABILITY_CODES: Final = {
    **{code: code for code in DISABILITIES},
    **{name.lower(): code for code, name in DISABILITIES.items()},
}

VOCABULARIES: Final[tuple[Vocabulary, ...]] = (
    Vocabulary("grade", _GRADES, "Kindergarten, 1 to 12, PreKindergarten, ...", otherwise="Other"),
    Vocabulary(
        "gender",
        {
            **_themselves(GENDERS),
            "male": "M",
            "female": "F",
            **dict.fromkeys(("nonbinary", "non-binary", "non binary", "nb", "other", "gender x", "unspecified x"), "X"),
        },
        "M, F or X",
    ),
    Vocabulary(
        "race",
        {
            **_themselves(RACES),
            "w": "Caucasian",
            "a": "Asian",
            "b": "Black or African American",
            "i": "American Indian",
            "m": "Two or More Races",
            "p": "Hawaiian or Other Pacific Islander",
        },
        "W, A, B, I, M, P or the full words",
        otherwise="Unknown",
    ),
    Vocabulary("yes_no", _YES_NO, "Y or N"),
    # Codes of students who left the programme, or never were in it, mean N.
    Vocabulary("ell", {**_YES_NO, "el": "Y", "rfep": "N", "ifep": "N"}, "Y or N"),
    Vocabulary(
        "frl",
        {
            **_themselves(("Free", "Reduced", "Paid", "Other")),
            "f": "Free",
            "r": "Reduced",
            "p": "Paid",
            "n": "Paid",
        },
        "Free, Reduced, Paid, or F, R, P, N",
        otherwise="Other",
    ),
    Vocabulary("language", _LANGUAGE_NAMES, "a language's name or code", otherwise="Other"),
    Vocabulary(
        "language_code",
        {word: _CODES[name] for word, name in _LANGUAGE_NAMES.items()},
        "a language's name or code",
        otherwise="other",
    ),
    Vocabulary("disability_code", _DISABILITY_CODES, "aut, db, dd, ...", otherwise="other"),
    Vocabulary(
        "disability_type",
        {word: DISABILITIES[code] for word, code in _DISABILITY_CODES.items()},
        "Autism, Deaf-blindness, ...",
        otherwise="Other",
    ),
    Vocabulary(
        "phone_type",
        {
            **_themselves(PHONE_TYPES),
            "mobile": "Cell",
        },
        "Cell, Home, Work or Other",
        otherwise="Other",
        blank="Other",
    ),
    Vocabulary(
        "relationship",
        _themselves(RELATIONSHIPS),
        "Parent, Grandparent, Self, Aunt/Uncle, Sibling or Other",
        patterns=(
            (r"\bgrand", "Grandparent"),
            (r"\b(step)?-?(brother|sister|sibling)\b", "Sibling"),
            (r"\b(step\w*|mother|father|mom|mum|dad|guardian|parents?)\b", "Parent"),
            (r"\b(aunt|uncle)\b", "Aunt/Uncle"),
            (r"\bself\b", "Self"),
            (r"\bother\b", "Other"),
        ),
        otherwise="Other",
        blank="Other",
    ),
    Vocabulary(
        "contact_type",
        _themselves(CONTACT_TYPES),
        "Primary, Secondary, Parent/Guardian, Emergency, Family or Other",
        patterns=(
            (r"\b(guardian|mother|father|parent|mom|dad|stepmother|stepfather|stepparent)s?\b", "Parent/Guardian"),
            (r"\bemergency\b", "Emergency"),
            (r"\bprimary\b", "Primary"),
            (r"\bsecondary\b", "Secondary"),
            (r"\b(family|aunt|uncle|relative|grandmother|grandfather|grandparent|sibling)s?\b", "Family"),
            (r"\bother\b", "Other"),
        ),
    ),
)

# Roles of administrators.csv as rules name them, and how else files write them, in lower case.
ADMIN_ROLES: dict[str, tuple[str, ...]] = {
    "Clever Administrator": ("clever administrator", "cleveradministrator", "ca"),
    "District Curriculum Lead": ("district curriculum lead", "districtcurriculumlead", "dcl"),
    "District Help Desk": ("district help desk", "districthelpdesk", "dhd"),
}
