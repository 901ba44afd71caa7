"""Upload a district's files: check and plan, then sync as a job whose stages the page shows."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from rollbook.contract.clever.columns import FILES
from rollbook.errors import BadSetting, Unknown
from rollbook.operations import acting, uploads
from rollbook.store.work import job_queue
from rollbook.store.work.job_queue import Job
from rollbook.sync import Sync
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

JOBS = 10
# Above so many percent of the students, the files may be those of another district.
OTHER_PERCENT = 95


def upload(console: Console, ask: Ask) -> Shown:
    """The form for files, and the last jobs of the district."""
    with console.database.read() as transaction:
        jobs = job_queue.latest(transaction, JOBS, district=ask.district.number)
    return Shown(
        "upload.html",
        {
            "jobs": [_job(each) for each in jobs],
            "place": ask.place,
            "names": [(file.name, file.required) for file in FILES],
            "bytes_max": console.desk.settings.upload_bytes_max,
            "is_copy": bool(ask.district.given),
        },
        leave_out=("names",),
    )


def _job(job: Job) -> dict[str, Any]:
    """A job as the pages show it; its folder is a path of the server's machine, and stays there."""
    return {
        "number": job.number,
        "kind": job.kind,
        "state": job.state,
        "stage": job.stage,
        "message": job.message,
        "created": job.created / 1000,
        "run": job.run,
        "run_state": job.run_state,
        "counts": job.counts,
    }


def take(console: Console, ask: Ask) -> Response:
    """The files are here: lead to the page that checks them."""
    taken = ask.visit.files
    if taken is None:
        raise BadSetting("files: choose the files of the district, or one zip file")
    return console.redirect(f"{ask.place}/upload/{taken.name}")


def uploaded(console: Console, ask: Ask) -> Shown:
    """The files of an upload, before they are checked."""
    return _uploaded(console, ask, None)


def _uploaded(console: Console, ask: Ask, planned: Sync | None) -> Shown:
    found = uploads.lying(console.desk.settings, ask.district, ask.visit.parts["upload"])
    students = planned.kinds.get("students") if planned else None
    is_other = bool(
        students and students.existing and 100 * students.deleted > OTHER_PERCENT * students.existing
    )
    told = planned.as_json() if planned else None
    return Shown(
        "uploaded.html",
        {
            "files": found.files,
            "address": f"{ask.place}/upload/{found.name}",
            "place": ask.place,
            "plan": told,
            "is_other": is_other,
        },
    )


def act(console: Console, ask: Ask) -> Shown | Response:
    """Check and plan, or sync, by the button that was pressed."""
    database, settings, name = console.database, console.desk.settings, ask.visit.parts["upload"]
    if ask.asked("act") == "plan":
        planned = acting.do(ask.actor, uploads.plan, database, settings, ask.district.id, name)
        return _uploaded(console, ask, planned)
    if ask.asked("act") == "sync" and console.desk.in_demo:  # a demo has no worker
        done = acting.do(ask.actor, uploads.sync, database, settings, ask.district.id, name)
        return console.redirect(f"{ask.place}/runs/{done.number}" if done.number else f"{ask.place}/runs")
    if ask.asked("act") == "sync":
        number = acting.do(ask.actor, uploads.queue, database, settings, ask.district.id, name)
        return console.redirect(f"{ask.place}/jobs/{number}")
    raise BadSetting("act: expected plan or sync")


def job(console: Console, ask: Ask) -> Shown:
    """One job of the district: its stage, and the run that it made."""
    text = ask.visit.parts["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadSetting("job: expected its number")
    with console.database.read() as transaction:
        found = job_queue.get(transaction, int(text))
    if found.district_id != ask.district.id:
        raise Unknown(f"there is no job {text}")
    return Shown("job.html", {"job": _job(found), "place": ask.place, "address": f"{ask.place}/jobs/{text}"})


_AT = "/console/d/{slug}"
PAGES = (
    Page(
        "upload",
        f"{_AT}/upload",
        "change the roster",
        upload,
        take,
        title="Upload",
        group="District",
        takes_files=True,
    ),
    Page("uploaded", f"{_AT}/upload/{{upload}}", "change the roster", uploaded, act, is_costly=True),
    Page("job", f"{_AT}/jobs/{{number}}", "change the roster", job),
)
