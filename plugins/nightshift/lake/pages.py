"""The landed pages of an extract, in order and verified, fetched a little ahead of their reader."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from nightshift.lake import objects
from nightshift.lake.errors import Damaged
from nightshift.lake.extract import Manifest, PageEntry
from nightshift.lake.json_pages import text_of_page
from nightshift.lake.landing import ExtractFolder, unpack
from nightshift.nesting import UNREADABLE, shallow

AHEAD_PAGES = 8
AHEAD_BYTES = 4 << 20


class LandedPages:
    """Pages as received. Can be walked more than once; at most 4 MiB, or one page, are held ahead of the reader.

    :param data_key: key of the rows; a page that has one value there instead of a list is given as a list of that one
    """

    def __init__(self, folder: ExtractFolder, manifest: Manifest, data_key: str = "data") -> None:
        self.entries = manifest.entries
        self._data_key = data_key if manifest.format == "json" else None
        self._folder = folder

    def __iter__(self) -> Generator[tuple[PageEntry, bytes], None, None]:
        """Yield each page with its entry; close it where it is not walked to its end.

        :raises Damaged: a page is missing, or is not what was received
        """
        # Nobody waits for the pool: a walk that is dropped may be closed by the garbage collector in the middle of the
        # start of another thread, which holds a lock that waiting for a thread needs.
        pool = ThreadPoolExecutor(2, thread_name_prefix="landed-pages")
        ahead: deque[tuple[PageEntry, Future[bytes]]] = deque()
        held = 0
        try:
            for entry in self.entries:
                while ahead and (len(ahead) >= AHEAD_PAGES or held + entry.bytes > AHEAD_BYTES):
                    held -= ahead[0][0].bytes
                    first, body = ahead.popleft()
                    yield first, body.result()
                ahead.append((entry, pool.submit(self._fetch, entry)))
                held += entry.bytes
            while ahead:
                first, body = ahead.popleft()
                yield first, body.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, entry: PageEntry) -> bytes:
        where = f"{self._folder.path}/{entry.name}"
        if (packed := objects.read(self._folder.objects, entry.name)) is None:
            raise Damaged(f"{where} is gone. Nothing was published. Extract the night again, or restore the object.")
        body = unpack(packed, where)
        if len(body) != entry.bytes or hashlib.sha256(body).hexdigest() != entry.sha256:
            raise Damaged(
                f"{where} is not what was received: {len(body)} bytes where the manifest has {entry.bytes}, or another "
                "digest. Nothing was published. Extract the night again, or restore the object."
            )
        return listed(body, self._data_key) if entry.rows == 1 and self._data_key is not None else body


def listed(body: bytes, data_key: str) -> bytes:
    """Return a page with a single value under ``data_key`` as one with a list of it: an aggregated report may be a
    number.

    An object is its own row; any other value becomes the column ``value`` of one.
    """
    try:
        text = shallow(text_of_page(body)).lstrip()
        if text[:1] != b"{":
            return body
        value = bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get(data_key) or b"[").strip()
    except UNREADABLE:
        return body
    if value[:1] == b"[" or value == b"null":
        return body
    row = value if value[:1] == b"{" else b'{"value":' + value + b"}"
    return b"{" + msgspec.json.encode(data_key) + b":[" + row + b"]}"
