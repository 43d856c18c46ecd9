"""Whether a store keeps what all safety here is built on: an object that is written on the condition that it does not exist.

Turns, claims and the log of a table rest on it. A store that ignores the condition (``If-None-Match``) lets two writers both
succeed, and nobody is told. So it is tried, once for each lake: what came of it is kept in the lake, and in the process.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nightshift.lake.errors import UnfitStore

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

FOLDER = ("claims", "probe")
VERDICT = "conditional-writes.json"
_fit: set[str] = set()


def probe(lake: Lake) -> None:
    """Make sure that the store of a lake keeps the condition. A folder of this machine does. Blocks.

    The first time ever it takes six requests, the first time in a process one, and none from then on.

    :raises UnfitStore: it ignores the condition, does not know it, or cannot be written
    """
    if lake.is_local or lake.url in _fit:
        return
    from obstore import exceptions as told

    store = lake.objects(*FOLDER)
    try:
        is_kept = _was_tried(store) or _is_kept(store)
    except (
        FileNotFoundError,
        told.GenericError,
        told.NotFoundError,
        told.NotSupportedError,
        told.PermissionDeniedError,
        told.UnauthenticatedError,
    ) as error:
        if isinstance(error, told.GenericError) and not re.search(
            r"\b(4\d\d|501) |NotImplemented|InvalidArgument", str(error)
        ):
            # The store cannot be reached, or is not well: that passes.
            raise
        raise UnfitStore(
            f"The lake at {lake.url} cannot be written on the condition that an object does not exist yet ({_first(error)}). Nothing "
            "was changed. Give the connection of the lake the right to create, read and delete objects, and take a store that knows "
            "conditional writes (If-None-Match), then clear the task."
        ) from None
    if not is_kept:
        raise UnfitStore(
            f"The store of the lake at {lake.url} ignores the condition that an object does not exist yet (If-None-Match): two writers "
            "at once would both be told that they succeeded, and rows would be there twice or not at all. Nothing was changed. Use a "
            "store that keeps it (AWS S3, Google Cloud Storage, Azure Blob Storage, MinIO, Cloudflare R2), or have what stands before "
            "it pass the header on, then clear the task."
        )
    _fit.add(lake.url)


async def aprobe(lake: Lake) -> None:
    """Make sure that the store of a lake keeps the condition; see :func:`probe`."""
    if not lake.is_local and lake.url not in _fit:
        await asyncio.to_thread(probe, lake)


def _was_tried(store: Any) -> bool:
    import obstore

    try:
        obstore.head(store, VERDICT)
    except FileNotFoundError:
        return False
    return True


def _is_kept(store: Any) -> bool:
    import obstore
    from obstore.exceptions import AlreadyExistsError

    name = f"try-{secrets.token_hex(8)}"
    obstore.put(store, name, b"first", mode="create", use_multipart=False)
    try:
        obstore.put(store, name, b"second", mode="create", use_multipart=False)
        return False
    except AlreadyExistsError:
        is_kept = bytes(obstore.get(store, name).bytes()) == b"first"
    finally:
        obstore.delete(store, name)
    if is_kept:
        verdict = f'{{"conditional_writes":true,"tried":"{datetime.now(UTC).isoformat()}"}}'
        obstore.put(store, VERDICT, verdict.encode(), mode="overwrite", use_multipart=False)
    return is_kept


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
