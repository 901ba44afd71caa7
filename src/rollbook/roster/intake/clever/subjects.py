"""Find each section's subject from its words; `data/subjects.csv` has the list of words.

Documented order: a Subject that is one of the API's own is used; else words in Subject; else words in the
section's name; else words in Course_name; else `other`. In one text, the longest known phrase of whole words
wins; of two equally long ones, the first.
"""

from __future__ import annotations

import csv
from importlib.resources import files

from duckdb import DuckDBPyConnection

from rollbook.contract.clever.fields import SUBJECTS


def build(connection: DuckDBPyConnection) -> None:
    """Make `subject_of(text, subject)`: every text of the kept sections in which a subject is found."""
    phrases = _phrases()
    connection.execute(
        r"""
        CREATE TABLE subject_of AS
        WITH texts AS (
            SELECT DISTINCT unnest([subject, name, course_name]) AS text FROM kept_sections
        ),
        words AS (
            SELECT text, list_filter(regexp_split_to_array(lower(text), '[^\p{L}\p{N}]+'), lambda word: word <> '') AS words
            FROM texts WHERE text <> ''
        ),
        places AS (SELECT text, words, unnest(range(1, len(words) + 1)) AS place FROM words),
        phrases AS (
            SELECT text, place, array_to_string(words[place : place + length - 1], ' ') AS phrase
            FROM places, unnest(range(1, $words_max + 1)) AS lengths(length)
            WHERE place + length - 1 <= len(words)
        ),
        known AS (SELECT unnest($phrases) AS phrase, unnest($subjects) AS subject)
        SELECT text, arg_min(subject, (-length(phrase), place)) AS subject
        FROM phrases JOIN known USING (phrase) GROUP BY text
        """,
        {
            "words_max": max(len(phrase.split()) for phrase in phrases),
            "phrases": list(phrases),
            "subjects": list(phrases.values()),
        },
    )


def exact() -> dict[str, str]:
    """The API's own subjects, by their text in lower case."""
    return {subject.lower(): subject for subject in SUBJECTS if subject}


def _phrases() -> dict[str, str]:
    text = files("rollbook.roster").joinpath("data/subjects.csv").read_text("utf-8")
    return {row["words"]: row["subject"] for row in csv.DictReader(text.splitlines())}
