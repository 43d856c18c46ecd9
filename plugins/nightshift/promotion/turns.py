"""Whose turn it is: two promotions of one application never overlap.

The turns of an application are numbered objects that are only ever created, never changed, so that exactly one of
several runs gets the next one, on every store. A run has the turn when the newest one is its own and the run of the one
before has closed its record. Runs that wait leave a note beside them: by it they are ordered, and an older promotion
sees that a newer night waits.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from nightshift.lake import objects
from nightshift.lake.errors import Damaged
from nightshift.lake.store import segment
from nightshift.promotion.store import names_in, object_name, read_object

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

KEPT = 50
"""Old turns that are kept, for a person who wants to know."""
_TURN = re.compile(r"(\d{8})\.json", re.ASCII)


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
        self._path = ("claims", "promotions", segment(application, "application"))
        self._lake = lake
        self._turns = lake.objects(*self._path, "turns")
        self._waiting = lake.objects(*self._path, "waiting")

    async def latest(self) -> Turn | None:
        """Return the newest turn."""
        numbers = [int(found[1]) for name, _ in await names_in(self._turns) if (found := _TURN.fullmatch(name))]
        return await self._turn(max(numbers)) if numbers else None

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
            # What nobody can read any more says nothing, and it is this run's own: it is written anew.
            with contextlib.suppress(ValidationError):
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

        :raises Damaged: a note cannot be read
        """
        notes = [(name, await read_object(self._waiting, name)) for name, _ in await names_in(self._waiting)]
        return sorted((self._read(text, "waiting", name) for name, text in notes if text), key=lambda one: one.order)

    async def _turn(self, number: int) -> Turn | None:
        text = await read_object(self._turns, _numbered(number)) if number > 0 else None
        if text is None:
            return None
        return Turn(number=number, **self._read(text, "turns", _numbered(number)).model_dump())

    def _read(self, text: bytes, folder: str, name: str) -> Waiter:
        try:
            return Waiter.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            what = "turn" if folder == "turns" else "note of a run that waits"
            raise Damaged(
                f"{'/'.join((*self._path, folder, name))} is not the {what} that it was: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}. Nothing began on its word. Look which promotion "
                "of this application runs; restore the object, or, when none does, delete it, then clear the task."
            ) from None


def _numbered(number: int) -> str:
    return f"{number:08d}.json"
