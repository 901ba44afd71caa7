"""All findings about files and rows, as small classes. Checks find them, and `findings` stores them.

A problem is yielded or recorded, never raised; `SourceRejected` carries those of severity `stop`.

Row numbers are those of a spreadsheet: the header is row 1, the first row of data is row 2. A line break
inside a cell does not begin a new row; a blank line is a row.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Final, Literal

Severity = Literal["stop", "error", "warning"]
# What a sync leaves out because of a problem: everything, a file, the row, the row's contact, a value, or
# nothing.
LeftOut = Literal["sync", "file", "row", "contact", "value", "nothing"]

VALUE_CHARACTERS_MAX: Final = 200
# Replaces a cell of a file that may hold passwords (see `quotable_cells`).
NOT_SHOWN: Final = "(not shown)"


class _NotShown(str):
    """Our words in place of a cell: a message puts no quotes around them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Problem:
    """One finding: its place (file, row, column), the value found, and what was expected."""

    code: ClassVar[str]
    title: ClassVar[str]
    message: ClassVar[str]
    severity: ClassVar[Severity]
    left_out: ClassVar[LeftOut]
    mend: ClassVar[str]
    # Follows the message if a field is known: the field's name, and the text.
    hint: ClassVar[tuple[str, str]] = ("value", "")

    file: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    expected: str | None = None

    def __post_init__(self) -> None:
        for name in ("column", "value"):
            text = getattr(self, name)
            if text is not None and len(text) > VALUE_CHARACTERS_MAX:
                object.__setattr__(self, name, text[:VALUE_CHARACTERS_MAX])
        for name in self.cells():
            if getattr(self, name) == NOT_SHOWN:
                object.__setattr__(self, name, _NotShown(NOT_SHOWN))

    @classmethod
    def cells(cls) -> tuple[str, ...]:
        """The fields with text from a file: the message quotes them or leaves them out.

        Reports for programs have all fields, also those that the message leaves out.
        """
        said = cls.message + cls.hint[1]
        quoted = tuple(name for name in ("column", "value", "expected") if f"{{{name}!r}}" in said)
        return quoted if "{value" in said else (*quoted, "value")

    def without_cells(self) -> Problem:
        """The same problem without text from the file."""
        hidden = {name for name in self.cells() if getattr(self, name)}
        column, value, expected = (
            NOT_SHOWN if name in hidden else getattr(self, name) for name in ("column", "value", "expected")
        )
        return type(self)(self.file, self.row, column, value, expected)

    def __str__(self) -> str:
        field, hint = self.hint
        message = self.message + (hint if getattr(self, field) else "")
        return message.format(
            file=self.file, row=self.row, column=self.column, value=self.value or "", expected=self.expected
        )

    def as_json(self) -> dict[str, object]:
        """The problem as all reports show it to programs."""
        return {
            "code": self.code,
            "severity": self.severity,
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "message": str(self),
        }


class FileStop(Problem):
    """The files cannot be synced at all; nothing is written."""

    severity = "stop"
    left_out: ClassVar[LeftOut] = "sync"


class FileWarning(Problem):
    """A file was not read exactly as it is."""

    severity = "warning"
    left_out: ClassVar[LeftOut] = "nothing"


class RowError(Problem):
    """A row is rejected; the sync takes in the others."""

    severity = "error"
    left_out: ClassVar[LeftOut] = "row"


class RowWarning(Problem):
    """A value of a row was changed or dropped; the sync takes the row in."""

    severity = "warning"
    left_out: ClassVar[LeftOut] = "value"


# --- the source: a folder or a zip file -----------------------------------------------------------------------------------


class MissingSource(FileStop):
    code, title = "missing-source", "Folder or zip file not there"
    message = "{file}: expected a folder or a .zip file, and found {value}"
    mend = "Give the path of the folder that holds the CSV files, or of a zip file of them."


class BadArchive(FileStop):
    code, title = "bad-archive", "Zip file cannot be used"
    message = "{file}: expected {expected}; found {value}"
    mend = "Zip the CSV files again, without a password, either loose or in one folder."


