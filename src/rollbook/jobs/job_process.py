"""A process that does jobs, one after another, until no job is due: `python -m rollbook.jobs.job_process
WORKER`, with `outgoing` after it for the jobs that wait for other servers.

The engine of syncs gives its memory back only when its process ends. So a worker starts such processes and
stays small.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from rollbook import json_logs
from rollbook import settings as setting_rows
from rollbook.errors import RollbookError
from rollbook.jobs.performing import perform
from rollbook.jobs.stopping import STOP
from rollbook.store.engine.opening import opened
from rollbook.store.work import job_queue

# After so many jobs a process ends, and a new one starts with fresh memory.
JOBS_MAX = 50


def main(worker: str, *, outgoing: bool) -> int:
    """Do jobs until none is due, or until the worker that started this process has ended."""
    # A worker that was started by `nohup` passes on that this signal is ignored.
    signal.signal(STOP, signal.SIG_DFL)
    settings, parent = setting_rows.read(os.environ), os.getppid()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    json_logs.set_up(settings, logging.INFO)
    try:
        with opened(settings) as database:
            for _ in range(JOBS_MAX):
                is_wanted = os.getppid() == parent
                job = job_queue.lease(database, worker, outgoing=outgoing) if is_wanted else None
                if job is None:
                    break
                perform(database, settings, job)
    except RollbookError as error:
        logging.getLogger(__name__).warning("a worker stops: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], outgoing=job_queue.OUTGOING in sys.argv[2:]))
