"""`rollbook work`: a worker without a server."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import click

from rollbook import json_logs
from rollbook.commands.options import database_option, read_settings, warn_of_readers
from rollbook.jobs.workers import Worker
from rollbook.store.engine.opening import opened


@click.command()
@click.option(
    "--processes",
    "job_processes",
    type=int,
    help="How many jobs run at a time; else ROLLBOOK_JOB_PROCESSES, else 1.",
)
@click.option("--once", is_flag=True, help="Do the jobs that are due now, and end.")
@database_option
def work(job_processes: int | None, once: bool, database: str | None) -> None:
    """Do the jobs of the queue until Ctrl+C, each in its own process.

    `rollbook serve` does this, too. Any number of workers may run, on any machine that reaches the database
    and the folders of the files. Jobs of one district run one at a time.
    """
    settings = read_settings(job_processes=job_processes, database=database)
    json_logs.set_up(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with opened(settings) as store:
        warn_of_readers(settings)
        worker = Worker(store, settings, settings.job_processes)
        try:
            with suppress(KeyboardInterrupt):
                worker.run(until_idle=once)
        finally:
            worker.end()
