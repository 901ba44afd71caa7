"""The uploads of a soak by SFTP: `rollbook sftp serve`, OpenSSH's own client, and uploads that are cut off."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.processes import ROLLBOOK, free_port, wait_for
from rollbook.operations import sftp_setup
from rollbook.store.engine.database import Database

WAIT_SECONDS = 120
# A file so large, and so slow (kbit a second), that its upload can be cut off in its middle.
LARGE_BYTES, SLOW = 2_000_000, 800


@dataclass
class Uploads:
    """The SFTP server of a soak, and the key of all accounts. `folder` holds the key and the client's files."""

    folder: Path
    port: int
    server: subprocess.Popen[bytes] | None = None

    @classmethod
    def made(cls, folder: Path) -> Uploads:
        folder.mkdir()
        key = folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        return cls(folder, free_port())

    def open_account(self, database: Database, district: str, name: str) -> None:
        key = (self.folder / "id.pub").read_text().strip()
        sftp_setup.open_account(database, district, name, (key,))

    def start(self, environment: Mapping[str, str]) -> None:
        command = (ROLLBOOK, "sftp", "serve", "--port", str(self.port))
        self.server = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
        wait_for(self.port, self.server.pid)

    def end(self, number: signal.Signals) -> None:
        if self.server:
            self.server.send_signal(number)
            self.server.wait(WAIT_SECONDS)

    def put(self, account: str, files: Path, *last: str) -> None:
        """Upload all files of a folder, then the files `last` one by one. Errors: CalledProcessError."""
        lines = [f"put {files}/*.csv", *(f"put {files / name}" for name in last)]
        client = self._client(account, *lines)
        code = client.wait(WAIT_SECONDS)
        if code:
            raise subprocess.CalledProcessError(code, client.args)

    def cut(self, account: str, files: Path, drop: Path, *, by_server: bool) -> None:
        """Begin a slow upload, and kill the server or the client in its middle."""
        large = self.folder / "students.csv"
        text = (files / "students.csv").read_bytes()
        large.write_bytes(text * (LARGE_BYTES // len(text) + 1))
        client = self._client(account, f"put {large}", kbits=SLOW)
        end = time.monotonic() + WAIT_SECONDS
        while not _is_begun(drop / "students.csv"):
            if client.poll() is not None or time.monotonic() > end:
                raise TimeoutError("no upload began")
            time.sleep(0.01)
        if by_server:
            self.end(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):  # the client may have seen the end of the server
            os.killpg(client.pid, signal.SIGKILL)
        client.wait(WAIT_SECONDS)

    def _client(self, account: str, *lines: str, kbits: int | None = None) -> subprocess.Popen[bytes]:
        batch = self.folder / f"batch-{account}"
        batch.write_text("".join(f"{line}\n" for line in lines))
        options = ("StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={self.folder}/known")
        chosen = [part for option in (*options, "IdentitiesOnly=yes") for part in ("-o", option)]
        slow = ["-l", str(kbits)] if kbits else []
        proof, place = ["-i", str(self.folder / "id"), *chosen], ["-P", str(self.port)]
        return subprocess.Popen(
            ["sftp", "-q", "-F", "none", *slow, *proof, "-b", str(batch), *place, f"{account}@127.0.0.1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _is_begun(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size > 0
    return False
