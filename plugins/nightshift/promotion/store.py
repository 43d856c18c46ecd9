"""The records of the promotions in the lake: ``promotions/<application>/<run>.json``; written back only as they were
read.

A record remembers which content of its object it was made of, and is written in the place of that alone: what a person
or another attempt has written since, whoever has read it since, is never written over.

Object stores compare the tag of an object themselves (``If-Match``). A folder has no such call: there, the comparison
and the write are made under a lock of the file system, which is held for a moment and given up with its process.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

from nightshift.lake import objects
from nightshift.lake.errors import Contended, UnfitStore
from nightshift.lake.store import segment
from nightshift.promotion.record import PromotionRecord, PromotionStep

if TYPE_CHECKING:
    from collections.abc import Collection

    from nightshift.lake.store import Lake


FOLDER = "promotions"
BESIDE = "index"
"""Name of the index of an application's folder; what holds records ends in ``.json``, and nothing else does."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]{0,200}\Z")


def object_name(run_id: str) -> str:
    """Return the name of a run's object: the run id, where it is safe in the path of every object store, else made
    so.
    """
    if _PLAIN.match(run_id):
        return f"{run_id}.json"
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', run_id)[:100]}-{digest}.json"


async def read_object(store: Any, name: str) -> bytes | None:
    """Return an object, ``None`` where there is none."""
    import obstore

    try:
        return bytes(await (await obstore.get_async(store, name)).bytes_async())
    except FileNotFoundError:
        return None


class Listed(NamedTuple):
    """An object that holds a record.

    :param mark: what the store calls its content; another content has another mark
    """

    name: str
    changed: datetime
    mark: str


async def names_in(store: Any) -> list[tuple[str, datetime]]:
    """Return the JSON objects of a folder with the time of their last change."""
    import obstore

    found = [entry async for batch in obstore.list(store) for entry in batch]
    return [(entry["path"], entry["last_modified"]) for entry in found if entry["path"].endswith(".json")]


async def applications_in(lake: Lake) -> list[str]:
    """Return the applications that have records, those that are no longer configured as well."""
    import obstore

    listed = await obstore.list_with_delimiter_async(await asyncio.to_thread(lake.objects, FOLDER))
    return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in listed["common_prefixes"])


class Records:
    """The records of one application.

    A record is written only as long as its object has the content that the record was made of: a worker that was frozen
    between the two, and thaws when a newer one keeps the record, overwrites nothing.

    :param application: its name in ``promotions.yaml``
    """

    def __init__(self, lake: Lake, application: str) -> None:
        self._path = (FOLDER, segment(application, "application"))
        self.where = "/".join(self._path)
        self._store = lake.objects(*self._path)
        self._as_read = AsRead(self._store, lake, self._path)

    async def read(self, run_id: str) -> PromotionRecord | None:
        """Return the record of a run, if it has one.

        :raises Damaged: there is one, and it cannot be read
        """
        return await self._read(object_name(run_id))

    async def write(self, record: PromotionRecord) -> PromotionRecord:
        """Write a record in the place of what it was made of: of nothing, where it was not read. Return it as it is to
        be written the next time.

        :raises Contended: its object has another content by now; nothing was written
        """
        return record.of(await self._as_read.write(object_name(record.run_id), record.to_json(), record.origin))

    async def change(self, run_id: str, change: Callable[[PromotionRecord | None], PromotionRecord]) -> PromotionRecord:
        """Change the record of a run as it is now; where somebody else is quicker, as it is then. Return what is there.

        :param change: returns what is to be there, of what is; ``None``: there is none. What it raises ends it
        :raises Contended: others were quicker each time
        """
        for left in reversed(range(_TRIES)):
            record = await self.read(run_id)
            changed = change(record)
            if changed == record:
                return changed
            try:
                return await self.write(changed)
            except Contended:
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def rewrite(self, record: PromotionRecord, *, read: PromotionRecord | None) -> PromotionRecord:
        """Write a record whose steps and verdicts are those that were read, and keep what people have said since: of a
        version, or of a doubt.

        :param read: the record as it was read; ``None``: there was none
        :raises Contended: more than that has changed since, or others were quicker each time
        """
        for left in reversed(range(_TRIES)):
            try:
                return await self.write(record)
            except Contended:
                there = await self.read(record.run_id)
                if not left or read is None or there is None or _wordless(there) != _wordless(read):
                    raise
                record = record.changed(steps=there.steps, verdicts=there.verdicts).of(there.origin)
        raise AssertionError("unreachable")

    async def listed(self) -> list[Listed]:
        """Return the objects that hold records."""
        import obstore

        found = [entry async for batch in obstore.list(self._store, chunk_size=1000) for entry in batch]
        return [
            Listed(
                entry["path"],
                entry["last_modified"],
                f"{entry['e_tag'] or entry['last_modified'].isoformat()}/{entry['size']}",
            )
            for entry in found
            if entry["path"].endswith(".json")
        ]

    async def read_named(self, name: str) -> PromotionRecord | None:
        """Return the record of an object.

        :raises Damaged: it cannot be read
        """
        return await self._read(name)

    async def _read(self, name: str) -> PromotionRecord | None:
        found = await self._as_read.read(name)
        return (
            None if found is None else PromotionRecord.from_json(found.text, "/".join((*self._path, name)), found.tag)
        )

    async def read_beside(self, name: str = BESIDE) -> bytes | None:
        """Return what is kept beside the records, ``None`` where there is nothing."""
        return await read_object(self._store, name)

    async def create_beside(self, text: bytes, name: str) -> None:
        """Keep something beside the records, unless it is there."""
        await objects.acreate(self._store, name, text)

    async def write_beside(self, text: bytes, name: str = BESIDE) -> None:
        """Keep something beside the records."""
        import obstore

        await obstore.put_async(self._store, name, text, use_multipart=False)


