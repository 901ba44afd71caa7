"""A server whose names are long, or written from right to left, with 31 districts: what pages have to bear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollbook.operations import run_decisions
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.sync import How
from tests import sso
from tests.roster import world as roster_world

LONG = "Donaudampfschifffahrtskapitaensgesellschaft"
APPLICATION = "Wissenschaftskommunikationswerkzeugkasten"
# A browser that took this name for marks would complain of the content policy.
SCRIPT = "<img src=x onerror=alert(1)>"
ARABIC, HEBREW = "الحداد", "בית ספר יסודי על שם רבין"
FILES = {
    **roster_world.FILES,
    "schools.csv": f"School_id,School_name,School_number\nash,{HEBREW},1\nbirch,{LONG},2\n",
    "sections.csv": roster_world.FILES["sections.csv"].replace("Sec A", f"Mathematics 1 - {ARABIC} - 2"),
    "students.csv": sso.STUDENTS.replace("Amy,Adams", f"Wilhelmina,{LONG}")
    .replace("Ben,Baker", "נועה,בן-דוד")
    .replace("Cem,Celik", f"محمد,{ARABIC}")
    .replace("Dot,Diaz", f"{SCRIPT},Diaz"),
    "teachers.csv": sso.TEACHERS.replace("Lars,Lund", f"Lars,{LONG}").replace("Oba,Okoye", "ليلى,حسن"),
    "staff.csv": sso.STAFF.replace("Oba,Okoye", "ليلى,حسن"),
    "administrators.csv": sso.ADMINISTRATORS.replace("Gil,Gold", f"Gil,{LONG}"),
}
DISTRICTS = 31


@contextmanager
def opened(folder: Path) -> Iterator[sso.World]:
    """The world of sign-in, crowded."""
    address = str(folder / "rollbook.db")
    database = open_database(address)
    migrate(database)
    made = sso.build(database, address, folder, FILES, named=f" {APPLICATION}")
    for number in range(DISTRICTS - 1):
        name = (LONG, HEBREW, f"مدارس {ARABIC}", "Oak Valley Unified School District")[number % 4]
        districts.create(database, f"{name} {number}")
    yield made
    made.close()
    database.close()


def held(world: sso.World, folder: Path) -> str:
    """Another district with long names, whose second run is held: a student comes back under another SIS id.

    Returns the path of that run in the console."""
    made = districts.create(world.database, f"{LONG} {HEBREW} {ARABIC} held")
    files = roster_world.write(folder / "held", FILES)
    run_decisions.sync_files(world.database, world.settings, made.id, files, How())
    students = FILES["students.csv"].splitlines(keepends=True)
    less = roster_world.write(
        folder / "held less",
        {**FILES, "students.csv": "".join((*students[:-1], students[-1].replace("dot,", "new-dot,", 1)))},
    )
    run = run_decisions.sync_files(world.database, world.settings, made.id, less, How())
    assert run.state == "held"
    return f"/console/d/{districts.slug(made)}/runs/{run.number}"