class MissingFile(FileStop):
    code, title = "missing-file", "Required file missing"
    message = "{file} is missing; expected {expected}{value}"
    mend = "Export all five required files; names are lower case: schools.csv, not Schools.csv."


class UnreadableFile(FileStop):
    code, title = "unreadable-file", "File cannot be read"
    message = "{file}: expected {expected}; found {value}"
    mend = "See that it is a plain file that the server may read."


class DeprecatedFile(FileWarning):
    code, title = "deprecated-file", "Old form of a file"
    message = "{file} was read as {expected}"
    mend = "Send the newer file instead."


class IgnoredFile(FileWarning):
    code, title = "ignored-file", "File not known"
    left_out = "file"
    message = "{file} is not one of the files this server reads, and was ignored{value}"
    mend = "Take the file out, or correct its name."


# --- a file's bytes and layout --------------------------------------------------------------------------------------------


class EmptyFile(FileStop):
    code, title = "empty-file", "File is empty"
    message = "{file} is empty; expected a header row and rows of data"
    mend = "Export the file again; an upload may have been cut off."


class HeaderOnly(FileStop):
    code, title = "header-only", "File has no rows of data"
    message = "{file} has a header and no rows; expected at least one row of data"
    mend = "Export the file again; an optional file with nothing in it is better not sent."


class NulByte(FileStop):
    code, title = "nul-byte", "File holds NUL bytes"
    message = "{file} row {row}: a NUL byte; expected text as UTF-8"
    mend = "Export the file again as CSV in UTF-8; it may be damaged, or in UTF-16."


class NotText(FileStop):
    code, title = "not-text", "File is not text that can be read"
    message = "{file}: {value}; expected CSV in {expected}"
    hint = ("row", "; the first such place is in row {row}")
    mend = "Save the file as `CSV UTF-8`."


class Windows1252(FileWarning):
    code, title = "windows-1252", "File is not UTF-8"
    message = "{file} row {row}: not UTF-8; the whole file was read as Windows-1252"
    mend = "Export the file as UTF-8, so that no letter can be mistaken."


class CellTooLong(FileStop):
    code, title = "cell-too-long", "Cell too long"
    message = "{file} row {row}: a cell longer than {expected}; a quote may be missing its partner: {value!r}"
    mend = "Look for a quote that is opened and not closed at or above the row."


class RowTooLong(FileStop):
    code, title = "row-too-long", "Row too long"
    message = "{file} row {row}: longer than {expected}; line breaks may be missing"
    mend = "Export the file again with a line break after each row."


class TooManyColumns(FileStop):
    code, title = "too-many-columns", "Too many columns"
    message = "{file}: {value} columns; expected at most {expected}"
    mend = "Leave out the columns that are not in the documented list."


class OpenQuote(FileStop):
    code, title = "open-quote", "File ends inside quotes"
    message = (
        "{file} row {row}: the file ends inside a quoted cell that begins {value!r}; expected a closing quote"
    )
    mend = "Upload the file again; it was probably cut off."


class FieldCount(FileStop):
    code, title = "field-count", "Row with too few or too many commas"
    message = "{file} row {row}: expected {expected} fields as in the header, found {value}"
    mend = "Put values that hold a comma into quotes, and write all commas of blank cells."


class StrayQuote(FileStop):
    code, title = "stray-quote", "Quotes that can be read in two ways"
    message = "{file} row {row}: quotes inside a quoted cell: {value!r}; expected them doubled"
    mend = 'Double the quotes inside a quoted cell: "the ""old"" school".'


class InnerQuotes(FileWarning):
    code, title = "inner-quotes", "Quotes inside a quoted cell not doubled"
    message = "{file} row {row}: quotes inside a quoted cell were not doubled; read as {value!r}"
    mend = 'Double the quotes inside a quoted cell: "the ""old"" school".'


# --- a file's header ------------------------------------------------------------------------------------------------------


class NoHeader(FileStop):
    code, title = "no-header", "No header row"
    message = "{file} row {row}: no known column name; found {value!r}, expected {expected}"
    mend = "Write the column names into the first row, with commas between them."


