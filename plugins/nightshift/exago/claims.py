"""Which promotion works on which part of the tree: one object in the lake for each, so that two never touch the same.

An object is made, then all are listed: of two promotions that begin at the same time, the later one surely sees the
earlier one, so at most one goes on (both may give way). A promotion that is killed keeps its claim, because it stands
half-way; its next attempt finds the claim as its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from nightshift.errors import VendorError
from nightshift.exago.paths import VENDOR, ContentPath
from nightshift.lake import objects
from nightshift.lake.errors import Damaged
from nightshift.nesting import UNREADABLE

if TYPE_CHECKING:
    from nightshift.lake.store import Lake


class SubtreeBusy(VendorError):
    """Another promotion works on the same part of the tree."""


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the tree that a promotion works on.

    :param owner: DAG, run, task and map index
    :param paths: the folders
    :param since: when it began, ISO 8601
    """

    owner: str
    paths: tuple[str, ...]
    since: str

    def overlaps(self, paths: Iterable[ContentPath]) -> bool:
        """Tell whether one of the paths is one of ours, inside of it, or around it."""
        mine = [ContentPath.parse(path) for path in self.paths]
        return any(one.overlaps(other) for one in mine for other in paths)


class Claims:
    """The claims on one server.

    :param lake: where they are kept, under ``claims/exago/<server>/``
    :param server: root of the server's web service
    """

    def __init__(self, lake: Lake, server: str) -> None:
        self._folder = ("claims", "exago", hashlib.sha256(server.lower().encode()).hexdigest()[:16])
        self._lake = lake
        self._store = lake.objects(*self._folder)

    async def take(self, owner: str, paths: Iterable[ContentPath]) -> None:
        """Claim the paths, or find them claimed by the same owner already.

        :param owner: the same in each attempt of a promotion
        :param paths: the folders
        :raises SubtreeBusy: somebody else has claimed an overlapping part; says who, and where the claim is kept
        :raises UnfitStore: the store lets two promotions both claim them
        """
        await objects.aprobe(self._lake)
        paths = tuple(paths)
        claim = Claim(owner, tuple(str(path) for path in paths), datetime.now(UTC).isoformat())
        name, text = _name_of(owner), msgspec.json.encode(claim)
        if not (is_new := await objects.acreate(self._store, name, text)):
            await objects.awrite(self._store, name, text)
        try:
            await self.refuse_others(paths, owner)
        except SubtreeBusy:
            if is_new:
                await self.release(owner)
            raise

    async def release(self, owner: str) -> None:
        """Give up a claim; one that is not there is no error."""
        await objects.adelete(self._store, _name_of(owner))

    async def refuse_others(self, paths: Iterable[ContentPath], owner: str = "") -> None:
        """Refuse to go on where somebody else has claimed an overlapping part.

        :raises SubtreeBusy: says who, and where the claim is kept
        """
        paths = tuple(paths)
        for name, claim in await self._all():
            if claim.owner != owner and claim.overlaps(paths):
                raise SubtreeBusy(
                    f"{claim.owner} has been promoting {', '.join(claim.paths)} since {claim.since}",
                    vendor=VENDOR,
                    advice="Nothing was changed. Let it end, or clear it where it has failed: it goes on or takes "
                    f"itself back. If that run is gone for good, delete {'/'.join(self._folder)}/{name} in the lake "
                    "and look at the tree.",
                )

    async def _all(self) -> list[tuple[str, Claim]]:
        bodies = [(name, await objects.aread(self._store, name)) for name in sorted(await objects.anames(self._store))]
        return [(name, self._read(name, body)) for name, body in bodies if body is not None]

    def _read(self, name: str, body: bytes) -> Claim:
        try:
            return msgspec.json.decode(body, type=Claim)
        except UNREADABLE as error:
            raise Damaged(
                f"{'/'.join(self._folder)}/{name} is not the claim that it was ({error}). Nothing was changed: it may "
                "be of a promotion that is underway. Restore the object, or delete it when no promotion of folders "
                "runs, then clear the task."
            ) from None


def _name_of(owner: str) -> str:
    return f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}.json"
