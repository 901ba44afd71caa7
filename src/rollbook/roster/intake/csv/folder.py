"""Find a district's files in a folder or a zip file, and refuse harmful ones.

`layout` reads their content.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from rollbook.contract.clever.columns import FILES
from rollbook.roster.intake.csv import descriptors
from rollbook.roster.intake.csv.descriptors import LeadsOut
from rollbook.roster.problems import (
    BadArchive,
    DeprecatedFile,
    IgnoredFile,
    MissingFile,
    MissingSource,
    OtherSpelling,
    Problem,
    TwoSpellings,
    UnreadableFile,
)

MIB: Final = 1024 * 1024
ENTRIES_MAX: Final = 1_000
UNZIPPED_BYTES_MAX: Final = 16 * 1024 * MIB
# Real rosters shrink 10 to 50 times, a zip bomb about 1,000 times. Small files pass with any ratio.
ZIP_RATIO_MAX: Final = 200
ZIP_RATIO_FROM_BYTES: Final = 16 * MIB
CHUNK_BYTES: Final = MIB

_REQUIRED: Final = tuple(file.name for file in FILES if file.required)
_KNOWN: Final = tuple(file.name for file in FILES)
# Exceptions that damaged zip files have raised.
_ZIP_ERRORS: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(LookupError, NotImplementedError, RuntimeError, ValueError),
)


class Unusable(Exception):
    """One or more stops; `files.open_all` makes one `SourceRejected` of all of them."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def find(source: Path, into: Path, opened: ExitStack) -> tuple[dict[str, Path], tuple[Problem, ...]]:
    """The known files by name, open until `opened` ends, and warnings about the others. A zip file is
    unpacked to `into`.

    Errors: Unusable, if the source or a required file is missing, or if something is not a usable file.
    """
    try:
        kind = source.stat().st_mode
    except (OSError, ValueError) as error:
        raise Unusable(MissingSource(source.name, value=_reason(error))) from None
    if stat.S_ISDIR(kind):
        return _in_folder(source, opened)
    if stat.S_ISREG(kind) and source.suffix.lower() == ".zip":
        return _in_archive(source, into, opened)
    raise Unusable(MissingSource(source.name, value="something else"))


