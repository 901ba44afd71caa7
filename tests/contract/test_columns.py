"""The rows of files and columns match the facts of the file specification: nothing missing, nothing extra."""

from __future__ import annotations

from rollbook.contract.clever.column_values import VALUE, VALUES
from rollbook.contract.clever.columns import COLUMNS, FILES, Column, File
from rollbook.domain.roster_tables import CELLS
from tests.contract import facts
from tests.contract.facts import ColumnFact, Word, differences

# Files of later editions or help articles, which are not in the specification.
LATER_FILES = {"administrators.csv", "resources.csv"}
# Columns of help articles or old files, which are not in the specification.
LATER_COLUMNS = {
    ("schools.csv", "Nces_id"),
    *(("students.csv", header) for header in ("Gifted_status", "Section_504_status")),
    *(("students.csv", f"Disability_{part}") for part in ("status", "type", "code")),
    *(("students.csv", f"Preferred_{part}_name") for part in ("first", "middle", "last")),
    ("staff.csv", "Middle_name"),
}
# A school without a number shows its id, so the number is not needed (recorded).
NOT_NEEDED = {("schools.csv", "School_number")}


def _needed(row: File | Column) -> str:
    if isinstance(row, Column) and row.with_contact:
        return "with a contact"
    return "required" if row.required else "old" if row.deprecated else ""


def _ours(file: File) -> list[ColumnFact]:
    own = [ColumnFact(file.name, "ext.*", "", "", "", "")] if file.own_columns else []
    return [
        ColumnFact(file.name, "*", _needed(file), "", "", ""),
        *(
            ColumnFact(
                column.file,
                column.header,
                _needed(column),
                "unique" if column.unique else "",
                column.link,
                column.values,
            )
            for column in COLUMNS
            if column.file == file.name and (column.file, column.header) not in LATER_COLUMNS
        ),
        *own,
    ]


def _published() -> list[ColumnFact]:
    return [
        ColumnFact(fact.file, fact.header, "", fact.unique, fact.link, fact.values)
        if (fact.file, fact.header) in NOT_NEEDED
        else fact
        for fact in facts.columns()
    ]


def test_files_and_columns_are_those_of_the_specification() -> None:
    ours = [row for file in FILES if file.name not in LATER_FILES for row in _ours(file)]
    assert differences(_published(), ours) == []
    assert len(ours) == len(facts.columns())


def test_columns_of_our_own_are_those_named_here() -> None:
    published = {(fact.file, fact.header) for fact in facts.columns()}
    ours = {(column.file, column.header) for column in COLUMNS if column.file not in LATER_FILES}
    assert ours - published == LATER_COLUMNS


def test_accepted_words_and_their_glosses_are_those_of_the_specification() -> None:
    kinds = {fact.values for fact in facts.words()}
    ours = [
        Word(values.name, word, kind, shown)
        for values in VALUES
        if values.name in kinds
        for kind, words in (
            ("accepted", values.words),
            ("gloss", values.glosses),
            ("example", values.examples),
        )
        for word, shown in words.items()
    ]
    # Words of help articles: the languages of v3.1, and what the API shows for free words.
    later = {
        ("phone_type", "Other"),
        *((name, word) for name in ("relationship", "contact_type") for word in VALUE[name].words),
    }
    in_v3_0 = {fact.word for fact in facts.words() if fact.values == "language"}
    ours = [
        row
        for row in ours
        if (row.values, row.word) not in later and (row.values != "language" or row.word in in_v3_0)
    ]
    assert differences(facts.words(), ours) == []


def test_each_kind_of_values_is_used_by_a_column() -> None:
    assert {column.values for column in COLUMNS if column.values} == {values.name for values in VALUES}


# Columns of the roster that name another record, which a rule of a share does not compare as text.
REFERENCES = ("school", "course", "term")


def test_the_rosters_cells_are_those_that_files_feed() -> None:
    fed = [column.feeds.partition(".")[::2] for column in COLUMNS if column.feeds]
    expected = {
        source: {name for table, name in fed if table == f"roster_{source}" and name not in REFERENCES}
        for source in CELLS
    }
    assert {source: set(cells) for source, cells in CELLS.items()} == expected
