"""The columns of the neutral roster that cells of a file fill, by table: the fields that a rule of a share
can use.

The rows of the files (`contract.clever.columns`) name the same columns; a test compares the two. Columns that
name another record, such as a section's school, are not listed here. The district's own columns are not,
either.
"""

from __future__ import annotations

CELLS: dict[str, tuple[str, ...]] = {
    "sections": ("key", "name", "grade", "subject", "period", "section_number"),
    "students": (
        "key",
        "student_number",
        "state_id",
        "first",
        "middle",
        "last",
        "preferred_first",
        "preferred_middle",
        "preferred_last",
        "email",
        "district_username",
        "grade",
        "graduation_year",
        "dob",
        "gender",
        "race",
        "hispanic_ethnicity",
        "address",
        "city",
        "state",
        "zip",
        "unweighted_gpa",
        "weighted_gpa",
        "ell_status",
        "frl_status",
        "iep_status",
        "home_language",
        "gifted_status",
        "section_504_status",
        "disability_status",
        "disability_type",
        "disability_code",
    ),
    "teachers": (
        "key",
        "teacher_number",
        "state_id",
        "first",
        "middle",
        "last",
        "title",
        "email",
        "district_username",
    ),
    "staff": ("key", "first", "middle", "last", "title", "department", "role", "email", "district_username"),
    "district_admins": ("key", "first", "last", "title", "role", "email"),
}
