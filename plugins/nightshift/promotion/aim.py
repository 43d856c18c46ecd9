"""Which records are believed: those of the target that is asked about.

The release before kept no targets. Its records are taken to be of what is configured when the first promotion begins
that keeps them: that is written down once, in ``promotions/<application>/adopted``, and stays. Until then nothing
speaks against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from nightshift.lake.errors import Damaged
from nightshift.promotion.target import Target, Told, what_differs

if TYPE_CHECKING:
    from nightshift.promotion.store import Records

ADOPTED = "adopted"
"""Name of the object beside the records that says of what those are that do not tell."""
_TARGETS = TypeAdapter(dict[str, Target])


@dataclass(frozen=True)
class Aim:
    """What is asked about.

    :param wanted: stage, or ``build`` → its target; of what is not in it, anything is believed
    :param adopted: of what the records are that do not tell; ``None``: nothing speaks against them
    """

    wanted: Mapping[str, Target] = field(default_factory=dict)
    adopted: Mapping[str, Target] | None = None

    def other(self, at: str, kept: Target | Told | None) -> str:
        """Return what is another target in a build or a deployment than what is asked about; empty: nothing.

        :param at: its stage, or ``build``
        :param kept: what it was of; ``None``: the release before did it
        """
        wanted = self.wanted.get(at)
        if wanted is None or (kept is None and self.adopted is None):
            return ""
        if kept is None:
            kept = (self.adopted or {}).get(at)
            if kept is None:
                return "nobody knows what: its record is of an earlier version, which told nothing of it"
        return what_differs(kept if isinstance(kept, Target) else Target.of(kept), wanted)


ANY = Aim()
"""Asks about whatever the records tell."""


async def aim_at(records: Records, wanted: Mapping[str, Target] | None) -> Aim:
    """Return what is asked about.

    :param wanted: stage, or ``build`` → its target; empty or ``None``: whatever the records tell
    """
    return Aim(wanted, await adopted(records)) if wanted else ANY


async def adopted(records: Records) -> Mapping[str, Target] | None:
    """Return stage, or ``build`` → of what the records are that do not tell; ``None``: that was not written down yet.

    :raises Damaged: it cannot be read
    """
    text = await records.read_beside(ADOPTED)
    try:
        return None if text is None else _TARGETS.validate_json(text)
    except ValidationError:
        raise Damaged(
            f"{records.where}/{ADOPTED} cannot be read: it says of which project and environments the records of an "
            "earlier version are. Nothing was built or deployed. Restore the object; or delete it, if the "
            "configuration is still what it was then, and clear the task."
        ) from None


async def adopt(records: Records, targets: Mapping[str, Target]) -> None:
    """Write down of what the records are that do not tell, unless it was written down before."""
    if await adopted(records) is None:
        await records.create_beside(_TARGETS.dump_json(dict(targets)), ADOPTED)
