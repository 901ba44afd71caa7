"""A demo that a test suite drives: started from a template, then moved, broken and restored by calls.

It needs only Rollbook, so other test runners than pytest can use `Sandbox`, too.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from rollbook.testing import demo_templates
from rollbook.testing.demo_templates import SandboxError

STUDENTS, SEED = 200, 1
START = "start"
START_SECONDS_MAX = 120.0
ANSWER_SECONDS_MAX = 300.0
TRIES = 5
SOCKET_BYTES_MAX = 90


@dataclass(frozen=True, slots=True)
class Named:
    """A person of the demo with a published user token."""

    id: str
    name: str
    role: str
    token: str


@dataclass(frozen=True, slots=True)
class Login:
    """A login for an application: its `code`, and the `url` to which a browser would go."""

    code: str
    url: str
    redirect_uri: str
    client_id: str


class Sandbox:
    """A demo with its server, in its own folder, which is removed at the end.

    `facts` is the output of `rollbook demo --json`. `people` has a person for each role in the district.
    """

    def __init__(self, folder: Path, process: _Process, facts: dict[str, Any]) -> None:
        self._folder, self._process = folder, process
        self.facts = facts
        self.base_url: str = facts["base_url"]
        self.token: str = facts["district_token"]
        self.district_id: str = facts["district_id"]
        self.client_id: str = facts["client_id"]
        self.client_secret: str = facts["client_secret"]
        self.people = {
            each["role"]: Named(each["user_id"], each["name"], each["role"], each["token"])
            for each in facts["user_tokens"]
        }
        parts = urlsplit(self.base_url)
        self._http = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=ANSWER_SECONDS_MAX)
        # What was done since the demo was last restored, for a message.
        self.changes: list[str] = []
        self._settle()
        self._begin = self._newest_event()
        self.save()

    # Calls -----------------------------------------------------------------------------------------

    def get(self, path: str, token: str | None = None) -> Any:
        """The JSON of a GET, with the district token or another one. Errors: SandboxError for any other status."""
        return self._ask("GET", path, None, token or self.token)

    def events(self) -> list[dict[str, Any]]:
        """The events since the demo was started, oldest first."""
        after = f"&starting_after={self._begin}" if self._begin else ""
        page = self.get(f"/v3.0/events?limit=10000{after}")
        return [element["data"] for element in page["data"]]

    def advance(self, scenario: str | None = None, *, days: int | None = None, to: str | None = None) -> Any:
        """Let days pass, or a scenario happen, as `POST /demo/advance` does; returns its report."""
        given = {"scenario": scenario, "days": days, "to": to}
        asked = {name: value for name, value in given.items() if value is not None}
        self.changes.append(f"advance({', '.join(f'{name}={value!r}' for name, value in asked.items())})")
        return self._ask("POST", "/demo/advance", asked)

    def fault(self, fault: str, **more: Any) -> Any:
        """Let requests fail: `rate-limit`, `server-error`, `unavailable`, `slow`, `dropped`, `expired-token` or
        `expired-code`; with `requests`, `path`, `token`, `delay_ms`."""
        self.changes.append(f"fault({fault!r})")
        return self._ask("POST", "/demo/faults", {"fault": fault, **more})

    def clear_faults(self) -> None:
        """End all faults."""
        self._ask("DELETE", "/demo/faults", None)

    def save(self, name: str = START) -> None:
        """Save the demo under a name. Without a name, it becomes the state with which every test begins."""
        self._ask("POST", "/demo/save", {"name": name})
        if name == START:
            self.changes.clear()

    def restore(self, name: str = START) -> None:
        """Restore the demo from a save; the default is the state with which every test begins."""
        self._ask("POST", "/demo/restore", {"name": name})
        self.changes = [] if name == START else [f"restore({name!r})"]

    def code_for(self, person: str | Named, **more: str) -> Login:
        """A login of a person: an id, a SIS id, an email, or a role such as `teacher`. `more` is `client_id`,
        `redirect_uri`, `state`, `nonce`, `code_challenge`."""
        who = person.id if isinstance(person, Named) else person
        made = self._ask("POST", "/demo/code", {"person": who, **more})
        return Login(made["code"], made["url"], made["redirect_uri"], made["client_id"])

    def stop(self) -> None:
        """End the server, and remove the folder."""
        self._http.close()
        self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Requests --------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: Any, token: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {token or self.token}", "Accept": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers["Content-Type"] = "application/json"
        try:
            self._http.request(method, path, sent, headers)
            answer = self._http.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise SandboxError(f"{method} {path}: the demo gave no answer ({type(error).__name__})") from None
        if status == 401:
            raise SandboxError(
                f"{method} {path}: the demo at {self.base_url} does not know the token {token!r}:"
                " take one of this session, such as rollbook.token"
            )
        if not 200 <= status < 300:
            raise SandboxError(f"{method} {path}: {status} {_message(text)}")
        return json.loads(text) if text else None

    def _newest_event(self) -> str:
        page = self.get("/v3.0/events?ending_before=last&limit=1")
        return str(page["data"][0]["data"]["id"]) if page["data"] else ""

    def _settle(self) -> None:
        """Wait until the districts have this copy's address: that makes an event, which no test must see."""
        end = time.monotonic() + START_SECONDS_MAX
        tokens = [district["token"] for district in self.facts["districts"]]
        while time.monotonic() < end:
            records = [self.get("/v3.0/districts", token)["data"][0]["data"] for token in tokens]
            if all(record["portal_url"].startswith(self.base_url) for record in records):
                return
            time.sleep(0.01)
        raise SandboxError(f"the demo at {self.base_url} does not tell its own address")


