"""Measured programs: start, observe through /proc, and stop them. The parts decide what they do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROLLBOOK = str(Path(sys.executable).parent / "rollbook")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60
STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """The cost of a finished program: wall seconds, CPU seconds, and maximum memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def rollbook_prints(*arguments: str) -> str:
    """Run a command of Rollbook to its end and return what it prints. Errors: CalledProcessError."""
    return subprocess.run((ROLLBOOK, *arguments), check=True, text=True, stdout=subprocess.PIPE).stdout


def measured(*command: str) -> Outcome:
    """Run a program to its end and measure it. Errors: CalledProcessError."""
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output)
        # The kernel's own account of the one process: polling could miss its peak.
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        output.seek(0)
        return Outcome(wall_seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output.read())


@contextlib.contextmanager
def started(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """Start a server and yield its process id; at the end it is stopped, as by Ctrl+C."""
    own = environment or {}
    # A server that logs JSON lines writes one for each request.
    errors = subprocess.DEVNULL if own.get("ROLLBOOK_LOG_FORMAT") == "json" else None
    process = subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, pid: int) -> None:
    """Wait until the process listens. Errors: TimeoutError, or OSError if it has ended."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if " Z" in Path(f"/proc/{pid}/stat").read_text():
            raise OSError(f"the server for port {port} ended")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise TimeoutError(f"nothing listens on port {port} after {START_SECONDS} seconds")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds that the processes have used so far, in user and system mode."""
    ticks = 0
    for pid in pids:
        # The program's name stands in parentheses and may contain blanks; utime and stime are fields 14 and
        # 15.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def side_seconds(pid: int) -> float:
    """CPU seconds that the threads of a process beside its first one have used so far."""
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        if thread.name != str(pid):
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def resident_bytes(pids: Iterable[int]) -> int:
    """The memory of the processes now."""
    lines = (line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def proportional_bytes(pids: Iterable[int]) -> int:
    """The memory of the processes now; memory that several of them share counts once."""
    lines = (line for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines())
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
