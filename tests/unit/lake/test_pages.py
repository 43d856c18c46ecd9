from __future__ import annotations

import threading
from contextlib import closing

from nightshift.lake.extract import PageEntry
from nightshift.lake.landing import Landing
from nightshift.lake.pages import LandedPages
from nightshift.lake.store import Lake
from tests.unit.lake.conftest import land_night


async def test_a_walk_that_is_dropped_waits_for_nothing(lake: Lake) -> None:
    """The garbage collector may close it within the start of a thread, where waiting for one never ends."""
    released = threading.Event()

    class Slow(LandedPages):
        def _fetch(self, entry: PageEntry) -> bytes:
            if entry.number > 1:
                released.wait(60)
            return super()._fetch(entry)

    manifest = await land_night(lake, [[{"id": number}] for number in range(1, 30)])
    closed = threading.Event()

    def walk() -> None:
        with closing(iter(Slow(Landing.of(lake, manifest).extract(manifest.extract), manifest))) as pages:
            for _ in zip(range(1), pages, strict=False):
                pass
        closed.set()

    # More pages than are fetched ahead, of 4 MiB in all at most: the first is handed out while others are on their way.
    thread = threading.Thread(target=walk, daemon=True)
    thread.start()
    try:
        assert closed.wait(20)
    finally:
        released.set()
