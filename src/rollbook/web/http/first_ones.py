"""What came first since a thread last looked: a bounded list that counts what it leaves out."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FirstOnes(Generic[Item]):
    """The first `room` items since the last `take`. The event loop adds, and any thread takes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._items: deque[Item] = deque()
        # How many items came, and how many of these were taken or counted as left out.
        self._seen = self._told = 0
        self._taking = threading.Lock()

    def __bool__(self) -> bool:
        """Whether there is something to take or to tell."""
        return self._seen > self._told

    @property
    def has_room(self) -> bool:
        return len(self._items) < self.room

    def add(self, item: Item) -> None:
        """Keep an item if it `has_room`; one that is not worth making then is left out by `skip`."""
        if self.has_room:
            self._items.append(item)
        self._seen += 1

    def skip(self) -> None:
        self._seen += 1

    def take(self) -> tuple[list[Item], int]:
        """The items, and how many came that had no room."""
        with self._taking:
            # Read first: what comes while the items are taken may be among them, and is not left out.
            seen = self._seen
            items = [self._items.popleft() for _ in range(len(self._items))]
            left_out = max(0, seen - self._told - len(items))
            self._told += left_out + len(items)
        return items, left_out