class MissingHeader(FileStop):
    code, title = "missing-header", "Required column missing"
    message = "{file}: column {column} is missing; expected {expected}"
    hint = ("value", "; {value!r} may be meant for it")
    mend = "Add the column to the export."


class UnknownHeader(FileStop):
    code, title = "unknown-header", "Column not known"
    message = "{file}: column {column!r} is not known; expected {expected}"
    mend = "Rename or leave out the column; a district's own field is called ext.NAME."


class IgnoredHeader(FileWarning):
    code, title = "ignored-header", "Column ignored"
    left_out = "value"
    message = "{file}: column {column!r} is not known, and was ignored"
    hint = ("value", "; {value} is the nearest column that is known")
    mend = "Rename or leave out the column; a district's own field is called ext.NAME."


class StandInHeader(FileWarning):
    code, title = "stand-in-header", "Column not sent, another one used"
    message = "{file}: column {column} is missing; {value} is used in its place"
    mend = "Add the column to the export."


class DuplicateHeader(FileStop):
    code, title = "duplicate-header", "Column given twice"
    message = "{file}: columns {value} are the same column; expected each column once"
    mend = "Leave one of them out; case, spaces, dashes and underscores make no difference."

    @classmethod
    def cells(cls) -> tuple[str, ...]:
        return ("column", "value")


class BadHeader(FileStop):
    code, title = "bad-header", "Column name cannot be used"
    message = "{file}: column {value} has the name {column!r}; expected {expected}"
    mend = "Give every column a name, and take extra commas out of the header."


# --- what programs leave in their files --------------------------------------------------------------------------------------


class OtherSpelling(FileWarning):
    code, title = "other-spelling", "File name in other letters"
    message = "{file} is not there; {value} was read as {file}"
    mend = "Name the file in lower case: students.csv, not Students.csv."


class TwoSpellings(FileStop):
    code, title = "two-spellings", "One file under two names"
    message = "{file} is not there; found {value}, and the server cannot know which one is current"
    mend = "Keep the current file, and name it in lower case."


class NoRows(FileWarning):
    code, title = "no-rows", "Optional file without rows"
    message = "{file} has no rows of data; the sync treats the file as empty"
    mend = "Export the file again if it should have rows; otherwise leave the file out."


class EndMark(FileWarning):
    code, title = "end-mark", "Control character at the end"
    message = "{file}: the control character 0x1A (Ctrl+Z) at the end of the file was dropped"
    mend = "Export the file without an end mark; some old programs write it."


class ForeignRows(FileWarning):
    code, title = "foreign-rows", "Rows in another encoding"
    message = "{file} row {row}: not UTF-8 like the rest of the file; rows read as Windows-1252: {value}"
    mend = "Export every row as UTF-8, so that no letter can be mistaken."


class WrongSeparator(FileStop):
    code, title = "wrong-separator", "Columns not separated by commas"
    message = "{file} row {row}: {value} separate the columns; expected commas"
    mend = "Export the file as CSV with commas between the columns."


class UnnamedColumn(FileWarning):
    code, title = "unnamed-column", "Blank column without a name"
    message = "{file}: column {value} has no name and no values, and was dropped"
    mend = "Take the comma at the end out of the header and of every row."


class UnnamedValue(FileStop):
    code, title = "unnamed-value", "Value in a column without a name"
    message = (
        "{file} row {row}: column {value} has a value here, and no name in the header; "
        "expected a name for each column"
    )
    mend = "Give the column its name, or take the value and the extra comma out."


class FormulaCells(FileWarning):
    code, title = "formula-cells", "Cells written as formulas"
    message = (
        '{file} row {row}: cells are written as formulas of a spreadsheet (="..."), {value} in '
        'all; read without the ="..."'
    )
    mend = "Export plain values."


class SecondHeader(FileStop):
    code, title = "second-header", "Another header among the rows"
    message = (
        "{file} row {row}: a header in another order than in row 1; the rows after it cannot "
        "be read by the first one"
    )
    mend = "Export one file with one header; two exports were probably joined."


class RepeatedHeader(RowError):
    code, title = "repeated-header", "Header row again"
    message = "{file} row {row}: the header row again; the row was rejected"
    mend = "Export the file with one header row."


