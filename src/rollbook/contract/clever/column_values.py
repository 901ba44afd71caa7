"""The values that the cells of a column may hold, as rows: accepted words with the API's word for each, or a
form.

The words are those of the published file specification (edition 2.1.1). Words from help articles are marked.
Other spellings that exports use are in `rollbook.roster.intake.clever.vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rollbook.contract.clever.fields import (
    CONTACT_TYPES,
    DISABILITIES,
    GENDERS,
    GRADES,
    LANGUAGES,
    PHONE_TYPES,
    RELATIONSHIPS,
    SUBJECTS,
)


@dataclass(frozen=True, slots=True)
class Values:
    """One kind of value.

    `words` are the accepted words in the specification's spelling, each with the API's word.
    `glosses` are the words with which the specification explains them. `examples` are words of an open list.
    All are read in any letter case. A kind without words has a form, which `expected` describes.
    """

    name: str
    expected: str
    words: Mapping[str, str] = field(default_factory=dict)
    glosses: Mapping[str, str] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)


def _themselves(words: tuple[str, ...]) -> dict[str, str]:
    return {word: word for word in words if word}


_GRADES: Final = _themselves(tuple(grade for grade in GRADES if grade != "Other"))
_YES_NO: Final = {"Y": "Y", "N": "N"}

VALUES: Final[tuple[Values, ...]] = (
    Values(
        "grade",
        "InfantToddler, Preschool, PreKindergarten, TransitionalKindergarten, Kindergarten, 1 to 13, ...",
        _GRADES,
    ),
    Values(
        "grade_range",
        "a grade, or a range of grades such as 9-12 or K-5, of which the lower one counts",
        _GRADES,
    ),
    Values("gender", "M, F or X", _themselves(GENDERS), {"Male": "M", "Female": "F", "Non-binary": "X"}),
    Values(
        "race",
        "W, A, B, I, M, P or the full words",
        {
            "A": "Asian",
            "B": "Black or African American",
            "I": "American Indian",
            "M": "Two or More Races",
            "P": "Hawaiian or Other Pacific Islander",
            "W": "Caucasian",
        },
        {
            "Asian": "Asian",
            "Black or African-American": "Black or African American",
            "American Indian or Alaska Native": "American Indian",
            "Multiracial": "Two or More Races",
            "Hawaiian or Pacific Islander": "Hawaiian or Other Pacific Islander",
            "White": "Caucasian",
        },
    ),
    Values("hispanic", "Y or N", _YES_NO),
    Values("ell", "Y or N", _YES_NO),
    Values("iep", "Y or N", _YES_NO),
    Values("gifted", "Y or N", _YES_NO),
    Values("section_504", "Y or N", _YES_NO),
    Values("disability", "Y or N", _YES_NO),
    Values(
        "frl",
        "F (free), R (reduced) or N (no discount)",
        {"F": "Free", "R": "Reduced", "N": "Paid"},
        {"free": "Free", "reduced": "Reduced", "no discount": "Paid"},
    ),
    # The specification lists the names that v3.0 serves. A help article adds the other names, and codes.
    Values("language", "a language's name or code", {language.name: language.name for language in LANGUAGES}),
    Values("disability_code", "aut, db, dd, ...", {code: code for code in DISABILITIES}),
    Values("disability_type", "Autism, Deaf-blindness, ...", {name: name for name in DISABILITIES.values()}),
    # `Other` comes from a help article.
    Values("phone_type", "Cell, Home, Work or Other", _themselves(PHONE_TYPES)),
    Values(
        "relationship",
        "any words; the API shows Parent, Grandparent, Self, Aunt/Uncle, Sibling or Other",
        _themselves(RELATIONSHIPS),
        examples={"Father": "Parent", "Aunt": "Aunt/Uncle", "Neighbor": "Other"},
    ),
    Values(
        "contact_type",
        "any words; the API shows Primary, Secondary, Parent/Guardian, Emergency, Family, Other or nothing",
        _themselves(CONTACT_TYPES),
        examples={"family": "Family", "emergency": "Emergency", "guardian": "Parent/Guardian"},
    ),
    Values(
        "staff_role",
        "School Tech Lead, SchoolTechLead or STL; anything else gives no role",
        dict.fromkeys(("School Tech Lead", "SchoolTechLead", "STL"), "SchoolTechLead"),
    ),
    Values(
        "subject",
        "a subject of the API; others are found from words",
        {
            subject if subject == "other" else subject[:1].upper() + subject[1:]: subject
            for subject in SUBJECTS
            if subject
        },
    ),
    Values("phone", "10 or 11 digits, and no extension"),
    Values("birth_date", "MM/DD/YYYY or YYYY-MM-DD"),
    Values("term_date", "MM/DD/YYYY or YYYY-MM-DD"),
    Values("email", "name@example.org"),
    Values("state", "two letters"),
    Values("zip", "5 or 9 letters or digits"),
)
VALUE: Final[Mapping[str, Values]] = {values.name: values for values in VALUES}
