"""Which keys come more than once among millions of rows, in flat memory."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

BUCKETS = 64
CHUNK = 1 << 18
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class KeyIndex:
    """A 64-bit hash a key, spilled to an anonymous file that is gone with the process.

    10 million rows take 80 MB of ``TMPDIR`` and about 5 MB of memory. Two different keys share a hash once in some
    hundred thousand sets of 10 million, so :meth:`suspects` are to be looked at once more where a verdict hangs on it.
    Hashes are those of this process: an index cannot be kept.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._file = tempfile.TemporaryFile(prefix="nightshift-keys-")  # noqa: SIM115 - lives as long as the index
        self._waiting: list[Hashes] = []
        self._waiting_rows = 0
        self._offsets: list[NDArray[np.int64]] = []

    def add_page(self, keys: Iterable[Sequence[Any]]) -> None:
        """Add the rows of a page by their keys, tuples of hashable values: of equal ones only one, of those that lack a
        part none.
        """
        self.add_hashes(np.unique(hashes_of(key for key in keys if None not in key)))

    def add_hashes(self, hashes: Hashes) -> None:
        """Add rows by the hashes of their keys."""
        self.rows += len(hashes)
        self._waiting.append(hashes)
        self._waiting_rows += len(hashes)
        if self._waiting_rows >= CHUNK:
            self._spill()

    def duplicates(self) -> int:
        """Return how many rows have a key that came before."""
        return sum(len(bucket) - len(np.unique(bucket)) for bucket in self._buckets())

    def suspects(self) -> Hashes:
        """Return the hashes that came more than once, in order."""
        found = []
        for bucket in self._buckets():
            bucket.sort()
            found.append(np.unique(bucket[1:][bucket[1:] == bucket[:-1]]))
        return np.sort(np.concatenate(found)) if found else np.empty(0, np.uint64)

    def digest(self) -> str:
        """Return a digest of all rows by their keys, whatever order they came in: equal ones have the same rows, each
        as often. It is one of this process.
        """
        whole = hashlib.sha256()
        for bucket in self._buckets():
            bucket.sort()
            whole.update(bucket.tobytes())
        return whole.hexdigest()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _spill(self) -> None:
        chunk = np.concatenate(self._waiting) if self._waiting else np.empty(0, np.uint64)
        self._waiting, self._waiting_rows = [], 0
        if not len(chunk):
            return
        bucket = (chunk >> np.uint64(58)).astype(np.uint8)
        start = self._file.seek(0, 2)
        self._file.write(chunk[np.argsort(bucket, kind="stable")].tobytes())
        sizes = np.bincount(bucket, minlength=BUCKETS)
        self._offsets.append(start + 8 * np.concatenate(([0], np.cumsum(sizes))))

    def _buckets(self) -> Iterable[Hashes]:
        self._spill()
        for number in range(BUCKETS):
            pieces = [np.empty(0, np.uint64)]
            for offsets in self._offsets:
                self._file.seek(int(offsets[number]))
                size = int(offsets[number + 1] - offsets[number])
                pieces.append(np.frombuffer(self._file.read(size), np.uint64))
            yield np.concatenate(pieces)


def hashes_of(keys: Iterable[Sequence[Any]]) -> Hashes:
    """Return a 64-bit hash of each key; equal keys have equal hashes in one process."""
    found = np.fromiter(map(hash, keys), np.int64).view(np.uint64)
    return found * _SPREAD
