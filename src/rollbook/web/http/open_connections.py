"""All connections of one worker process: how many there are, and how long each may keep the server
waiting."""

from __future__ import annotations

import asyncio
import logging
import math
import resource
from collections import Counter, deque
from enum import Enum
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol

from rollbook.settings import Settings
from rollbook.web.http.draining import is_draining

# How often to look for connections that keep the server waiting too long.
SWEEP_SECONDS = 1.0
# How long a refused client may take to send its request, and then to read the reason.
END_SECONDS = 2
# How many clients without room may send a request and read an answer at once. Others are refused without being heard.
SEEN_OUT_MAX = 500
# How many bytes of its answer a client must read within the seconds for which an answer may stay unread.
TAKEN_BYTES_LEAST = 16 * 1024
# Requests sent ahead of an answer are rare, and cheap to send. All connections share few turns for them, so
# that others hardly wait.
TURN_SECONDS = 0.004
# Files and connections for other uses: the database, workers, syncs.
RESERVED_FILES = 200
# One in so many waiting connections is closed to make room: looking for them costs more than closing them.
ROOM_SHARE = 20
# For how many new connections a second to make room, if their address has its maximum. To refuse the others
# costs far less.
ROOM_PER_ADDRESS = 50

_log = logging.getLogger(__name__)


class Waits(Enum):
    """What a connection waits for. Only `ANSWER` depends on the server; all others depend on the client."""

    HEAD = "for a request"
    BODY = "for a body"
    FILES = "for files"
    IDLE = "for another request"
    ANSWER = "for an answer"
    READER = "for an answer to be read"
    END = "to be closed"


class Watched(Protocol):
    """What `Connections` needs of a connection. `since` is when it began to wait, by the loop's clock."""

    address: str
    since: float
    unread: int

    def waits(self) -> Waits: ...
    def unread_bytes(self) -> int: ...
    def held_bytes(self) -> int: ...
    def next_turn(self) -> None: ...
    def give_way(self) -> None: ...
    def abort(self) -> None: ...