class DescribingRow(RowError):
    code, title = "describing-row", "Row that describes the columns"
    message = "{file} row {row}: names or describes the columns, and is no data; the row was left out"
    mend = "Export the file with one header row, and data right below it."


class SeparatorRow(RowError):
    code, title = "separator-row", "Row of dashes"
    message = "{file} row {row}: only dashes and the like; the row was rejected"
    mend = "Export the file without lines between the rows."


class TotalRow(RowError):
    code, title = "total-row", "Row with a total"
    message = "{file} row {row}: a total of the rows, and no data; the row was rejected"
    mend = "Export the file without a line of totals."


class SeparatorLine(FileWarning):
    code, title = "separator-line", "Line for a spreadsheet above the header"
    message = "{file} row {row}: the line that tells a spreadsheet the separator (sep=,) was skipped"
    mend = "Export the file without this line."


class MoreFieldCounts(FileStop):
    code, title = "more-field-counts", "More rows with too few or too many commas"
    message = (
        "{file}: {value} more rows have too few or too many commas; expected {expected} fields "
        "as in the header"
    )
    mend = "Put values that hold a comma into quotes, and write all commas of blank cells."


class RewrittenId(RowError):
    code, title = "rewritten-id", "Id rewritten by a spreadsheet"
    message = "{file} row {row}: a spreadsheet has rewritten the {column} {value!r}; its last digits are lost"
    mend = (
        "Export from the SIS again, and do not save the file in a spreadsheet; or format the "
        "id columns as text first."
    )


# --- rows left out --------------------------------------------------------------------------------------------------------


class MissingValue(RowError):
    code, title = "missing-value", "Required value missing"
    message = "{file} row {row}: {column} is blank; expected a value"
    mend = "Fill the value in the SIS."


class DuplicateId(RowError):
    code, title = "duplicate-id", "Id used twice"
    message = (
        "{file} row {row}: {column} {value!r} was used before; expected each id once, and kept its first row"
    )
    mend = "Give each record its own id, and send one row for each."


class SharedId(RowError):
    code, title = "shared-id", "Id of two people"
    message = (
        "{file} row {row}: {column} {value!r}: {expected}; this row was left out, with what it "
        "says of a contact"
    )
    mend = "Give each person an id of their own in the SIS."


class WordAsId(RowError):
    code, title = "word-as-id", "Word for nothing as an id"
    message = "{file} row {row}: {column} is {value!r}, a word for nothing; expected an id"
    mend = "Fill in the id in the SIS, or leave the row out of the export."


class UnknownSchool(RowError):
    code, title = "unknown-school", "School not in schools.csv"
    message = "{file} row {row}: {column} {value!r} is not an accepted school of schools.csv"
    hint = (
        "expected",
        "; schools.csv has {expected!r}, which differs only in zeros, blanks, commas, .0 or letter case",
    )
    mend = "Add the school to schools.csv, or leave out what belongs to it."


class UnknownTeacher(RowError):
    code, title = "unknown-teacher", "Teacher not in teachers.csv"
    message = "{file} row {row}: {column} {value!r} is not an accepted teacher of teachers.csv"
    hint = (
        "expected",
        "; teachers.csv has {expected!r}, which differs only in zeros, blanks, commas, .0 or letter case",
    )
    mend = "Add the teacher to teachers.csv; a section needs one."


class UnknownStudent(RowError):
    code, title = "unknown-student", "Student not in students.csv"
    message = "{file} row {row}: {column} {value!r} is not an accepted student of students.csv"
    hint = (
        "expected",
        "; students.csv has {expected!r}, which differs only in zeros, blanks, commas, .0 or letter case",
    )
    mend = "Add the student to students.csv, or take the enrollment out."


class UnknownSection(RowError):
    code, title = "unknown-section", "Section not in sections.csv"
    message = "{file} row {row}: {column} {value!r} is not an accepted section of sections.csv"
    hint = (
        "expected",
        "; sections.csv has {expected!r}, which differs only in zeros, blanks, commas, .0 or letter case",
    )
    mend = "Add the section to sections.csv, or take the enrollment out."


