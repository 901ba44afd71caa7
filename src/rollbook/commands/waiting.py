"""The line on a terminal that says what a command is doing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

Tell = Callable[[str], None]


@contextmanager
def status(text: str) -> Iterator[Tell]:
    """Show `text` until the work is done; the function changes it.

    Without a terminal nothing is shown, and the library that draws it is not loaded.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    console = import_module("rich.console").Console(stderr=True)
    with console.status(text) as shown:
        yield shown.update
