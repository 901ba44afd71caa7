"""The files of a district that came, each as a download as long as it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import BinaryIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from rollbook.errors import Unknown
from rollbook.operations import acting, file_arrivals
from rollbook.store.district import districts
from rollbook.web.console import console_times
from rollbook.web.console.console_frame import Ask, Console, Page, Shown
from rollbook.web.http.safety_headers import safety

PIECE_BYTES = 256 * 1024
HEADS = ("came", "from", "files", "bytes", "kept until", "deleted", "run", "state")


def arrivals(console: Console, ask: Ask) -> Shown:
    """The last uploads; of one run, if it is asked for."""
    found = file_arrivals.came(console.database, console.desk.settings, ask.district.id)
    run = ask.number("run")
    told = [
        # Not the folder: it is a path of the server's machine.
        {name: value for name, value in asdict(each).items() if name != "place"}
        for each in found
        if run in (0, each.run)
    ]
    rows = [
        (
            *(districts.timestamp(each["at"]), each["source"], each["count"], each["bytes"]),
            *(
                districts.timestamp(each["kept_until"]),
                each["deleted"] and districts.timestamp(each["deleted"]),
            ),
            *(each["run"], each["state"]),
        )
        for each in told
    ]
    return Shown(
        "arrivals.html",
        {
            "uploads": told,
            "run": run,
            "place": ask.place,
            "day": console_times.day,
            "may_upload": not ask.district.given and ask.actor.may("change the roster", ask.district.number),
        },
        rows=[HEADS, *rows],
        leave_out=("may_upload", "day"),
    )


def download(console: Console, ask: Ask) -> Response:
    """One file as it came. Its row in the audit trail names the person."""
    # Not `ask.asked`: a file's name may begin with a blank.
    name, file = ask.asked("upload"), ask.visit.asked("file")
    path = acting.do(
        ask.actor,
        file_arrivals.open_file,
        console.database,
        console.desk.settings,
        ask.district.id,
        name,
        file,
    )
    try:
        # From here on it can be read to its end, even if a clean-up deletes it meanwhile.
        opened = path.open("rb")
    except OSError:
        raise Unknown(file_arrivals.GONE) from None
    headers = {
        **safety(),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file, safe='')}",
        "Content-Length": str(os.fstat(opened.fileno()).st_size),
    }
    return StreamingResponse(_pieces(opened), headers=headers, media_type="application/octet-stream")


def _pieces(opened: BinaryIO) -> Iterator[bytes]:
    with opened:
        while piece := opened.read(PIECE_BYTES):
            yield piece


PAGES = (
    Page(
        "arrivals",
        "/console/d/{slug}/files",
        "change the roster",
        arrivals,
        download,
        title="Files",
        group="District",
    ),
)
