"""What the watch remembers from look to look, in the lake under ``watch/``: since when each report is waited for, and
when somebody looked last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, ValidationError

from nightshift.lake import objects
from nightshift.watch.incident import Recorded

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

FOLDER = "watch"
Watcher = Literal["dag", "command"]


class LastLook(Recorded):
    """When a watcher looked last.

    :param at: the moment
    """

    at: AwareDatetime


@dataclass(frozen=True)
class Remembered:
    """What was known before a look.

    :param first: ``<source>/<report>`` → the first night that has to be there, of reports that are waited for
    :param looked: watcher → when it looked last
    """

    first: Mapping[str, str]
    looked: Mapping[str, datetime]


class Memory:
    """The memory of a lake.

    :param lake: where it is
    """

    def __init__(self, lake: Lake) -> None:
        self._store = lake.objects(FOLDER)

    async def read(self) -> Remembered:
        """Return what is known. One listing, and an object a watcher."""
        first: dict[str, str] = {}
        looked: dict[str, datetime] = {}
        for name in await objects.anames(self._store):
            parts = name.split("/")
            if parts[0] == "first" and len(parts) == 4:
                report = f"{parts[1]}/{parts[2]}"
                # Of two watchers that saw it first on both sides of a midnight, the earlier.
                first[report] = min(first.get(report, parts[3]), parts[3])
            elif parts[0] == "looked" and (at := await self._looked(name)) is not None:
                looked[parts[1].removesuffix(".json")] = at
        return Remembered(first, looked)

    async def begin(self, report: str, night: str) -> None:
        """Wait for a report from a night on."""
        await objects.acreate(self._store, f"first/{report}/{night}", b"")

    async def end(self, reports: Collection[str]) -> None:
        """Forget reports that nobody waits for any more: one that comes back later begins anew."""
        gone = sorted(reports)
        if gone:
            names = await objects.anames(self._store)
            await objects.adelete(self._store, *(n for n in names for one in gone if n.startswith(f"first/{one}/")))

    async def looked(self, by: Watcher, at: datetime) -> None:
        """Write down that somebody has looked."""
        await objects.awrite(self._store, f"looked/{by}.json", LastLook(at=at).model_dump_json().encode())

    async def _looked(self, name: str) -> datetime | None:
        body = await objects.aread(self._store, name)
        try:
            return None if body is None else LastLook.model_validate_json(body).at
        except ValidationError:
            return None
