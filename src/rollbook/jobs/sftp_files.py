"""The files of one drop folder, as an account of the SFTP server sees them.

An account writes, reads, renames and deletes files in one flat folder. It cannot make links or folders, or
set times: with a false time, the rule `quiet` would take half an upload as complete. While a file is being
written, a hidden mark stands beside it (`drop_folders.open_mark`), and stays if the upload is cut off.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import asyncssh

from rollbook.jobs.sftp_logins import Login
from rollbook.operations import drop_folders

# How many channels one connection may have at once, and how many open files and listings a channel.
CHANNELS_MAX, HANDLES_MAX, LISTINGS_MAX = 8, 64, 8
# The most bytes of one read, and how many may wait for a client that asks faster than it takes.
READ_BYTES_MAX, UNSENT_BYTES_MAX = 256 * 1024, 4 * 1024**2
UNSENT_SECONDS = 0.05
# The largest file, as for all files of a zip file; and how much of the disk uploads leave free, as the database may
# need it.
FILE_BYTES_MAX, FREE_BYTES_MIN = 16 * 1024**3, 512 * 1024**2


class DropFolder(asyncssh.SFTPServer):
    """The files of one drop folder, as an account sees them."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        login = chan.get_connection().get_owner()
        if not isinstance(login, Login) or login.folder is None:
            raise asyncssh.SFTPPermissionDenied("no account")
        if login.channels >= CHANNELS_MAX:
            raise asyncssh.SFTPPermissionDenied("too many channels")
        login.channels += 1
        self._login, self._channel, self._is_over = login, chan, False
        _, self._schedule = login.folder
        self._folder = os.fsencode(self._schedule.folder)
        # The open files: for those that are being written, device and inode.
        self._handles: dict[Any, tuple[int, int] | None] = {}
        self._listings: WeakSet[AsyncIterator[asyncssh.SFTPName]] = WeakSet()
        # Files that were written, and those that the client itself has closed.
        self._written: set[bytes] = set()
        self._closed: set[bytes] = set()
        # The names of files that lack a part, because a write failed.
        self._broken: set[bytes] = set()
        super().__init__(chan, chroot=self._folder)

    def map_path(self, path: bytes) -> bytes:
        """A file of the folder; there are no subfolders, and hidden names are refused."""
        name = os.path.normpath(b"/" + path).lstrip(b"/")
        if b"/" in name or name.startswith(b".") or b"\0" in name:
            raise asyncssh.SFTPNoSuchFile("expected the name of a file in the folder /")
        return os.path.join(self._folder, name) if name else self._folder

    def open(self, path: bytes, pflags: int, _: asyncssh.SFTPAttrs) -> object:
        local = self.map_path(path)
        writes = bool(pflags & asyncssh.FXF_WRITE)
        if len(self._handles) >= HANDLES_MAX:
            raise asyncssh.SFTPFailure(f"expected at most {HANDLES_MAX} open files")
        if not writes:
            # To make or empty a file is to write: it needs a mark and room.
            file = os.fdopen(os.open(local, os.O_NOFOLLOW | os.O_RDONLY), "rb", buffering=0)
            self._handles[file] = None
            return file
        flags = os.O_NOFOLLOW | os.O_RDWR
        for wanted, flag in (
            (asyncssh.FXF_CREAT, os.O_CREAT),
            (asyncssh.FXF_TRUNC, os.O_TRUNC),
            (asyncssh.FXF_EXCL, os.O_EXCL),
        ):
            flags |= flag if pflags & wanted else 0
        if flags & os.O_CREAT and not os.path.lexists(local):
            self._check_count()
        handle = self._opened_under_mark(local, flags)
        self._written.add(local)
        self._closed.discard(local)
        if pflags & asyncssh.FXF_TRUNC:
            self._broken.discard(os.path.basename(local))
        written = os.fdopen(handle, "r+b", buffering=0)
        found = os.fstat(handle)
        self._handles[written] = key = (found.st_dev, found.st_ino)
        self._login.door.newest[key] = written
        return written

    def _check_count(self) -> None:
        names = [name for name in os.listdir(self._folder) if not name.startswith(b".")]
        if len(names) >= drop_folders.FILES_MAX:
            raise asyncssh.SFTPFailure(f"a folder has at most {drop_folders.FILES_MAX:,} files; remove some")

    def _opened_under_mark(self, local: bytes, flags: int) -> int:
        """Open a file for writing. The mark comes first, so that no worker takes the file in between."""
        mark = self._mark(local)
        try:
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            is_new = True
        except FileExistsError:
            is_new = False
        try:
            return os.open(local, flags, 0o600)
        except OSError:
            if is_new:
                os.unlink(mark)
            raise

    def _mark(self, local: bytes) -> bytes:
        name = os.fsdecode(os.path.basename(local))
        return os.path.join(self._folder, os.fsencode(drop_folders.open_mark(name)))

    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:
        """Read a part of a file, after the client has taken the parts before it."""
        await self._taken()
        return os.pread(file_obj.fileno(), min(size, READ_BYTES_MAX), offset)

    async def _taken(self) -> None:
        """Wait until the client has taken what it asked for: unsent bytes stay in memory."""
        while self._channel.get_write_buffer_size() > UNSENT_BYTES_MAX and not self._channel.is_closing():
            await asyncio.sleep(UNSENT_SECONDS)

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        """Write all of the data, or fail: a part would leave a gap that no error reports."""
        try:
            _check_size(offset + len(data))
            disk = os.fstatvfs(file_obj.fileno())
            if disk.f_bavail * disk.f_frsize < FREE_BYTES_MIN:
                raise asyncssh.SFTPFailure("the disk of the server is nearly full")
            left = memoryview(data)
            while left:
                done = os.pwrite(file_obj.fileno(), left, offset)
                left, offset = left[done:], offset + done
        except (OSError, asyncssh.SFTPError):
            self._broken.add(os.path.basename(_path(file_obj)))
            raise
        return len(data)

    def close(self, file_obj: Any) -> None:
        name, key = _path(file_obj), self._handles.pop(file_obj, None)
        file_obj.close()
        # A session that ends closes its open files, and calls `exit` before the loop continues. The client
        # did not close these files, so they are half an upload.
        asyncio.get_running_loop().call_soon(self._settle, name, key, file_obj)

    def _settle(self, name: bytes, key: tuple[int, int] | None, file_obj: Any) -> None:
        """Note that a file is whole, unless the session's end closed it or a newer handle writes it."""
        newest = self._login.door.newest
        is_newest = key is not None and newest.get(key) is file_obj
        if key is not None and is_newest:
            del newest[key]
        if self._is_over:
            return
        self._closed.add(name)
        if is_newest:
            with suppress(FileNotFoundError):
                os.unlink(self._mark(name))

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename a file; its mark goes with it."""
        old, new = self.map_path(oldpath), self.map_path(newpath)
        if self._folder in (old, new):
            raise asyncssh.SFTPFailure("expected the names of two files")
        was_open = os.path.lexists(self._mark(old))
        if was_open:
            os.rename(self._mark(old), self._mark(new))
        os.rename(old, new)
        if not was_open:
            with suppress(FileNotFoundError):
                os.unlink(self._mark(new))

    posix_rename = rename

    def remove(self, path: bytes) -> None:
        local = self.map_path(path)
        os.remove(local)
        with suppress(FileNotFoundError):
            os.unlink(self._mark(local))

    def exit(self) -> None:
        self._is_over = True
        self._login.channels -= 1
        folder = os.path.realpath(self._folder)
        left = {os.path.join(folder, os.path.basename(name)) for name in self._written}
        closed = {os.path.join(folder, os.path.basename(name)) for name in self._closed}
        if self._schedule.rule == "closed" and left and left <= closed and not self._broken:
            Path(self._schedule.folder, self._schedule.marker).touch()

    def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        if len(self._listings) >= LISTINGS_MAX:
            raise asyncssh.SFTPFailure(f"expected at most {LISTINGS_MAX} open listings")
        made = self._listing(path)
        self._listings.add(made)
        return made

    async def _listing(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """The files of the folder. A short request has a long answer, so it waits as a read does."""
        await self._taken()
        for entry in sorted(os.scandir(self.map_path(path)), key=lambda each: each.name):
            name = os.fsencode(entry.name)
            if entry.is_file(follow_symlinks=False) and not name.startswith(b"."):
                yield asyncssh.SFTPName(
                    name, attrs=asyncssh.SFTPAttrs.from_local(entry.stat(follow_symlinks=False))
                )

    def stat(self, path: bytes) -> os.stat_result:
        return os.lstat(self.map_path(path))

    def lstat(self, path: bytes) -> os.stat_result:
        return self.stat(path)

    def fsetstat(self, file_obj: Any, attrs: asyncssh.SFTPAttrs) -> None:
        if attrs.size is not None:
            _check_size(attrs.size)
            os.ftruncate(file_obj.fileno(), attrs.size)

    def setstat(self, path: bytes, _: asyncssh.SFTPAttrs) -> None:
        self.map_path(path)

    def lsetstat(self, path: bytes, _: asyncssh.SFTPAttrs) -> None:
        self.map_path(path)

    def _never(self, *_: object) -> None:
        raise asyncssh.SFTPPermissionDenied(
            "an account writes files into one folder, and no links or folders"
        )

    symlink = link = mkdir = rmdir = readlink = _never  # type: ignore[assignment]


def _path(file_obj: Any) -> bytes:
    return os.fsencode(os.readlink(f"/proc/self/fd/{file_obj.fileno()}"))


def _check_size(size: int) -> None:
    """Errors: SFTPFailure. A client can name any size, and a sync would read all of it."""
    if size > FILE_BYTES_MAX:
        raise asyncssh.SFTPFailure(f"a file has at most {FILE_BYTES_MAX:,} bytes")
