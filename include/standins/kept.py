"""What was rendered and is kept, ready to be sent again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST_BYTES = 64 << 20


class Kept:
    """The bytes that were asked for last; safe to use from any thread.

    :param most: bytes to keep in all
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._lock = threading.RLock()
        self._found: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return what a key stands for, made where it is not kept."""
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
                return found
            found = self._found[key] = make()
            self._size += len(found)
            while self._size > self._most:
                self._size -= len(self._found.popitem(last=False)[1])
            return found

    def __len__(self) -> int:
        return len(self._found)

    def clear(self) -> None:
        with self._lock:
            self._found.clear()
            self._size = 0