def start(
    students: int = STUDENTS,
    seed: int = SEED,
    *,
    redirect_uris: Sequence[str] = (),
    port: int = 0,
    cache: Path | None = None,
    keeps_ready: bool = False,
) -> Sandbox:
    """Start a demo on a free port, or on the given one.

    `keeps_ready` leaves a process behind for ten minutes, with which the next demo starts faster. Errors:
    SandboxError.
    """
    cache = (cache or demo_templates.cache_folder()).absolute()
    folder = Path(tempfile.mkdtemp(prefix="rollbook-test-"))
    process = None
    try:
        # It loads the server while the template is copied.
        process = _Process(folder, cache, keeps_ready=keeps_ready)
        demo_templates.copied(students, seed, folder / "demo", cache)
        for attempt in range(1, TRIES + 1):
            backs = [f"--redirect-uri={address}" for address in redirect_uris]
            facts, said = process.serve(port or _free_port(), backs)
            if facts is not None:
                return Sandbox(folder, process, facts)
            if port or "cannot be used" not in said or attempt == TRIES:
                raise SandboxError(_refusal(said, port))
            process = _Process(folder, cache, keeps_ready=keeps_ready)
        raise AssertionError("the last attempt returns or raises")
    except BaseException:
        if process is not None:
            process.stop()
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _refusal(said: str, port: int) -> str:
    if port and "cannot be used" in said:
        return f"port {port} is taken: set rollbook_port to another one, or leave it out for a free one"
    return f"the demo did not start: {said}"


class _Process:
    """The server's process and the line to it: it begins to load at once, and ends when the line does."""

    def __init__(self, folder: Path, cache: Path, *, keeps_ready: bool) -> None:
        self._folder = folder
        self._errors = folder / "errors.txt"
        self._starter = cache / f"starter-{demo_templates.source_mark()}.socket"
        # The system takes no longer address of a socket; the starter adds its number to it.
        self._keeps_ready = keeps_ready and len(os.fsencode(self._starter)) <= SOCKET_BYTES_MAX
        self._child: subprocess.Popen[bytes] | None = None
        self._line = self._from_starter() or self._as_child()
        self._line.settimeout(START_SECONDS_MAX)

    def serve(self, port: int, more: list[str]) -> tuple[dict[str, Any] | None, str]:
        """The demo's output when it accepts requests; or None, and the reason."""
        asked = {
            "arguments": [
                "demo",
                "--folder",
                str(self._folder / "demo"),
                "--port",
                str(port),
                *more,
                "--json",
            ],
            "errors": str(self._errors),
            "environment": demo_templates.environment(),
        }
        printed = b""
        with suppress(OSError):
            self._line.sendall(json.dumps(asked).encode() + b"\n")
            while not printed.endswith(b"\n"):
                piece = self._line.recv(65_536)
                if not piece:
                    break
                printed += piece
        if printed.endswith(b"\n"):
            return json.loads(printed), ""
        said = (
            self._errors.read_text("utf-8", "replace").strip().splitlines() if self._errors.exists() else []
        )
        self.stop()
        return None, (said[-1] if said else "it printed nothing").removeprefix("rollbook: ")

    def stop(self) -> None:
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
            while self._line.recv(65_536):  # until the server has ended
                pass
        self._line.close()
        if self._child is not None:
            try:
                self._child.wait(30)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def _from_starter(self) -> socket.socket | None:
        """A server from the process that is kept ready; None if there is none."""
        if not self._keeps_ready:
            return None
        line = socket.socket(socket.AF_UNIX)
        try:
            if os.stat(self._starter).st_uid != os.getuid():
                # In a cache that several users share, the starter of another one would get our environment.
                line.close()
                return None
            line.connect(str(self._starter))
        except OSError:
            line.close()
            self._begin_starter()
            return None
        return line

    def _begin_starter(self) -> None:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "rollbook.testing.served", "starter", str(self._starter)],
            env=demo_templates.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        process.returncode = 0  # it outlives this process, so nothing waits for it or warns about it

    def _as_child(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs, self._errors.open("wb") as errors:
            self._child = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "rollbook.testing.served", str(theirs.fileno())],
                env=demo_templates.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(theirs.fileno(),),
            )
        return ours


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200].decode("utf-8", "replace")