class Connections:
    """The connections of this process. If there is no room, a new one replaces those that wait longest.

    Only connections that have waited through two sweeps are replaced. Between these, the loop has read from all. A
    shorter wait may be the server's: their requests may have come already. So a client in a crowd gets an answer.
    """

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        """`folder` is what the processes of one server share; None: it never drains."""
        self.settings, self._folder = settings, folder
        # Whether the server drains: then each answer ends its connection, so that none is in use when the port closes.
        self.are_ending = False
        self._all: set[Watched] = set()
        self._of_address: Counter[str] = Counter()
        self._limits = {
            Waits.HEAD: settings.head_seconds,
            Waits.BODY: settings.body_seconds,
            Waits.FILES: settings.upload_seconds,
            Waits.IDLE: settings.idle_seconds,
            Waits.READER: settings.unread_seconds,
            Waits.END: END_SECONDS,
        }
        self._sweeping: asyncio.TimerHandle | None = None
        # By address, since the last sweep.
        self._room_made: Counter[str] = Counter()
        # The times of the last two sweeps: what waits since before the first one may be replaced.
        self._sweeps = (-math.inf, -math.inf)
        # Addresses, or None for all, of which no connection may be replaced until the next sweep.
        self._without_room: set[str | None] = set()
        # Connections without room, each with a request to hear or an answer to read.
        self._seen_out: set[Watched] = set()
        self._queue: deque[Watched] = deque()

    def enter(self, connection: Watched, loop: asyncio.AbstractEventLoop) -> bool:
        """Accept a connection.

        False if there is no room: all others wait for the server, or the address opens too many at once.
        """
        is_crowd = self._of_address[connection.address] >= self.settings.connections_address_max
        if is_crowd and self._room_made[connection.address] < ROOM_PER_ADDRESS:
            self._room_made[connection.address] += self._make_room(connection.address)
        if self._of_address[connection.address] >= self.settings.connections_address_max:
            return False
        if len(self._all) >= self._most:
            [(crowd, _)] = self._of_address.most_common(1)
            self._make_room(crowd)
        if len(self._all) >= self._most:
            self._make_room(None)
        if len(self._all) >= self._most:
            return False
        self.are_ending = is_draining(self._folder)
        self._all.add(connection)
        self._of_address[connection.address] += 1
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        return True

    def see_out(self, connection: Watched, loop: asyncio.AbstractEventLoop) -> bool:
        """Give a connection without room a moment to be refused in. False: there are too many of these."""
        if len(self._seen_out) >= min(SEEN_OUT_MAX, self._files - self._most):
            return False
        self._seen_out.add(connection)
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        return True

    def is_seen_out(self, connection: Watched) -> bool:
        return connection in self._seen_out

    def leave(self, connection: Watched) -> None:
        self._seen_out.discard(connection)
        if connection in self._all:
            self._all.remove(connection)
            self._of_address[connection.address] -= 1
            if not self._of_address[connection.address]:
                del self._of_address[connection.address]

    def queue(self, connection: Watched) -> None:
        """Let a connection read a request that was sent ahead, after those that were queued before it."""
        self._queue.append(connection)
        if len(self._queue) == 1:
            asyncio.get_running_loop().call_later(TURN_SECONDS, self._turn)

    def _turn(self) -> None:
        connection = self._queue.popleft()
        if self._queue:
            asyncio.get_running_loop().call_later(TURN_SECONDS, self._turn)
        connection.next_turn()

    @cached_property
    def _most(self) -> int:
        """The maximum number of connections: never more than the system lets this process open."""
        return min(self.settings.connections_max, self._files)

    @cached_property
    def _files(self) -> int:
        return max(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES, 1)

    def _make_room(self, address: str | None) -> int:
        """Close the connections of an address, or of all, that keep the server waiting longest; returns how many."""
        if address in self._without_room:
            return 0
        waiting = [
            other
            for other in self._all
            if other.since <= self._sweeps[0]
            and address in (None, other.address)
            and (waits := other.waits()) is not Waits.ANSWER
            # A sweep has found the answer unread.
            and (waits is not Waits.READER or other.unread)
        ]
        if not waiting:
            self._without_room.add(address)
            return 0
        waiting.sort(key=lambda other: other.since)
        ended = waiting[: 1 + len(waiting) // ROOM_SHARE]
        for other in ended:
            _log.debug("closed a connection of %s: to make room for another one", other.address)
            self.leave(other)
            other.give_way()
        return len(ended)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the connections that have waited too long.

        Then, while too much memory is used, close those that use most.
        """
        now = loop.time()
        self.are_ending = is_draining(self._folder)
        for connection in list(self._all):
            waits = connection.waits()
            if waits is Waits.READER:
                unread = connection.unread_bytes()
                if connection.unread == 0 or connection.unread - unread >= TAKEN_BYTES_LEAST:
                    connection.unread, connection.since = unread, now
            else:
                connection.unread = 0
            if now - connection.since > self._limits.get(waits, now):
                self._end(connection, f"waited {now - connection.since:.0f} seconds {waits.value}")
        held = sum(connection.held_bytes() for connection in self._all)
        for connection in sorted(self._all, key=lambda other: other.held_bytes(), reverse=True):
            if held <= self.settings.unread_bytes_max:
                break
            held -= connection.held_bytes()
            self._end(connection, "held too much memory")
        for connection in [other for other in self._seen_out if now - other.since > END_SECONDS]:
            self._end(connection, "had no room")
        self._room_made.clear()
        self._without_room.clear()
        self._sweeps = (self._sweeps[1], now)
        is_needed = self._all or self._seen_out
        self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if is_needed else None

    def _end(self, connection: Watched, why: str) -> None:
        _log.debug("closed a connection of %s: %s", connection.address, why)
        self.leave(connection)
        connection.abort()


def network(address: str) -> str:
    """What counts as one address.

    For IPv6 it is the first half: a client chooses the second half (RFC 4291, 2.5.4).
    """
    if ":" not in address:
        return address
    return str(ip_network((address.partition("%")[0], 64), strict=False))


def allow_files(settings: Settings) -> None:
    """Raise the number of files that this process and its workers may open, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connections_max + SEEN_OUT_MAX + RESERVED_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