def _in_folder(folder: Path, opened: ExitStack) -> tuple[dict[str, Path], tuple[Problem, ...]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise Unusable(MissingSource(folder.name, value=_reason(error))) from None
    spelled = _spelled(names)
    stops = [*_ambiguous(names), *_missing(names)]
    paths: dict[str, Path] = {}
    for name, there in spelled.items():
        try:
            paths[name] = _opened(folder, there, opened)
        except Unusable as error:
            stops += error.problems
    if stops:
        raise Unusable(*stops)
    return {name: paths[name] for name in _wanted(paths)}, tuple(_remarks(names, spelled))


def _opened(folder: Path, name: str, opened: ExitStack) -> Path:
    """Open a file once.

    It must be a plain file; a link must stay in the folder, or it could show others' files.
    """
    return _opened_by(lambda: descriptors.open_within(folder, name), folder / name, opened)


def _opened_by(open_it: Callable[[], int], path: Path, opened: ExitStack) -> Path:
    name = path.name
    try:
        descriptor = open_it()
    except LeadsOut:
        raise Unusable(
            UnreadableFile(name, expected="a file in the folder", value="a link that leads out of it")
        ) from None
    except PermissionError:
        raise Unusable(
            UnreadableFile(name, expected="a file that the server may read", value="no permission")
        ) from None
    except OSError as error:
        raise Unusable(UnreadableFile(name, expected="a plain file", value=_reason(error))) from None
    opened.callback(os.close, descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise Unusable(UnreadableFile(name, expected="a plain file", value="a folder or a device"))
    return descriptors.path_of(descriptor, path)


def _spelled(names: Iterable[str]) -> dict[str, str]:
    """The known files that exist, each with its spelling: exact, or the only other spelling that exists."""
    spellings = _spellings(names)
    return {name: there[0] for name, there in spellings.items() if len(there) == 1}


def _spellings(names: Iterable[str]) -> dict[str, list[str]]:
    names = list(names)
    return {
        known: [known] if known in names else alike
        for known in _KNOWN
        if (alike := sorted(name for name in names if name.lower() == known))
    }


def _ambiguous(names: Iterable[str]) -> Iterator[Problem]:
    for name, there in _spellings(names).items():
        if len(there) > 1:
            yield TwoSpellings(name, value=" and ".join(repr(other) for other in there))


def _missing(names: Iterable[str]) -> Iterator[Problem]:
    for name in _REQUIRED:
        if name not in _spellings(names):
            yield MissingFile(name, expected=f"the five files {', '.join(_REQUIRED)}")


def _wanted(known: Mapping[str, object]) -> Iterator[str]:
    """The known files. admins.csv is the old form of staff.csv, and counts only if there is no staff.csv."""
    return (name for name in _KNOWN if name in known and not (name == "admins.csv" and "staff.csv" in known))


def _remarks(names: Iterable[str], spelled: Mapping[str, str]) -> Iterator[Problem]:
    wanted = set(_wanted(spelled))
    for name in wanted:
        if spelled[name] != name:
            yield OtherSpelling(name, value=spelled[name])
    if "admins.csv" in spelled and "staff.csv" in spelled:
        yield IgnoredFile(spelled["admins.csv"], value="; staff.csv is there")
    elif "admins.csv" in spelled:
        yield DeprecatedFile("admins.csv", expected="staff.csv")
    others = (name for name in names if name.lower().endswith(".csv") and name not in spelled.values())
    for name in islice(others, ENTRIES_MAX):
        yield IgnoredFile(name, value=f"; {name.lower()} is there" if name.lower() in spelled else "")


def _in_archive(source: Path, into: Path, opened: ExitStack) -> tuple[dict[str, Path], tuple[Problem, ...]]:
    # The operator names this path, so a link may point anywhere.
    packed = _opened_by(lambda: os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), source, opened)
    try:
        with zipfile.ZipFile(packed) as archive:
            members = _members(archive, source.name)
            stops = (*_ambiguous(sorted(members)), *_missing(sorted(members)))
            if stops:
                raise Unusable(*stops)
            spelled = _spelled(members)
            known = {name: members[there] for name, there in spelled.items()}
            return _unpack(archive, known, into, source.name, opened), tuple(
                _remarks(sorted(members), spelled)
            )
    except _ZIP_ERRORS as error:
        if is_full_disk(error):
            raise
        raise Unusable(BadArchive(source.name, expected="a whole zip file", value=_reason(error))) from None


def is_full_disk(error: BaseException) -> bool:
    """Whether our own disk is full, which is not the fault of a file."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The archive's files by plain name: loose, or all in one folder.

    Files that operating systems add are ignored.
    """
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > ENTRIES_MAX:
        raise Unusable(BadArchive(name, expected=f"at most {ENTRIES_MAX} files", value=str(len(entries))))
    members: dict[str, zipfile.ZipInfo] = {}
    folders: set[PurePosixPath] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise Unusable(BadArchive(name, expected="names inside the archive", value=repr(entry.filename)))
        if path.parts[0] == "__MACOSX" or path.name.startswith(".") or not path.name.lower().endswith(".csv"):
            continue
        if path.name in members:
            raise Unusable(BadArchive(name, expected="each file once", value=f"{path.name} twice"))
        members[path.name] = entry
        folders.add(path.parent)
    if len(folders) > 1 or any(len(folder.parts) > 1 for folder in folders):
        found = ", ".join(sorted(str(folder) for folder in folders))
        raise Unusable(
            BadArchive(name, expected="loose files or one folder of them", value=f"files in {found}")
        )
    return members


def _unpack(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], into: Path, name: str, opened: ExitStack
) -> dict[str, Path]:
    left = UNZIPPED_BYTES_MAX
    paths: dict[str, Path] = {}
    for wanted in _wanted(members):
        paths[wanted] = descriptors.scratch(into, wanted, opened)
        left -= _copy(archive, members[wanted], paths[wanted], left, name)
    return paths


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, left: int, name: str) -> int:
    """Unpack one file in small pieces and count the bytes: the sizes that an archive states may be false."""
    if entry.flag_bits & 0x1:
        raise Unusable(BadArchive(name, expected="no password", value=f"{entry.filename} is encrypted"))
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Other compression methods unpack a whole block into memory at once.
        raise Unusable(
            BadArchive(
                name, expected="the usual compression (deflate)", value=f"another one in {entry.filename}"
            )
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise Unusable(BadArchive(name, expected="plain files", value=f"{entry.filename} is a link"))
    most = min(left, max(ZIP_RATIO_FROM_BYTES, entry.compress_size * ZIP_RATIO_MAX))
    size = 0
    with archive.open(entry) as packed, to.open("wb") as unpacked:
        while chunk := packed.read(CHUNK_BYTES):
            size += len(chunk)
            if size > most:
                found = f"{entry.filename} grows beyond {most // MIB} MiB"
                raise Unusable(
                    BadArchive(
                        name, expected=f"files of at most {UNZIPPED_BYTES_MAX // MIB} MiB in all", value=found
                    )
                )
            unpacked.write(chunk)
    return size


def _reason(error: BaseException) -> str:
    """The system's words, without paths of this machine."""
    return (
        (error.strerror if isinstance(error, OSError) else None)
        or str(error).split(":")[0]
        or type(error).__name__
    )