class NoStudents(RowError):
    code, title = "no-students", "Section without students"
    message = (
        "{file} row {row}: section {value!r} has no accepted student in enrollments.csv; "
        "expected at least one"
    )
    mend = "Enroll students, or leave the section out until it has some."


class UnknownAdminRole(RowError):
    code, title = "unknown-admin-role", "Administrator role not known"
    message = "{file} row {row}: {column} {value!r} is not known; expected {expected}"
    mend = "Write one of the expected roles."


class IncompleteContact(RowError):
    code, title = "incomplete-contact", "Contact without name or type"
    left_out = "contact"
    message = (
        "{file} row {row}: a contact is given, and {column} is blank; the contact was "
        "rejected, the student was accepted"
    )
    mend = "Fill in Contact_name and Contact_type for every contact."


class SharedContactId(RowError):
    code, title = "shared-contact-id", "Id of two contacts"
    left_out = "contact"
    message = "{file} row {row}: {column} {value!r}: {expected}; this contact was rejected, the student was accepted"
    mend = "Give each contact an id of their own, or leave Contact_sis_id out of the export."


# --- values changed or dropped --------------------------------------------------------------------------------------------


class UnknownValue(RowWarning):
    code, title = "unknown-value", "Value not known"
    message = "{file} row {row}: {column} {value!r} is not known; expected {expected}"
    mend = "Use one of the expected values."


class OtherWords(RowWarning):
    code, title = "other-words", "Words that the API does not have"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} has words that the API does not have, first here, {value} in all; the API "
        "shows {expected} for them"
    )
    mend = "Nothing, if the words are meant so; the reference lists those that the API has."


class OtherForm(RowWarning):
    code, title = "other-form", "Values of another form"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} has values that are not {expected}, first here, {value} in "
        "all; they are shown as they are"
    )
    mend = "Correct the values in the SIS, or leave the cells blank."


class SameGrade(RowWarning):
    code, title = "same-grade", "All sections have the same grade"
    left_out = "nothing"
    message = (
        "{file}: each of its sections ({value}) has the grade {expected}, so each shows the grade that "
        "most of its students are in"
    )
    mend = "Give each section its own grade, or leave the column out."


class BadDate(RowWarning):
    code, title = "bad-date", "Not a date"
    message = "{file} row {row}: {column} {value!r} is not a date; expected {expected}"
    mend = "Write dates as MM/DD/YYYY or YYYY-MM-DD."


class BadPhone(RowWarning):
    code, title = "bad-phone", "Not a phone number that can be shown"
    message = "{file} row {row}: {column} {value!r} was dropped; expected {expected}"
    mend = "Write 10 or 11 digits without an extension."


class BlankSchoolNumber(RowWarning):
    code, title = "blank-school-number", "School number missing"
    message = "{file} row {row}: {column} is blank; the School_id {value!r} was used"
    mend = "Fill in School_number."


class UnknownCoTeacher(RowWarning):
    code, title = "unknown-co-teacher", "Co-teacher not in teachers.csv"
    message = (
        "{file} row {row}: {column} {value!r} is not an accepted teacher of teachers.csv; the "
        "co-teacher was dropped"
    )
    hint = (
        "expected",
        "; teachers.csv has {expected!r}, which differs only in zeros, blanks, commas, .0 or letter case",
    )
    mend = "Add the teacher to teachers.csv, or clear the co-teacher."


class ConflictingRepeat(RowWarning):
    code, title = "conflicting-repeat", "Rows of one person disagree"
    message = (
        "{file} row {row}: {column} is {value!r}, and {expected!r} in the person's first row; "
        "the first was kept"
    )
    mend = "Repeat all other columns unchanged in the further rows of one person."


class ConflictingContact(RowWarning):
    code, title = "conflicting-contact", "Rows of one contact disagree"
    message = (
        "{file} row {row}: {column} is {value!r}, and {expected!r} in the contact's fullest "
        "row; that one was kept"
    )
    mend = "Give each contact one Contact_sis_id, and the same name, email and phone everywhere."


