"""The objects of a store: read, written, created, deleted, and whether the store keeps what all safety here is built
on.

That is an object that is written on a condition: that it does not exist, by which turns, claims and the log of a table
are kept (``If-None-Match``), or that it is as it was read, by which records are (``If-Match``). A store that ignores
one of them lets two writers both succeed, and nobody is told. So both are tried, once for each lake: what came of it is
kept in the lake, and in the process.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from nightshift.lake.errors import UnfitStore

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.store import Lake

FOLDER = ("claims", "probe")
VERDICT = "both-conditions.json"
"""Another name than that of an earlier version, which tried the first one alone."""
_fit: set[str] = set()


def read(store: ObjectStore, name: str) -> bytes | None:
    """Return an object, ``None`` where there is none. Blocks."""
    import obstore

    try:
        return bytes(obstore.get(store, name).bytes())
    except FileNotFoundError:
        return None


async def aread(store: ObjectStore, name: str) -> bytes | None:
    """Return an object, ``None`` where there is none."""
    import obstore

    try:
        return bytes(await (await obstore.get_async(store, name)).bytes_async())
    except FileNotFoundError:
        return None


def exists(store: ObjectStore, name: str) -> bool:
    """Say whether an object is there. Blocks."""
    import obstore

    try:
        obstore.head(store, name)
    except FileNotFoundError:
        return False
    return True


def mark(store: ObjectStore, name: str) -> str | None:
    """Return what tells one content of an object from another; see :func:`amark`. Blocks."""
    import obstore

    try:
        return mark_of(obstore.head(store, name))
    except FileNotFoundError:
        return None


async def amark(store: ObjectStore, name: str) -> str | None:
    """Return what tells one content of an object from another (its ETag and size); ``None`` where there is none."""
    import obstore

    try:
        return mark_of(await obstore.head_async(store, name))
    except FileNotFoundError:
        return None


def tag_of(meta: Any) -> dict[str, str]:
    """Return what a store compares by itself to tell one content of an object from another; empty where it does not
    say.
    """
    return {key: str(meta[key]) for key in ("e_tag", "version") if meta.get(key) is not None}


def mark_of(meta: Any) -> str:
    """Return what tells one content of an object from another, by what a store says of it."""
    return f"{meta['e_tag'] or meta['last_modified'].isoformat()}/{meta['size']}"


async def anames(store: ObjectStore) -> list[str]:
    """Return the names of all objects in the folder of a store, and below it."""
    import obstore

    return [entry["path"] async for batch in obstore.list(store) for entry in batch]


def write(store: ObjectStore, name: str, file: IO[bytes]) -> None:
    """Write a file as an object, in the place of what there was, in parts that are sent two at a time. Blocks."""
    import obstore

    file.seek(0)
    obstore.put(store, name, file, mode="overwrite", max_concurrency=2)


async def awrite(store: ObjectStore, name: str, body: bytes) -> None:
    """Write an object, in the place of what there was; it is there whole or not at all."""
    import obstore

    await obstore.put_async(store, name, body, mode="overwrite", use_multipart=False)


def create(store: ObjectStore, name: str, body: bytes) -> bool:
    """Write an object that is not there yet; say whether it was not. Blocks."""
    import obstore
    from obstore.exceptions import AlreadyExistsError

    try:
        obstore.put(store, name, body, mode="create", use_multipart=False)
    except AlreadyExistsError:
        return False
    return True


async def acreate(store: ObjectStore, name: str, body: bytes) -> bool:
    """Write an object that is not there yet; say whether it was not."""
    import obstore
    from obstore.exceptions import AlreadyExistsError

    try:
        await obstore.put_async(store, name, body, mode="create", use_multipart=False)
    except AlreadyExistsError:
        return False
    return True


def delete(store: ObjectStore, names: Sequence[str]) -> None:
    """Delete objects. Blocks."""
    import obstore

    if names:
        obstore.delete(store, names)


async def adelete(store: ObjectStore, *names: str) -> None:
    """Delete objects; one that is not there is no error."""
    import obstore

    try:
        if names:
            await obstore.delete_async(store, names[0] if len(names) == 1 else list(names))
    except FileNotFoundError:
        return


def probe(lake: Lake) -> None:
    """Make sure that the store of a lake keeps both conditions. A folder of this machine does. Blocks.

    The first time ever it takes nine requests, the first time in a process one, and none from then on.

    :raises UnfitStore: it ignores one, does not know it, or cannot be written
    """
    if lake.is_local or lake.url in _fit:
        return
    from obstore import exceptions as errors

    store = lake.objects(*FOLDER)
    try:
        ignored = "" if exists(store, VERDICT) else _ignored(store)
    except (
        FileNotFoundError,
        NotImplementedError,
        errors.GenericError,
        errors.NotFoundError,
        errors.NotSupportedError,
        errors.PermissionDeniedError,
        errors.UnauthenticatedError,
    ) as error:
        passes = not re.search(r"\b(4\d\d|501) |NotImplemented|InvalidArgument", str(error))
        if isinstance(error, errors.GenericError) and passes:
            # The store cannot be reached, or is not well.
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UnfitStore(
            f"The lake at {lake.url} cannot be written on the condition that an object does not exist yet, or is as it "
            f"was read ({reason}). Nothing was changed. Give the connection of the lake the right to create, read and "
            "delete objects, and take a store that knows conditional writes (If-None-Match and If-Match), then clear "
            "the task."
        ) from None
    if ignored:
        raise UnfitStore(
            f"The store of the lake at {lake.url} {ignored}. Nothing was changed. "
            "Use a store that keeps it (AWS S3, Google Cloud Storage, Azure Blob Storage, MinIO, Cloudflare R2), or "
            "have what stands before it pass the header on, then clear the task."
        )
    _fit.add(lake.url)


async def aprobe(lake: Lake) -> None:
    """Make sure that the store of a lake keeps both conditions; see :func:`probe`."""
    if not lake.is_local and lake.url not in _fit:
        await asyncio.to_thread(probe, lake)


@dataclass(frozen=True)
class Tried:
    """What came of a try.

    :param is_kept: of two writers that wanted an object not to exist, the second was refused
    :param written: when the first one wrote, by the clock of the store
    :param is_compared: a writer was refused that had read what was written over since. In a folder a lock takes care of
        that
    """

    is_kept: bool
    written: datetime
    is_compared: bool = True


def try_condition(lake: Lake) -> Tried:
    """Try both now, whatever was found before, also in a folder of this machine. Blocks; leaves nothing behind.

    :raises Exception: the store cannot be reached, or not be written
    """
    return _tried(lake.objects(*FOLDER), compares=not lake.is_local)


def _tried(store: ObjectStore, *, compares: bool) -> Tried:
    import obstore

    name = f"try-{secrets.token_hex(8)}"
    create(store, name, b"first")
    try:
        refused = not create(store, name, b"second")
        found = obstore.get(store, name)
        is_kept = refused and bytes(found.bytes()) == b"first"
        is_compared = not compares or _is_compared(store, name, tag_of(found.meta))
        return Tried(is_kept, found.meta["last_modified"], is_compared)
    finally:
        obstore.delete(store, name)


def _is_compared(store: ObjectStore, name: str, tag: Mapping[str, str]) -> bool:
    """Say whether a second writer that has read the same content is refused, and the first one is not."""
    if not tag:
        return False
    # The first may be told that it was refused, by itself: the library sends again what was not answered.
    _replace(store, name, b"third", tag)
    return not _replace(store, name, b"fourth", tag) and read(store, name) == b"third"


def _replace(store: ObjectStore, name: str, body: bytes, tag: Mapping[str, str]) -> bool:
    """Write an object that is as it was read; say whether it was."""
    import obstore
    from obstore.exceptions import PreconditionError

    mode: Any = dict(tag)
    try:
        obstore.put(store, name, body, mode=mode, use_multipart=False)
    except PreconditionError:
        return False
    return True


def _ignored(store: ObjectStore) -> str:
    """Try both conditions; return what the store ignores and what comes of it, nothing where both are kept."""
    import obstore

    tried = _tried(store, compares=True)
    if not tried.is_kept:
        return (
            "ignores the condition that an object does not exist yet (If-None-Match): two writers at once would both "
            "be told that they succeeded, and rows would be there twice or not at all"
        )
    if not tried.is_compared:
        return (
            "ignores the condition that an object is as it was read (If-Match): a worker that was frozen would write "
            "over what a newer one has written down of a promotion"
        )
    verdict = f'{{"conditional_writes":true,"tried":"{datetime.now(UTC).isoformat()}"}}'
    obstore.put(store, VERDICT, verdict.encode(), mode="overwrite", use_multipart=False)
    return ""
