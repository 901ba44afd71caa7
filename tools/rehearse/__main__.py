"""`python -m tools.rehearse LAYOUT`: rehearse one layout, and print what clients saw as Markdown."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rollbook import __version__
from tools.rehearse.clients import HEADINGS
from tools.rehearse.layouts import LAYOUTS, STUDENTS, rehearse
from tools.rehearse.programs import versions


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in LAYOUTS:
        sys.exit(f"LAYOUT: expected one of {', '.join(LAYOUTS)}, got {' '.join(arguments) or 'nothing'}")
    (name,) = arguments
    layout, programs = LAYOUTS[name]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rollbook-rehearsal-") as folder:
        Path(folder).chmod(0o711)
        found = rehearse(name, Path(folder))
    print(f"\n### {(layout.__doc__ or '').strip()}\n")
    print(f"| {' | '.join(HEADINGS)} |")
    print(f"|---|{'---:|' * (len(HEADINGS) - 1)}")
    for seen in found.readers.phases:
        print(f"| {' | '.join(seen.row)} |")
    print()
    for note in found.notes:
        print(f"- {note.rstrip('.')}.")
    print(
        f"\nRollbook {__version__} at commit {_commit()}; {versions(*programs) or 'no other program'};"
        f" {STUDENTS} students; {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}; {time.monotonic() - begun:.0f} s."
    )


def _commit() -> str:
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


if __name__ == "__main__":
    main(sys.argv[1:])