class OtherSchool(RowWarning):
    code, title = "other-school", "Enrollments name another school than their section"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} is not the section's, first here, {value} in all; the "
        "section's school was used"
    )
    mend = "Nothing, if they name the student's school; else write the section's School_id."


class WordForNothing(RowWarning):
    code, title = "word-for-nothing", "Words for nothing"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} holds words for nothing, first here, {value} in all; none "
        "of them identifies a person"
    )
    mend = "Leave the cell blank where there is no value."


class RewrittenNumber(RowWarning):
    code, title = "rewritten-number", "Numbers rewritten by a spreadsheet"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} has numbers that a spreadsheet has rewritten (1.2E+11), first here, {value} in all; "
        "none of them identifies a person"
    )
    mend = (
        "Export from the SIS again, and do not save the file in a spreadsheet; or format such "
        "columns as text first."
    )


class SharedEmail(RowWarning):
    code, title = "shared-email", "Email of several people"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} {value!r} stands for {expected}; it joins no roles, and "
        "they cannot sign in by it"
    )
    mend = "Give each person an address of their own, or leave the cell blank."


class SharedUsername(RowWarning):
    code, title = "shared-username", "Username of several people"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} {value!r} stands for {expected}; where their passwords are "
        "equal, nobody gets in"
    )
    mend = "Give each person a username of their own."


class SharedNumber(RowWarning):
    code, title = "shared-number", "Number of several people"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} {value!r} stands for {expected}; expected a number for "
        "each person; all were accepted"
    )
    mend = "Give each person a number of their own."


class SharedPassword(RowWarning):
    code, title = "shared-password", "Password of many people"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} is the same for {expected}; a person who knows one of them knows all"
    )
    mend = "Give each person a password of their own."


class MergedNames(RowWarning):
    code, title = "merged-names", "One email, two names"
    left_out = "nothing"
    message = (
        "{file} row {row}: {column} {value!r} is also the email of {expected}; they became one "
        "person, and neither name agrees"
    )
    mend = "Give each person an address of their own, if they are two people."


class UnknownCourse(RowWarning):
    code, title = "unknown-course", "Course of a resource not known"
    message = (
        "{file} row {row}: no accepted section teaches the course {value!r}; the resource "
        "was accepted without it"
    )
    mend = "Write Course_name and Course_number as sections.csv has them."


PROBLEMS: Final[tuple[type[Problem], ...]] = (
    MissingSource,
    BadArchive,
    MissingFile,
    UnreadableFile,
    DeprecatedFile,
    IgnoredFile,
    EmptyFile,
    HeaderOnly,
    NulByte,
    NotText,
    Windows1252,
    CellTooLong,
    RowTooLong,
    TooManyColumns,
    OpenQuote,
    FieldCount,
    StrayQuote,
    InnerQuotes,
    NoHeader,
    MissingHeader,
    UnknownHeader,
    IgnoredHeader,
    StandInHeader,
    DuplicateHeader,
    BadHeader,
    OtherSpelling,
    TwoSpellings,
    NoRows,
    EndMark,
    ForeignRows,
    WrongSeparator,
    UnnamedColumn,
    UnnamedValue,
    FormulaCells,
    SecondHeader,
    RepeatedHeader,
    DescribingRow,
    SeparatorRow,
    TotalRow,
    SeparatorLine,
    MoreFieldCounts,
    RewrittenId,
    MissingValue,
    SharedId,
    WordAsId,
    DuplicateId,
    UnknownSchool,
    UnknownTeacher,
    UnknownStudent,
    UnknownSection,
    NoStudents,
    UnknownAdminRole,
    IncompleteContact,
    SharedContactId,
    UnknownValue,
    OtherWords,
    OtherForm,
    SameGrade,
    BadDate,
    BadPhone,
    BlankSchoolNumber,
    UnknownCoTeacher,
    ConflictingRepeat,
    ConflictingContact,
    OtherSchool,
    WordForNothing,
    RewrittenNumber,
    SharedEmail,
    SharedUsername,
    SharedNumber,
    SharedPassword,
    MergedNames,
    UnknownCourse,
)
PROBLEM: Final[dict[str, type[Problem]]] = {problem.code: problem for problem in PROBLEMS}
