"""A digest of a source's files, by which a sync knows that they are those of the last one.

Nothing is parsed here. A zip file counts as one file: the same files packed again are another source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollbook.roster.intake.csv import folder

# Hashing lets other threads run, so that large files are hashed side by side.
_THREADS: Final = 2

State = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class SourceDigest:
    """What a source held when it was looked at: a digest (hex), and the state of each file."""

    source: Path
    digest: str
    states: tuple[State, ...]

    def is_unchanged(self) -> bool:
        """Whether no file was replaced or written to since then."""
        try:
            with ExitStack() as opened:
                return self.states == tuple(_state(path) for _, path in _files(self.source, opened))
        except (OSError, folder.Unusable):
            return False


def of(source: Path) -> SourceDigest | None:
    """Hash the files of a folder or a zip file; None if they cannot be used, which reading them explains."""
    try:
        with ExitStack() as opened, ThreadPoolExecutor(_THREADS) as threads:
            found = list(_files(source, opened))
            states = tuple(_state(path) for _, path in found)
            hashed = list(threads.map(_hash, [path for _, path in found]))
            warnings = [] if source.is_file() else [str(each) for each in _warnings(source)]
    except (OSError, folder.Unusable):
        return None
    whole = hashlib.sha256()
    for text in (*warnings, *(f"{name} {digest}" for (name, _), digest in zip(found, hashed, strict=True))):
        whole.update(f"{len(text)} {text}".encode(errors="surrogateescape"))
    return SourceDigest(source, whole.hexdigest(), states)


def _files(source: Path, opened: ExitStack) -> Iterator[tuple[str, Path]]:
    """The name of each file that a sync reads, and a path to it; a zip file as it is."""
    if source.is_file():
        yield source.name, source
        return
    found, _ = folder.find(source, source, opened)
    yield from sorted(found.items())


def _warnings(source: Path) -> tuple[object, ...]:
    """What a sync says about the other files of a folder."""
    with ExitStack() as opened:
        return folder.find(source, source, opened)[1]


def _state(path: Path) -> State:
    now = path.stat()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
