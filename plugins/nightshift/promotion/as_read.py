"""Objects that are written back only as they were read: a change is made of what is there, or not at all.

Object stores compare the tag of an object themselves (``If-Match``). A folder has no such call: there, the comparison and
the write are made under a lock of the file system, which is held for a moment and given up with its process.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from nightshift.lake.errors import Contended

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

_LOCK = ".lock"
_PATIENCE = 10.0
"""Seconds to wait for a lock that somebody holds."""


class AsRead:
    """The objects of one folder.

    :param store: rooted at the folder
    :param lake: that it is in
    :param path: of the folder
    """

    def __init__(self, store: Any, lake: Lake, path: tuple[str, ...]) -> None:
        self._store = store
        self._folder = Path(unquote(urlsplit(lake.url).path), *path) if lake.is_local else None
        self._where = "/".join(path)
        self._seen: dict[str, dict[str, str] | None] = {}

    async def read(self, name: str) -> bytes | None:
        """Return an object, ``None`` where there is none; remember which content it was."""
        import obstore

        try:
            found = await obstore.get_async(self._store, name)
        except FileNotFoundError:
            self._seen[name] = None
            return None
        self._seen[name] = _tag(found.meta)
        return bytes(await found.bytes_async())

    async def write(self, name: str, text: bytes) -> None:
        """Write an object in the place of what was read before; of whatever is there, where nothing was read since the last write.

        :raises Contended: it has another content by now; nothing was written
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

        if name not in self._seen or self._seen[name] == {}:
            await obstore.put_async(self._store, name, text, use_multipart=False)
        elif self._folder is not None:
            await asyncio.to_thread(self._write_locked, name, text)
        else:
            try:
                await obstore.put_async(self._store, name, text, mode=self._mode(name), use_multipart=False)
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                raise self._contended(name) from None
            except (NotSupportedError, NotImplementedError):
                await obstore.put_async(self._store, name, text, use_multipart=False)
        self._seen.pop(name, None)

    def _mode(self, name: str) -> Any:
        return "create" if self._seen[name] is None else self._seen[name]

    def _write_locked(self, name: str, text: bytes) -> None:
        import obstore

        folder = cast("Path", self._folder)
        with _locked(folder / _LOCK):
            try:
                there: dict[str, str] | None = _tag(obstore.head(self._store, name))
            except FileNotFoundError:
                there = None
            if there != self._seen[name]:
                raise self._contended(name)
            obstore.put(self._store, name, text, use_multipart=False)

    def _contended(self, name: str) -> Contended:
        return Contended(
            f"{self._where}/{name} was written by another attempt meanwhile. Nothing was overwritten; the next attempt goes on from what it says."
        )


def _tag(meta: Any) -> dict[str, str]:
    """Return what tells one content of an object from another; empty where the store does not say."""
    return {key: str(meta[key]) for key in ("e_tag", "version") if meta.get(key) is not None}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Contended(
                        f"{path} is held by a process that does not give it up; look for one that is stopped."
                    ) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(file)
