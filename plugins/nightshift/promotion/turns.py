"""Whose turn it is: two promotions of one application never overlap.

The turns of an application are numbered objects that are only ever created, never changed, so that exactly one of
several runs gets the next one, on every store. A run has the turn when the newest one is its own and the run of the one
before has closed its record. Runs that wait leave a note beside them: by it they are ordered, and an older promotion
sees that a newer night waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict

from nightshift.lake import objects
from nightshift.lake.store import segment
from nightshift.promotion.store import names_in, object_name, read_object

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

KEPT = 50
"""Old turns that are kept, for a person who wants to know."""


class Waiter(BaseModel):
    """A run that waits for its turn, or has it.

    :param night: its night; ``None`` for a person's run without one
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    run_id: str
    night: str | None = None
    opened: AwareDatetime

    @property
    def order(self) -> tuple[str, str, str]:
        """Nights in their own order; a person's run without one among them by its day. Never equal for two runs."""
        return (self.night or self.opened.date().isoformat(), self.opened.isoformat(), self.run_id)

    def is_newer_than(self, night: str | None) -> bool:
        """Whether this is of a newer night; a run without a night is neither newer nor older."""
        return self.night is not None and night is not None and self.night > night


class Turn(Waiter):
    """A turn.

    :param number: from 1, without gaps
    """

    number: int


class Turns:
    """The turns of one application.

    :param lake: where they are kept, under ``claims/promotions/<application>/``
    :param application: its name in ``promotions.yaml``
    """

    def __init__(self, lake: Lake, application: str) -> None:
        path = ("claims", "promotions", segment(application, "application"))
        self._lake = lake
        self._turns = lake.objects(*path, "turns")
        self._waiting = lake.objects(*path, "waiting")

    async def latest(self) -> Turn | None:
        """Return the newest turn."""
        newest = max((name for name, _ in await names_in(self._turns)), default=None)
        return None if newest is None else await self._turn(int(newest.removesuffix(".json")))

    async def before(self, turn: Turn) -> Turn | None:
        """Return the turn before one."""
        return await self._turn(turn.number - 1)

    async def take(self, waiter: Waiter, after: Turn | None) -> Turn | None:
        """Take the turn after the one that was the newest; ``None`` where another run was first.

        :raises UnfitStore: the store lets two runs both take it
        """
        await objects.aprobe(self._lake)
        number = 1 if after is None else after.number + 1
        turn = Turn(number=number, **waiter.model_dump(include={"run_id", "night", "opened"}))
        text = turn.model_dump_json(exclude={"number"}).encode()
        if not await objects.acreate(self._turns, _numbered(number), text):
            return None
        if number > KEPT:
            await objects.adelete(self._turns, _numbered(number - KEPT))
        return turn

    async def enter(self, waiter: Waiter) -> Waiter:
        """Say that a run waits and return its note. Who has said so keeps the first one: with a new time at each look,
        two of one night would each find the other first, for ever.
        """
        name = object_name(waiter.run_id)
        if text := await read_object(self._waiting, name):
            first = Waiter.model_validate_json(text)
            if first.night == waiter.night:
                return first
        await objects.awrite(self._waiting, name, waiter.model_dump_json().encode())
        return waiter

    async def leave(self, run_id: str) -> None:
        """Take a run's note away; one that is not there is no error."""
        await objects.adelete(self._waiting, object_name(run_id))

    async def waiting(self) -> list[Waiter]:
        """Return the runs that said that they wait, in their order. Some may have ended without taking their note
        away.
        """
        texts = [await read_object(self._waiting, name) for name, _ in await names_in(self._waiting)]
        return sorted((Waiter.model_validate_json(text) for text in texts if text), key=lambda one: one.order)

    async def _turn(self, number: int) -> Turn | None:
        text = await read_object(self._turns, _numbered(number)) if number > 0 else None
        if text is None:
            return None
        return Turn(number=number, **Waiter.model_validate_json(text).model_dump())


def _numbered(number: int) -> str:
    return f"{number:08d}.json"
