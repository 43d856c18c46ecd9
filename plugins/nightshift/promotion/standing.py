"""How it stands with an application, in a few lines: what its records tell of each stage, and which of them to look
into.

It is derived from the summaries of the records and kept beside them, so that a page of fifty applications reads fifty
small objects. It is believed for what to look at; what a page says of a stage, it reads in the record that brought it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from nightshift.nesting import UNREADABLE
from nightshift.promotion.record import Order, Version, place
from nightshift.promotion.target import Told

if TYPE_CHECKING:
    from nightshift.promotion.summary import RecordSummary

FORMAT = 4
VERSIONS = 30
"""Versions of a stage that are remembered, the newest."""
OPEN = 20
"""Promotions that have not ended, at most; a DAG has 16 runs at most."""


class StageStanding(msgspec.Struct, frozen=True, array_like=True):
    """What runs in a stage.

    :param run_id: the promotion that brought it
    :param versions: ids of the versions that it had, the newest first, each once
    :param order: of the step that brought it
    :param target: where it was brought, of which project
    """

    id: int
    name: str | None
    since: datetime
    run_id: str
    night: str | None
    versions: tuple[int, ...] = ()
    order: Order | None = None
    target: Told | None = None

    @property
    def version(self) -> Version:
        """The version."""
        return Version(id=self.id, name=self.name)

    @property
    def place(self) -> tuple[bool, Order, datetime]:
        """By what it is ordered."""
        return place(self.order, self.since)


class Standing(msgspec.Struct, frozen=True):
    """How it stands with an application.

    :param stages: stage → what runs there, by the records
    :param doubts: stage → the promotion whose deployment there is in doubt
    :param open: promotions that have not ended, the newest first
    :param last: the promotion that ended last
    :param last_turn: the promotion that had the newest turn
    :param unread: why some records are missing in this
    :param made_of: digest of this and of the names and marks of all records that it was made of; empty: some were not
        read
    """

    stages: Mapping[str, StageStanding] = {}
    doubts: Mapping[str, str] = {}
    open: tuple[str, ...] = ()
    last: str | None = None
    last_turn: str | None = None
    unread: tuple[str, ...] = ()
    made_of: str = ""
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Return it as the text of its object."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes) -> Standing | None:
        """Read it; ``None`` where it is damaged, or of another version."""
        try:
            found = msgspec.json.decode(text, type=cls)
        except UNREADABLE:
            return None
        return found if found.format == FORMAT else None

    @property
    def cited(self) -> tuple[str, ...]:
        """The promotions to look into, each once."""
        named = [one.run_id for one in self.stages.values()]
        more = [one for one in (self.last, self.last_turn) if one is not None]
        return tuple(dict.fromkeys([*self.open, *named, *self.doubts.values(), *more]))

    def behind(self, stage: str, before: str) -> int:
        """Return how many versions the stage before one has had since the version that runs in it."""
        if before not in self.stages:
            return 0
        newer = self.stages[before].versions
        here = self.stages.get(stage)
        if here is None:
            return len(newer)
        return newer.index(here.id) if here.id in newer else len(newer)


def standing_of(summaries: Sequence[RecordSummary], doubts: Mapping[str, str], unread: Iterable[str] = ()) -> Standing:
    """Return how it stands with an application.

    :param summaries: of all its records
    :param doubts: stage → the promotion whose deployment there is in doubt
    """
    brought: dict[str, list[StageStanding]] = {}
    for one in summaries:
        for there in one.deployed:
            here = StageStanding(
                there.id, there.name, there.since, one.run_id, one.night, order=there.order, target=there.target
            )
            brought.setdefault(there.stage, []).append(here)
    stages = {}
    for stage, found in brought.items():
        found.sort(key=lambda one: one.place, reverse=True)
        versions = tuple(dict.fromkeys(one.id for one in found))[:VERSIONS]
        stages[stage] = msgspec.structs.replace(found[0], versions=versions)
    by_age = sorted(summaries, key=lambda one: one.opened, reverse=True)
    ended = max((one for one in summaries if one.closed), key=lambda one: one.closed or one.opened, default=None)
    turned = max((one for one in summaries if one.turn is not None), key=lambda one: one.turn or 0, default=None)
    return Standing(
        stages=stages,
        doubts=dict(doubts),
        open=tuple(one.run_id for one in by_age if one.closed is None)[:OPEN],
        last=ended.run_id if ended else None,
        last_turn=turned.run_id if turned else None,
        unread=tuple(unread),
    )
