"""The records of an application in the lake: ``promotions/<application>/<run>.json``."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from nightshift.lake.store import segment
from nightshift.promotion.as_read import AsRead
from nightshift.promotion.record import Record

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

FOLDER = "promotions"
BESIDE = "index"
"""Name of the one object of an application's folder that is no record; what holds records ends in ``.json``."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]{0,200}\Z")


def object_name(run_id: str) -> str:
    """Return the name of a run's object: the run id, where it is safe in the path of every object store, else made so."""
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

    :param name: its name in the folder
    :param changed: when it was changed last
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


class Records:
    """The records of one application.

    What was read here is written back only as long as nobody else has written it since: a worker that was frozen between the
    two, and thaws when a newer one keeps the record, overwrites nothing.

    :param lake: the lake
    :param application: its name in ``promotions.yaml``
    """

    def __init__(self, lake: Lake, application: str) -> None:
        self._path = (FOLDER, segment(application, "application"))
        self._store = lake.objects(*self._path)
        self._as_read = AsRead(self._store, lake, self._path)

    async def read(self, run_id: str) -> Record | None:
        """Return the record of a run, if it has one.

        :raises Damaged: there is one, and it cannot be read
        """
        name = object_name(run_id)
        text = await self._as_read.read(name)
        return None if text is None else Record.from_json(text, "/".join((*self._path, name)))

    async def write(self, record: Record) -> Record:
        """Write a record, in the place of what there was of its run.

        :raises Contended: it was read here before, and somebody else has written it since
        """
        await self._as_read.write(object_name(record.run_id), record.to_json())
        return record

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

    async def read_named(self, name: str) -> Record | None:
        """Return the record of an object.

        :param name: its name in the folder
        :raises Damaged: it cannot be read
        """
        text = await read_object(self._store, name)
        return None if text is None else Record.from_json(text, "/".join((*self._path, name)))

    async def read_beside(self) -> bytes | None:
        """Return what is kept beside the records, ``None`` where there is nothing."""
        return await read_object(self._store, BESIDE)

    async def write_beside(self, text: bytes) -> None:
        """Keep something beside the records."""
        import obstore

        await obstore.put_async(self._store, BESIDE, text, use_multipart=False)
