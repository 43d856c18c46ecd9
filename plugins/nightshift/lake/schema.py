"""What changed in a report's columns since the night before, and whether that may go into the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nightshift.lake.columns import advice_on_change, is_change, promoted, same_storage, table_name, told_type
from nightshift.lake.spec import NIGHT, Column, PublishSpec


@dataclass(frozen=True)
class Drift:
    """What changed.

    :param added: columns that neither the table nor the night before had
    :param lost: columns that are gone
    :param changed: columns of another type: name, before, now; one kind of number may be another without a rule
    :param ok: whether every loss and every change is allowed
    :param text: all of it for a person, with the keys of the configuration that allow what is not
    """

    added: tuple[str, ...]
    lost: tuple[str, ...]
    changed: tuple[tuple[str, str, str], ...]
    ok: bool
    text: str


def drift(
    now: Sequence[Column], before: Sequence[Column] | None, table: Sequence[Column] | None, spec: PublishSpec
) -> Drift:
    """Compare the vendor's columns of a night with the table, and with the night before for what the table does not have.

    :param now: the vendor's columns of the night
    :param before: those of the last night before it, where known
    :param table: the columns of the table, where there is one
    :param spec: how the report is published: its ``types`` win over the vendor's, its ``schema_rules`` allow changes
    """
    members = promoted(spec)
    here = {table_name(column.name): told_type(column.name, column.type, spec) for column in now}
    there = {table_name(column.name): told_type(column.name, column.type, spec) for column in before or ()}
    there |= {column.name: column.type for column in table or () if column.name not in members and column.name != NIGHT}
    configured = {table_name(name) for name in spec.types}
    added = tuple(name for name in here if name not in there) if there else ()
    lost = tuple(name for name in there if name not in here)
    changed = tuple(
        (name, was, kind)
        for name, kind in here.items()
        if kind is not None and (was := there.get(name)) is not None and not same_storage(was, kind)
    )
    rules = spec.schema_rules
    losses = [name for name in lost if not rules.lets_loss(name)]
    changes = [
        (name, was, kind)
        for name, was, kind in changed
        if name not in configured and is_change(was, kind) and not rules.lets_type_change(name)
    ]
    return Drift(added, lost, changed, not losses and not changes, _told(added, lost, changed, losses, changes))


def _told(
    added: Sequence[str],
    lost: Sequence[str],
    changed: Sequence[tuple[str, str, str]],
    losses: Sequence[str],
    changes: Sequence[tuple[str, str, str]],
) -> str:
    said = [f"new column {name!r}, taken into the table" for name in added]
    said += [f"column {name!r} is gone ({'refused' if name in losses else 'allowed'})" for name in lost]
    said += [
        f"column {name!r} was {was} and is {now} ({'refused' if (name, was, now) in changes else 'allowed'})"
        for name, was, now in changed
    ]
    if not said:
        return "The vendor's columns are as before"
    advice = []
    if losses:
        advice.append(
            f"Set schema_rules.allow_lost_columns: [{', '.join(losses)}] to keep them in the table, null from now on"
        )
    if changes:
        advice.append(advice_on_change(changes))
    if not advice:
        return "; ".join(said)
    return (
        f"{'; '.join(said)}. Nothing was published; the landed night is kept. {'. '.join(advice)}; "
        "then clear this task, the vendor is not asked again."
    )
