"""The lake's object store as workers reach it: late, failing, torn, and lying about what was written.

The objects are files, written through the real library; what is between a worker and them is drawn. The tables' own
library has a store of its own: what it does is one step here, that fails before or after it counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest import mock

from tests.simulation.world.loop import PROCESS, Killed
from tests.simulation.world.patches import Current

T = TypeVar("T")


@dataclass(frozen=True)
class Storage:
    """How bad the store is.

    :param fails: share of calls that fail before they count; ``lost``: that count, and whose answer is lost;
        ``torn``: of writes that leave half of an object and an error; ``late``: that take long
    :param rots: share of landed pages that lose a bit, and of extracts of which a page is exchanged once they are whole
    """

    fails: float = 0.0
    lost: float = 0.0
    torn: float = 0.0
    late: float = 0.0
    rots: float = 0.0


CALM = Storage()


class Seam:
    """What one universe's store does."""

    def __init__(self) -> None:
        self.storage = CALM
        self.rotten: list[str] = []

    def before(self, what: str) -> tuple[str, float]:
        """Draw what befalls a call, and how long it takes."""
        universe = Current.get()
        random, storage = universe.random, self.storage
        drawn = random.random()
        wait = 0.001 + 0.05 * random.random() ** 2
        if storage.late and random.random() < storage.late:
            wait += random.uniform(5.0, 90.0)
        fate = ""
        for name in ("fails", "lost", "torn"):
            drawn -= getattr(storage, name)
            if drawn < 0:
                fate = name
                universe.note(f"store: {what} {name}")
                break
        return fate, wait


def _check() -> bool:
    """Say whether a worker calls; the world itself reads what there is.

    :raises Killed: the worker was killed
    """
    process = PROCESS.get()
    if Current.universe is None or process is None:
        return False
    if process.dead or Current.universe.is_over:
        raise Killed
    return True


def _failure(what: str) -> Exception:
    from obstore.exceptions import GenericError

    return GenericError(f"Generic store error: {what}: operation timed out")


def called(what: str, function: Callable[[], T], torn: Callable[[], object] | None = None) -> T:
    """Make a call that blocks."""
    if not _check():
        return function()
    universe = Current.get()
    fate, wait = universe.store.before(what)
    universe.loop.sleep_blocking(wait)
    _check()
    return _done(what, fate, function, torn)


async def acalled(what: str, function: Callable[[], T], torn: Callable[[], object] | None = None) -> T:
    """Make a call that is waited for."""
    if not _check():
        return function()
    fate, wait = Current.get().store.before(what)
    await asyncio.sleep(wait)
    _check()
    return _done(what, fate, function, torn)


def _done(what: str, fate: str, function: Callable[[], T], torn: Callable[[], object] | None) -> T:
    if fate == "fails" or (fate == "torn" and torn is None):
        raise _failure(what)
    if fate == "torn" and torn is not None:
        torn()
        raise _failure(what)
    result = function()
    if fate == "lost":
        raise _failure(what)
    return result


class _Got:
    def __init__(self, got: Any) -> None:
        self.meta = got.meta
        self._body = bytes(got.bytes())

    def bytes(self) -> bytes:
        return self._body

    async def bytes_async(self) -> Any:
        return self._body


class _Listed:
    def __init__(self, entries: Callable[[], list[Any]]) -> None:
        self._entries = entries

    def __iter__(self) -> Iterator[Any]:
        yield called("list", self._entries)

    async def __aiter__(self) -> Any:
        yield await acalled("list", self._entries)


def flipped(name: str, body: bytes) -> bytes:
    """Return an object with one bit of it turned, as a medium does."""
    universe = Current.get()
    at = universe.random.randrange(len(body))
    universe.note(f"store: {name} rots")
    universe.store.rotten.append(name)
    return body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :]


