"""What words in a district's files mean on the wire, as rows. `readings` looks values up in them.

Sources: `contract.column_values` for the words of the specification; help articles, recorded answers and
exporters for other words. If none of them gives a word or pattern, it is our own choice, listed in
docs/decisions.md. Words are compared in lower case, patterns in any letter case, in the order given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from rollbook.contract.clever.column_values import VALUE
from rollbook.contract.clever.fields import DISABILITIES, GRADES, LANGUAGES, RACES
from rollbook.roster.intake.clever.languages import LANGUAGE_WORDS

# How unknown values are reported: each row, each different value once, or one line with their number.
Report = Literal["rows", "values", "count"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one kind of value. An unknown word means `otherwise`, and is reported; a blank value means
    `blank`.

    `is_loose` compares only letters and digits: `Black/African-American` is `black african american`.
    """

    name: str
    words: dict[str, str]
    patterns: tuple[tuple[str, str], ...] = ()
    otherwise: str = ""
    blank: str = ""
    is_loose: bool = False
    report: Report = "rows"


def _accepted(name: str) -> dict[str, str]:
    """The words of the contract, in lower case."""
    values = VALUE[name]
    return {
        word.lower(): meaning for words in (values.glosses, values.words) for word, meaning in words.items()
    }


def _words(meaning: str, *words: str) -> dict[str, str]:
    return dict.fromkeys(words, meaning)


_GRADES: Final = {
    **_accepted("grade"),
    "other": "Other",
    "0": "Kindergarten",
    # CEDS codes, and the short forms of exports.
    **_words("Kindergarten", "k", "kg", "kn", "kf"),
    **_words("PreKindergarten", "pk", "prek", "pre-k"),
    "pr": "Preschool",
    "it": "InfantToddler",
    "tk": "TransitionalKindergarten",
    **_words("PostGraduate", "pg", "ps"),
    "ug": "Ungraded",
}
# Only with the lenient rule: the documentation refuses a leading zero.
PADDED_GRADES: Final = {f"0{number}": str(number) for number in range(1, 10)} | {"00": "Kindergarten"}


def grade_ranges(grades: dict[str, str]) -> dict[str, str]:
    """Every range of two known grades, such as `9-12` or `k-5`, with its lower grade, in both orders."""
    ends = {word: grade for word, grade in grades.items() if grade != "Other"}
    return {
        f"{one}-{other}": min(
            ends[one], ends[other], key=GRADES.index
        )  # a grade's place in the list is its rank
        for one in ends
        for other in ends
    }


def _yes_no(yes: tuple[str, ...] = (), no: tuple[str, ...] = ()) -> dict[str, str]:
    return {
        **_words("Y", "y", "yes", "true", "t", "1", *yes),
        **_words("N", "n", "no", "false", "f", "0", *no),
    }


_DISABILITY_CODES: Final = {
    **{code: code for code in DISABILITIES},
    **{name.lower(): code for code, name in DISABILITIES.items()},
}
_CODES: Final = {language.name: language.code for language in LANGUAGES}

