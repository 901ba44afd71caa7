"""Signals that end a run: it stops at once, leaves no files behind, and exits with 128 plus the signal's
number."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# The engine may be busy for a long time, and signals cannot interrupt it.
GRACE_SECONDS: Final = 5.0
# How to stop the engines that the main thread works with. An engine that only loses its caller waits for its
# threads, and holds the interpreter while it waits.
_INTERRUPTS: Final[list[Callable[[], None]]] = []


class _Ending:
    """The first signal counts; later ones change nothing."""

    def __init__(self, folder: Path) -> None:
        self.number: int | None = None
        self._folder = folder
        self._gone = threading.Event()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._watcher = threading.Thread(target=self._watch, name="ending", daemon=True)
        self._watcher.start()

    def on_signal(self, number: int, _: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            for interrupt in _INTERRUPTS:
                interrupt()
            raise SystemExit(128 + number)

    def _watch(self) -> None:
        """Python handles a signal only between two calls into the engine; this thread learns of it at once."""
        while number := os.read(self._reading, 1)[0]:
            if number in SIGNALS and not self._gone.wait(GRACE_SECONDS):
                shutil.rmtree(self._folder, ignore_errors=True)
                os._exit(128 + number)

    def close(self) -> None:
        self._gone.set()
        signal.set_wakeup_fd(self._before)
        os.write(self._writing, b"\0")
        self._watcher.join()
        os.close(self._reading)
        os.close(self._writing)


@contextmanager
def interrupted_by_signals(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` when a signal ends the program within this block; only the main thread learns of
    signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _INTERRUPTS.append(interrupt)
    try:
        yield
    finally:
        _INTERRUPTS.remove(interrupt)


@contextmanager
def by_signals(folder: Path) -> Iterator[None]:
    """Let signals end the program as this module says, if they have no other handler. Works only in the main
    thread.

    After the grace period the program ends wherever it is, as with kill -9. A transaction is then committed
    or not, never half.
    """
    own = [
        number
        for number in SIGNALS
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    ]
    if threading.current_thread() is not threading.main_thread() or not own:
        yield
        return
    ending = _Ending(folder)
    before = {number: signal.signal(number, ending.on_signal) for number in own}
    try:
        yield
    except Exception:
        if ending.number is None:
            raise
        # The engine, the database or a library turned the signal into an error of its own.
        raise SystemExit(128 + ending.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        ending.close()
