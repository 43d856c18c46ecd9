"""Pages that were rendered and are kept, ready to be sent again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable


class KeptPages:
    """The bodies of the pages that were asked for last, up to a number of bytes."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable, make: Callable[[], bytes], most: int) -> bytes:
        """Return a body, made where it is not kept.

        :param most: bytes to keep in all; 0: keep none
        """
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
            return body
        body = make()
        if len(body) <= most:
            self._bodies[key] = body
            self._size += len(body)
            while self._size > most:
                self._size -= len(self._bodies.popitem(last=False)[1])
        return body

    def __len__(self) -> int:
        return len(self._bodies)

    def clear(self) -> None:
        """Forget all."""
        self._bodies.clear()
        self._size = 0
