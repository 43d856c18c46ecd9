"""What the watch remembers from look to look, in the lake under ``watch/``: since when each report is waited for, and
when somebody looked last and what that look could not judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


class Unseen(Recorded):
    """What a look could not judge.

    :param of: ``<source>/<report>``, a source, ``incidents/<id>``, or ``reports.yaml``
    :param why: the reason, for a person; no secrets
    """

    of: str
    why: str


class LastLook(Recorded):
    """When a watcher looked last.

    :param at: the moment
    :param unseen: what it could not judge; an older release wrote nothing of it
    """

    at: AwareDatetime
    unseen: tuple[Unseen, ...] = ()


@dataclass(frozen=True)
class Remembered:
    """What was known before a look.

    :param first: ``<source>/<report>`` → the first night that has to be there, of reports that are waited for
    :param looked: watcher → its last look
    """

    first: Mapping[str, str]
    looked: Mapping[str, LastLook]

    @property
    def last(self) -> LastLook | None:
        """The last look of all; ``None``: nobody has looked yet. Of two at the same moment the one that saw less."""
        return max(self.looked.values(), key=lambda one: (one.at, len(one.unseen)), default=None)


class Memory:
    """The memory of a lake.

    :param lake: where it is
    """

    def __init__(self, lake: Lake) -> None:
        self._store = lake.objects(FOLDER)

    async def read(self) -> Remembered:
        """Return what is known. One listing, and an object a watcher."""
        first: dict[str, str] = {}
        looked: dict[str, LastLook] = {}
        for name in await objects.anames(self._store):
            parts = name.split("/")
            if parts[0] == "first" and len(parts) == 4:
                report = f"{parts[1]}/{parts[2]}"
                # Of two watchers that saw it first on both sides of a midnight, the earlier.
                first[report] = min(first.get(report, parts[3]), parts[3])
            elif parts[0] == "looked" and (look := await self._looked(name)) is not None:
                looked[parts[1].removesuffix(".json")] = look
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

    async def looked(self, by: Watcher, at: datetime, unseen: Iterable[Unseen] = ()) -> None:
        """Write down that somebody has looked, and what could not be judged."""
        look = LastLook(at=at, unseen=tuple(unseen))
        await objects.awrite(self._store, f"looked/{by}.json", look.model_dump_json().encode())

    async def _looked(self, name: str) -> LastLook | None:
        body = await objects.aread(self._store, name)
        try:
            return None if body is None else LastLook.model_validate_json(body)
        except ValidationError:
            return None