VOCABULARIES: Final[tuple[Vocabulary, ...]] = (
    Vocabulary("grade", _GRADES, otherwise="Other"),
    Vocabulary("grade_range", _GRADES, otherwise="Other"),
    Vocabulary(
        "gender",
        {
            **_accepted("gender"),
            **_words("X", "nonbinary", "non binary", "nb", "other", "gender x", "unspecified x"),
        },
        is_loose=True,
    ),
    Vocabulary(
        "race",
        {
            **{race.lower(): race for race in RACES if race},
            **_accepted("race"),
            **_words("Black or African American", "black", "african american", "black african american"),
            **_words("American Indian", "native american", "alaska native", "american indian alaska native"),
            **_words(
                "American Indian", "american indian or alaskan native", "american indian alaskan native"
            ),
            **_words("Hawaiian or Other Pacific Islander", "native hawaiian", "hawaiian", "pacific islander"),
            **_words("Hawaiian or Other Pacific Islander", "native hawaiian or other pacific islander"),
            **_words(
                "Hawaiian or Other Pacific Islander",
                "native hawaiian or pacific islander",
                "hawaiian pacific islander",
            ),
            **_words("Hawaiian or Other Pacific Islander", "native hawaiian other pacific islander"),
            **_words("Hawaiian or Other Pacific Islander", "native hawaiian pacific islander"),
            **_words("Two or More Races", "two or more", "multi racial", "multiple races"),
        },
        otherwise="Unknown",
        is_loose=True,
    ),
    Vocabulary(
        "hispanic",
        _yes_no(
            ("hispanic", "latino", "hispanic or latino", "hispanic latino"),
            (
                "not hispanic",
                "non hispanic",
                "not hispanic or latino",
                "non hispanic or latino",
                "not hispanic latino",
            ),
        ),
        is_loose=True,
    ),
    # Words for students who left the programme, or never were in it, mean N.
    Vocabulary(
        "ell",
        _yes_no(
            ("el", "ell", "lep", "english learner", "english language learner", "limited english proficient"),
            (
                *(
                    "eo",
                    "fep",
                    "ifep",
                    "rfep",
                    "non ell",
                    "not ell",
                    "english only",
                    "fluent english proficient",
                ),
                *("initial fluent english proficient", "initially fluent english proficient"),
                "reclassified fluent english proficient",
            ),
        ),
        is_loose=True,
    ),
    Vocabulary(
        "iep", _yes_no(("iep", "has iep", "active iep"), ("no iep", "non iep", "not iep")), is_loose=True
    ),
    Vocabulary(
        "gifted", _yes_no(("gifted", "gifted and talented"), ("not gifted", "non gifted")), is_loose=True
    ),
    Vocabulary(
        "section_504",
        _yes_no(("504", "504 plan", "section 504"), ("no 504", "no 504 plan", "not 504")),
        is_loose=True,
    ),
    Vocabulary("disability", _yes_no(("disabled",), ("not disabled", "no disability")), is_loose=True),
    # `Y` may mean free or reduced, and is not guessed.
    Vocabulary(
        "frl",
        {
            **_accepted("frl"),
            **_words("Free", "free lunch", "free meal", "free meals"),
            **_words(
                "Reduced",
                "reduced price",
                "reduced lunch",
                "reduced price lunch",
                "reduced meal",
                "reduced meals",
            ),
            **_words("Reduced", "reduced price meal", "reduced price meals"),
            **_words("Paid", "p", "paid", "paid lunch", "full", "full pay", "full price", "full price lunch"),
            **_words("Paid", "not eligible", "ineligible"),
            "other": "Other",
        },
        otherwise="Other",
        is_loose=True,
    ),
    Vocabulary("language", LANGUAGE_WORDS, otherwise="Other"),
    # What version 3.1 shows beside the name.
    Vocabulary(
        "language_code", {word: _CODES[name] for word, name in LANGUAGE_WORDS.items()}, otherwise="other"
    ),
    Vocabulary("disability_code", _DISABILITY_CODES, otherwise="other"),
    Vocabulary(
        "disability_type",
        {word: DISABILITIES[code] for word, code in _DISABILITY_CODES.items()},
        otherwise="Other",
    ),
    Vocabulary(
        "phone_type",
        {
            **_accepted("phone_type"),
            **_words("Cell", "c", "mobile", "cell phone", "cellphone", "cellular", "mobile phone"),
            **_words("Home", "h", "home phone"),
            **_words("Work", "w", "work phone", "business"),
        },
        otherwise="Other",
        blank="Other",
    ),
    # Any word is allowed here, so words without a known meaning are only counted.
    Vocabulary(
        "relationship",
        _accepted("relationship"),
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
        report="count",
    ),
    Vocabulary(
        "contact_type",
        _accepted("contact_type"),
        patterns=(
            (
                r"\b(guardian|mother|father|parent|mom|dad|stepmother|stepfather|stepparent)s?\b",
                "Parent/Guardian",
            ),
            (r"\bemergency\b", "Emergency"),
            (r"\bprimary\b", "Primary"),
            (r"\bsecondary\b", "Secondary"),
            (r"\b(family|aunt|uncle|relative|grandmother|grandfather|grandparent|sibling)s?\b", "Family"),
            (r"\bother\b", "Other"),
        ),
        report="count",
    ),
    Vocabulary(
        "staff_role",
        _accepted("staff_role"),
        otherwise="PortalOnly",
        blank="PortalOnly",
        is_loose=True,
        report="values",
    ),
)
# Roles of administrators.csv by their names in rules, with other spellings in files, in lower case.
ADMIN_ROLES: dict[str, tuple[str, ...]] = {
    "Clever Administrator": ("clever administrator", "cleveradministrator", "ca"),
    "District Curriculum Lead": ("district curriculum lead", "districtcurriculumlead", "dcl"),
    "District Help Desk": ("district help desk", "districthelpdesk", "dhd"),
}