def _wordless(record: PromotionRecord) -> PromotionRecord:
    """Return a record without what people say of it while nothing of it goes on: of a version, or of a doubt."""
    return record.changed(verdicts=(), steps=tuple(step.changed(said=None, asked=None) for step in record.steps))


_TRIES = 5
"""Times that a record is written where others write the same one."""
_LOCK = ".lock"
_PATIENCE = 10.0
"""Seconds to wait for a lock that somebody holds."""


class Content(NamedTuple):
    """What an object has.

    :param tag: what the store calls this content; another content has another tag
    """

    text: bytes
    tag: dict[str, str]


class AsRead:
    """The objects of one folder, each written only in the place of a content that is named."""

    def __init__(self, store: Any, lake: Lake, path: tuple[str, ...]) -> None:
        self._store = store
        self._lake = lake
        self._folder = Path(unquote(urlsplit(lake.url).path), *path) if lake.is_local else None
        self._where = "/".join(path)

    async def read(self, name: str) -> Content | None:
        """Return what an object has, ``None`` where there is none."""
        import obstore

        try:
            found = await obstore.get_async(self._store, name)
        except FileNotFoundError:
            return None
        return Content(bytes(await found.bytes_async()), objects.tag_of(found.meta))

    async def write(self, name: str, text: bytes, tag: dict[str, str] | None) -> dict[str, str]:
        """Write an object, and return the tag of what it has then.

        :param tag: of the content that it takes the place of; ``None``: of none, the object is made
        :raises Contended: it has another content by now; nothing was written
        :raises UnfitStore: the store cannot compare them; nothing was written
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

        if tag == {}:
            raise self._unfit(name)
        if self._folder is not None and tag is not None:
            return await asyncio.to_thread(self._write_locked, name, text, tag)
        await objects.aprobe(self._lake)
        mode: Any = "create" if tag is None else tag
        try:
            return objects.tag_of(await obstore.put_async(self._store, name, text, mode=mode, use_multipart=False))
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            there = await self.read(name)
            if there is not None and there.text == text:
                # Written by this very request, whose answer was lost, so that it was sent once more.
                return there.tag
            raise self._contended(name) from None
        except (NotSupportedError, NotImplementedError):
            raise self._unfit(name) from None

    def _write_locked(self, name: str, text: bytes, tag: dict[str, str]) -> dict[str, str]:
        import obstore

        folder = cast("Path", self._folder)
        with _locked(folder / _LOCK):
            try:
                there: dict[str, str] | None = objects.tag_of(obstore.head(self._store, name))
            except FileNotFoundError:
                there = None
            if there != tag:
                raise self._contended(name)
            return objects.tag_of(obstore.put(self._store, name, text, use_multipart=False))

    def _contended(self, name: str) -> Contended:
        return Contended(
            f"{self._where}/{name} was written by another attempt meanwhile. Nothing was overwritten; the next attempt "
            "goes on from what it says."
        )

    def _unfit(self, name: str) -> UnfitStore:
        return UnfitStore(
            f"The store of the lake does not tell one content of {self._where}/{name} from another, or does not "
            "compare them (ETag, If-Match), so that two writers at once would take each other's word away. Nothing was "
            "written. Use a store that does (AWS S3, Google Cloud Storage, Azure Blob Storage, MinIO, Cloudflare R2), "
            "then clear the task."
        )


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


_AT_ONCE = 32


async def holder_of(lake: Lake, requests: Collection[int], *, server: str, but: tuple[str, str, str]) -> str:
    """Return the step that has one of these workflow requests, in words; empty where none has.

    Reads every record of every application: it is asked for only when a person names a request.

    :param server: address of FlexDeploy; steps that are known to be of another one have other requests of the same ids
    :param but: application, run and task of the step that asks
    :raises Damaged: a record cannot be read
    """
    store, gate = lake.objects(FOLDER), asyncio.Semaphore(_AT_ONCE)

    async def held_in(name: str) -> str:
        async with gate:
            text = await read_object(store, name)
        record = None if text is None else PromotionRecord.from_json(text, f"{FOLDER}/{name}")
        for step in record.steps if record is not None else ():
            if (
                record is not None
                and but != (record.application, record.run_id, step.task)
                and _has(step, requests, server)
            ):
                return f"{step.task} of run {record.run_id} of {record.application}"
        return ""

    found = await asyncio.gather(*(held_in(name) for name, _ in await names_in(store)))
    return next((one for one in found if one), "")


def _has(step: PromotionStep, requests: Collection[int], server: str) -> bool:
    elsewhere = step.url is not None and not step.url.startswith(server)
    return not elsewhere and not set(requests).isdisjoint(step.requests)
