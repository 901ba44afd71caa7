"""Uploads by SFTP with OpenSSH's own client: one large file, and many districts at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench import material, tables
from bench.processes import ROLLBOOK, cpu_seconds, free_port, proportional_bytes, started, wait_for
from bench.tables import Target, number
from rollbook import settings as setting_rows
from rollbook.domain.school_days import Schedule
from rollbook.operations import district_setup, scheduling, sftp_setup
from rollbook.store.engine.keys import settle
from rollbook.store.engine.opening import opened

LARGE_MB, DISTRICTS = 800, 50
# What each of the districts uploads when all do so at once.
SMALL_MB = 4
MB = 1_000_000
LOOK_SECONDS = 0.05


def measure(megabytes: int, districts: int) -> None:
    """Print the table of this part."""
    with material.place() as name:
        place, port = Path(name), free_port()
        (place / "large").write_bytes(os.urandom(MB) * megabytes)
        (place / "small").write_bytes(os.urandom(MB) * min(SMALL_MB, megabytes))
        _set_up(place, districts)
        command = (ROLLBOOK, "sftp", "serve", "--port", str(port), "--database", f"{name}/rollbook.db")
        with started(command) as pid:
            wait_for(port, pid)
            one = _measured(place, port, pid, "large", 1)
            many = _measured(place, port, pid, "small", districts)
    rows = [
        _row(f"one file of {megabytes} MB", megabytes * MB, one),
        _row(
            f"{districts} districts at once, {min(SMALL_MB, megabytes)} MB each",
            districts * min(SMALL_MB, megabytes) * MB,
            many,
        ),
    ]
    heads = ("upload", "seconds", "MB a CPU second", "target", "is", "peak MB", "target", "is")
    tables.show("Uploads by SFTP", heads, rows)


def _set_up(place: Path, districts: int) -> None:
    key = place / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    settings = setting_rows.read(os.environ, database=f"{place}/rollbook.db")
    with opened(settings, may_begin=True) as store:
        settle(store, settings)
        for number_ in range(districts):
            folder = place / f"drop-{number_}"
            folder.mkdir()
            district_setup.create(store, f"District {number_}")
            scheduling.change(store, f"District {number_}", _into(folder))
            sftp_setup.open_account(store, f"District {number_}", f"d{number_}", (public,))


def _into(folder: Path) -> Callable[[Schedule], Schedule]:
    return lambda now: replace(now, folder=str(folder))


def _measured(place: Path, port: int, pid: int, file: str, count: int) -> tuple[float, float, int]:
    """Seconds, CPU seconds of the server, and its greatest memory while so many clients upload a file."""
    # Clients read it while others start, so it is written once.
    (place / f"batch-{file}").write_text(f"put {place / file} {file}\n")
    start, before = time.perf_counter(), cpu_seconds([pid])
    clients = [_client(place, port, file, number_) for number_ in range(count)]
    with _watched(pid) as peak:
        codes = [client.wait() for client in clients]
    if any(codes):
        sys.exit(f"an upload failed: {codes}")
    for number_ in range(count):
        if (place / f"drop-{number_}" / file).stat().st_size != (place / file).stat().st_size:
            sys.exit("an upload is not complete")
    return time.perf_counter() - start, cpu_seconds([pid]) - before, peak[0]


def _client(place: Path, port: int, file: str, number_: int) -> subprocess.Popen[bytes]:
    options = (
        "StrictHostKeyChecking=no",
        f"UserKnownHostsFile={place}/known-{number_}",
        "IdentitiesOnly=yes",
    )
    # Districts come from addresses of their own.
    own = ("-o", f"BindAddress=127.0.1.{number_ + 1}")
    chosen = [part for option in options for part in ("-o", option)]
    batch = str(place / f"batch-{file}")
    command = ["sftp", "-q", "-F", "none", "-i", str(place / "id"), *chosen, *own, "-b", batch]
    return subprocess.Popen(
        [*command, "-P", str(port), f"d{number_}@127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """The greatest memory of a process within the block."""
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            peak[0] = max(peak[0], proportional_bytes([pid]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        peak[0] = max(peak[0], proportional_bytes([pid]))
        ended.set()
        thread.join()


def _row(title: str, size: int, told: tuple[float, float, int]) -> tuple[str, ...]:
    seconds, spent, peak = told
    speed, memory = size / MB / max(spent, 0.01), peak / MB
    goal = Target("at least", 80) if size >= LARGE_MB * MB else None
    most = Target("at most", 200, " MB")
    return (
        title,
        number(seconds),
        number(speed),
        *tables.verdict(speed, goal),
        number(memory),
        *tables.verdict(memory, most),
    )
