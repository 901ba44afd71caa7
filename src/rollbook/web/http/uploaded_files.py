"""Files that a browser sends: written as they arrive, into a new folder, within bounds.

A file keeps only the last part of the name that the browser sends, so no file leaves its folder.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from rollbook.errors import BadSetting, MachineTrouble

FILES_MAX, FIELDS_MAX, FIELD_BYTES_MAX = 40, 20, 4096
# How much of the disk stays free: the database may be on it.
FREE_BYTES_MIN = 512 * 1024**2
_NAME = re.compile(r"[\w][\w .()-]{0,99}\.(csv|txt|zip)", re.IGNORECASE | re.ASCII)
_SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")


async def take(
    chunks: AsyncIterator[bytes], content_type: str, folder: Path, bytes_max: int
) -> dict[str, str]:
    """Write a form's files into a new folder; returns its other fields.

    Errors: BadSetting for a file that cannot be used, a form that was cut off or is too large, or no file at
    all; MachineTrouble if the disk is nearly full. Then no file of it stays.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise BadSetting("files: expected the form of the upload page")
    folder.mkdir(parents=True, mode=0o700)
    receiver = _Receiver(folder)
    try:
        parser = MultipartParser(options[b"boundary"], receiver.callbacks())
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > bytes_max:
                raise BadSetting(
                    f"files: expected at most {bytes_max:,} bytes in all; put them into a zip file"
                )
            parser.write(chunk)
        if not receiver.is_complete:
            raise BadSetting(
                "The upload was cut off before its end. Nothing was kept; upload the files again."
            )
        if not receiver.names:
            raise BadSetting("files: choose the files of the district, or one zip file")
    except BaseException as error:
        receiver.close()
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, FormParserError | ClientDisconnect):
            raise BadSetting(
                "The upload was cut off before its end. Nothing was kept; upload the files again."
            ) from None
        raise
    return receiver.fields


class _Receiver:
    """The results of reading a form's parts: files in the folder, and short fields."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._header = [b"", b""]
        self._disposition = b""
        self._field: str | None = None
        self._file: IO[bytes] | None = None
        self._value = b""
        self._parts = 0
        self.fields: dict[str, str] = {}
        self.names: list[str] = []
        self.is_complete = False

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._grow(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._grow(1, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > FILES_MAX + FIELDS_MAX:
            raise BadSetting(f"files: expected at most {FILES_MAX}; put them into a zip file")
        self._disposition, self._field, self._value = b"", None, b""

    def _grow(self, which: int, data: bytes) -> None:
        self._header[which] += data

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = [b"", b""]

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        given = options.get(b"filename")
        if given is None:
            self._field = options.get(b"name", b"").decode("utf-8", "replace")
        elif given:  # blank: no file was chosen
            name = _checked(given.decode("utf-8", "replace"), self.names)
            self.names.append(name)
            descriptor = os.open(self._folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self._file = os.fdopen(descriptor, "wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file:
            disk = os.fstatvfs(self._file.fileno())
            if disk.f_bavail * disk.f_frsize < FREE_BYTES_MIN:
                raise MachineTrouble(
                    "The disk of the server is nearly full. Nothing was kept; tell the people who run it."
                )
            self._file.write(data[start:end])
        elif self._field is not None and len(self._value) < FIELD_BYTES_MAX:
            self._value += data[start:end]

    def _end(self) -> None:
        self.close()
        if self._field is not None:
            self.fields[self._field] = self._value[:FIELD_BYTES_MAX].decode("utf-8", "replace")

    def _finish(self) -> None:
        self.is_complete = True


def _checked(given: str, known: list[str]) -> str:
    """The name under which a file is kept. Errors: BadSetting names the file and what was expected."""
    name = given.replace("\\", "/").rpartition("/")[2].strip()
    if name.lower().endswith(_SPREADSHEETS):
        raise BadSetting(
            f"The file {name[:100]} is a spreadsheet; save each sheet as a CSV file, and upload that"
        )
    if not _NAME.fullmatch(name):
        raise BadSetting(
            f"{name[:100]!r} cannot be used; expected CSV files such as students.csv, or one zip file"
        )
    if name.lower() in (each.lower() for each in known):
        raise BadSetting(f"The file {name} was chosen twice; choose each file once")
    if len(known) >= FILES_MAX:
        raise BadSetting(f"files: expected at most {FILES_MAX}; put them into a zip file")
    return name