def swapped(name: str, body: bytes) -> bytes:
    """Return a landed page with one digit changed, packed as it should be: what only its digest tells."""
    import zstandard

    plain = bytearray(zstandard.ZstdDecompressor().decompressobj().decompress(body))
    digits = [at for at, one in enumerate(plain) if chr(one).isdigit()]
    at = digits[len(digits) // 2]
    plain[at] = ord("0") + (plain[at] - ord("0") + 1) % 10
    Current.get().store.rotten.append(name)
    Current.get().note(f"store: {name} is another")
    return zstandard.ZstdCompressor().compress(bytes(plain))


@contextmanager
def installed() -> Iterator[None]:
    """Put it between the provider and its objects."""
    import deltalake
    import obstore

    from nightshift.lake import delta

    real = {name: getattr(obstore, name) for name in ("get", "put", "head", "delete", "list")}
    begin, commit = deltalake.DeltaTable.__init__, deltalake.DeltaTable.create_write_transaction
    create = delta.create_table_with_add_actions

    def body_of(given: Any) -> bytes:
        return bytes(given) if isinstance(given, bytes | bytearray | memoryview) else given.read()

    def writing(store: Any, name: str, given: Any, more: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
        body = body_of(given)
        universe = Current.universe
        page = ""
        rots = universe.store.storage.rots if universe is not None and PROCESS.get() is not None else 0.0
        if universe is not None and rots and universe.random.random() < rots:
            if name.startswith("page-"):
                body = flipped(name, body)
            elif name == "manifest.json" and b'"page-00001' in body:
                kind = "csv" if b"page-00001.csv" in body else "json"
                page = f"page-00001.{kind}.zst"
        keep = {"mode": more.get("mode", "overwrite"), "use_multipart": False}

        def whole() -> Any:
            done = real["put"](store, name, body, **keep)
            if page:  # from the manifest on, a page has a digest
                real["put"](store, page, swapped(page, bytes(real["get"](store, page).bytes())), mode="overwrite")
            return done

        return whole, (lambda: real["put"](store, name, body[: len(body) // 2], mode="overwrite", use_multipart=False))

    def put(store: Any, name: str, given: Any, **more: Any) -> Any:
        whole, half = writing(store, name, given, more)
        return called(f"put {name}", whole, None if more.get("mode") == "create" else half)

    async def put_async(store: Any, name: str, given: Any, **more: Any) -> Any:
        whole, half = writing(store, name, given, more)
        return await acalled(f"put {name}", whole, None if more.get("mode") == "create" else half)

    async def get_async(store: Any, name: str, **_: Any) -> Any:
        return await acalled(f"get {name}", lambda: _Got(real["get"](store, name)))

    async def head_async(store: Any, name: str) -> Any:
        return await acalled(f"head {name}", lambda: real["head"](store, name))

    async def delete_async(store: Any, names: Any) -> Any:
        return await acalled("delete", lambda: real["delete"](store, names))

    def listed(store: Any, prefix: Any = None, **_: Any) -> _Listed:
        return _Listed(
            lambda: sorted((one for lot in real["list"](store, prefix) for one in lot), key=lambda one: one["path"])
        )

    def opened(self: Any, *args: Any, **given: Any) -> None:
        called("open table", lambda: begin(self, *args, **given))

    def committed(self: Any, *args: Any, **given: Any) -> Any:
        return called("commit", lambda: commit(self, *args, **given))

    with ExitStack() as stack:
        replaced = {
            "put": put,
            "put_async": put_async,
            "get": lambda store, name, **_: called(f"get {name}", lambda: _Got(real["get"](store, name))),
            "get_async": get_async,
            "head": lambda store, name: called(f"head {name}", lambda: real["head"](store, name)),
            "head_async": head_async,
            "delete": lambda store, names: called("delete", lambda: real["delete"](store, names)),
            "delete_async": delete_async,
            "list": listed,
        }
        for name, function in replaced.items():
            stack.enter_context(mock.patch.object(obstore, name, function))
        stack.enter_context(mock.patch.object(deltalake.DeltaTable, "__init__", opened))
        stack.enter_context(mock.patch.object(deltalake.DeltaTable, "create_write_transaction", committed))
        stack.enter_context(
            mock.patch.object(
                delta,
                "create_table_with_add_actions",
                lambda *args, **given: called("create table", lambda: create(*args, **given)),
            )
        )
        yield
