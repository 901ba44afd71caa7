"""The small world, which tests read as a whole: two schools, three sections, six people with memorable names.

Emmy learns in both schools, Katherine is in no section. Ada teaches and is staff, Grace teaches and
administers the district. Byron is a contact of two students. The resource Curve Plotter belongs to the course
Algebra, and is for students only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FILES: Final[Mapping[str, str]] = {
    "schools.csv": """\
School_id,School_name,School_number,State_id,Low_grade,High_grade,Principal,Principal_email,School_phone,School_city
N,North High,101,S-1,9,12,Ada Byrne,ada@north.example,312 555 0101,Springfield
S,South Elementary,102,,Kindergarten,5,,,,
""",
    "students.csv": """\
School_id,Student_id,Last_name,First_name,Middle_name,Grade,DOB,Gender,Race,Ell_status,Student_email,ext.bus,\
Contact_name,Contact_type,Contact_relationship,Contact_email,Contact_phone,Contact_sis_id
N,emmy,Noether,Emmy,,11,3/23/2009,F,W,Y,emmy@north.example,7,Byron Guardian,Primary,Father,byron@home.example,3125550199,byron
N,alan,Turing,Alan,Mathison,10,06/23/2010,M,,N,,,Byron Guardian,Emergency,Uncle,byron@home.example,3125550199,byron
S,katherine,Johnson,Katherine,,5,,,,,katherine@south.example,,,,,,,
""",
    "teachers.csv": """\
School_id,Teacher_id,First_name,Last_name,Teacher_email,Teacher_number,Title
N,t-ada,Ada,Lovelace,ada@north.example,11,Dr.
S,t-grace,Grace,Hopper,grace@south.example,12,
""",
    "staff.csv": """\
School_id,Staff_id,Staff_email,First_name,Last_name,Department,Title,Role
N,s-ada,ada@north.example,Ada,Byrne,Mathematics,Head,School Tech Lead
S,s-ada,ada@north.example,Ada,Byrne,Mathematics,Head,
""",
    "administrators.csv": """\
Admin_id,Admin_email,First_name,Last_name,Title,Role
a-grace,grace@south.example,Grace,Murray,Superintendent,Clever Administrator
""",
    "sections.csv": """\
School_id,Section_id,Teacher_id,Teacher_2_id,Name,Period,Course_name,Course_number,Term_name,Term_start,Term_end
N,algebra,t-ada,t-grace,,2,Algebra,MA1,Fall,8/17/2026,12/18/2026
S,poetry,t-grace,,,,Poetry,,Fall,8/17/2026,12/18/2026
N,homeroom,t-ada,,Room 12,,,,,,
""",
    "enrollments.csv": """\
School_id,Section_id,Student_id
N,algebra,emmy
N,algebra,alan
S,poetry,emmy
N,homeroom,alan
""",
    "resources.csv": """\
Resource_id,Title,Roles,Course_name,Course_number
plotter,Curve Plotter,student,Algebra,MA1
""",
}


def changed(*edits: tuple[str, str, str], without: tuple[str, ...] = ()) -> dict[str, str]:
    """The world's files after edits of (file, text, new text), without some files; a missing text is an
    error."""
    files = {name: text for name, text in FILES.items() if name not in without}
    for name, old, new in edits:
        if old not in files[name]:
            raise ValueError(f"{old!r} is not in {name}")
        files[name] = files[name].replace(old, new)
    return files


def write(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    """Write the files into a folder without earlier ones, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.csv"):
        left.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def without_columns(files: Mapping[str, str], name: str, *headers: str) -> dict[str, str]:
    """The files without some columns of one of them."""
    rows = list(csv.DictReader(io.StringIO(files[name])))
    kept = [header for header in rows[0] if header not in headers]
    text = io.StringIO()
    lines = csv.DictWriter(text, kept, extrasaction="ignore", lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    return {**files, name: text.getvalue()}
