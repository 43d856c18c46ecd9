"""Values that look random and are a pure function of a seed and a place, the same on every machine and Python."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_MASK = (1 << 64) - 1


class Draw:
    """A stream of values for one place, for instance ``Draw(7, "flexnet", "account", "2026-11-21", 42)``.

    The generator is SplitMix64, started from a BLAKE2b hash of the place: about half a microsecond a value, and no
    value of one place depends on another place having been drawn.

    :param place: what the values are for; the ``str`` of each part counts
    """

    __slots__ = ("_state",)

    def __init__(self, *place: object) -> None:
        digest = hashlib.blake2b("\x1f".join(map(str, place)).encode(), digest_size=8).digest()
        self._state = int.from_bytes(digest, "big")

    def bits(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def integer(self, low: int, high: int) -> int:
        """Return an integer, both ends possible."""
        return low + self.bits() % (high - low + 1)

    def fraction(self) -> float:
        """Return a float of [0, 1)."""
        return (self.bits() >> 11) / (1 << 53)

    def chance(self, probability: float) -> bool:
        """Return ``True`` with a probability of 0 to 1."""
        return self.fraction() < probability

    def choice(self, among: Sequence[T]) -> T:
        return among[self.bits() % len(among)]

    def hexadecimal(self, digits: int) -> str:
        """Return lower-case hexadecimal digits, at most 16."""
        return f"{self.bits():016x}"[:digits]

    def uuid(self) -> str:
        head, tail = f"{self.bits():016x}", f"{self.bits():016x}"
        return f"{head[:8]}-{head[8:12]}-4{head[13:]}-a{tail[1:4]}-{tail[4:]}"
