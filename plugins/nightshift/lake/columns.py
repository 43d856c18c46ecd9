"""Which columns a night has, and of what type: the configuration before the vendor's model before the table before
the values; and what changed in them since the night before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightshift.lake.errors import CastError, SchemaDrift
from nightshift.lake.spec import NIGHT, Column, PublishSpec, decimal_of, letters, table_name, vendor_name

if TYPE_CHECKING:
    from nightshift.lake.casts import Misfit

DAYS = frozenset({"date", "timestamp"})
NO_OBJECT = "it is no object"
"""Why a value has no members."""


@dataclass(frozen=True)
class Target:
    """A column of the table and where its values come from.

    :param name: name in the table
    :param kind: column type
    :param origin: the vendor's name
    :param member: member of the vendor's nested value, for a promoted column
    """

    name: str
    kind: str
    origin: str
    member: str | None = None


def promoted(spec: PublishSpec) -> dict[str, Target]:
    """Return the columns that are members of nested ones, by their names in the table."""
    return {
        f"{origin}_{member}": Target(f"{origin}_{member}", kind, origin, member)
        for origin, members in spec.promote.items()
        for member, kind in members.items()
    }


def known_types(
    spec: PublishSpec, model: Sequence[Column] | None, table: Sequence[Column] | None, values: Mapping[str, str]
) -> dict[str, str]:
    """Return the type of each of the vendor's columns that is known, in the order of the table, then of the vendor.

    ``types`` decide, but make no column that nobody has. A column of the table keeps its type else, and the values have
    to be of it; so a number that the vendor calls another kind of number is no change.

    :raises SchemaDrift: configured ``allow_type_change`` is missing where the vendor's type is not the table's
    """
    members = promoted(spec)
    of_table = {column.name: column.type for column in table or () if column.type and column.name not in members}
    of_model = {column.name: column.type for column in model or () if column.type}
    defaults = {column.name for column in model or () if column.default}
    by_vendor = {vendor_name(name): kind for name, kind in of_table.items()}
    found: dict[str, str] = {}
    for name in dict.fromkeys((*by_vendor, *of_model, *spec.promote, *values)):
        before = by_vendor.get(name)
        declared = declared_type(name, of_model.get(name), spec)
        if before is not None and name not in spec.types:
            lets_change = name in defaults or spec.schema_rules.lets_type_change(name)
            if declared is not None and is_change(before, declared) and not lets_change:
                raise SchemaDrift(
                    f"column {name!r} is {declared} now and {before} in the table. Nothing was published; the landed "
                    f"night is untouched. {advice_on_change([(name, before, declared)])}, then clear this task."
                )
            declared = before
        kind = declared or values.get(name) or "json"
        if name == spec.night_column and kind not in DAYS:
            if before is not None:
                raise SchemaDrift(
                    f"the night_column {name!r} is {before} in the table, which says no day. Nothing was published; "
                    f"the landed night is untouched. Set types: {{{name}: timestamp}}, or date, to give the table "
                    "this type, or choose another night_column, then clear this task."
                )
            kind = "timestamp"
        found[name] = kind
    return found


def declared_type(name: str, vendors: str | None, spec: PublishSpec) -> str | None:
    """Return the type that the configuration, or else the vendor, says a column has; ``None`` where its values tell."""
    declared = spec.types.get(name) or vendors
    return None if name == spec.night_column and declared not in DAYS else declared


def is_change(before: str, now: str) -> bool:
    """Say whether a column is of another type: not where both are numbers, whose values are exact or refused."""
    return not same_storage(before, now) and not (is_number(before) and is_number(now))


def advice_on_change(changed: Sequence[tuple[str, str, str]]) -> str:
    """Return what lets changed types through: columns with the type before and now."""
    names, now, before = zip(
        *((name, f"{name}: {now}", f"{name}: {before}") for name, before, now in changed), strict=True
    )
    return (
        f"Set types: {{{', '.join(now)}}} to give the table this type, its older nights too, or types: "
        f"{{{', '.join(before)}}} to read the column as the table has it, or schema_rules.allow_type_change: "
        f"[{', '.join(names)}] to keep the table's type for as long as every value is one of it, and text from then on"
    )


def misfit_error(report: str, page: int, row: int, column: Target, misfit: Misfit, spec: PublishSpec) -> CastError:
    """Return the error about a value that does not fit its column, with what to set in the report's configuration.

    :param row: number of the row in the page, from 1
    """
    name = column.origin if column.member is None else column.name
    advice = f"set types: {{{name}: string}}, which the table's older nights take too"
    if column.member is not None:
        advice = (
            f"set promote: {{{column.origin}: {{{column.member}: string}}}}, which the table's older nights take too"
            if misfit.why != NO_OBJECT
            else f"take {column.member} of {column.origin} out of promote and set schema_rules.allow_lost_columns: "
            f"[{name}]: {column.origin!r} keeps the vendor's text"
        )
    elif name == spec.night_column:
        advice = "set night_column to a column of days or moments"
    elif name not in spec.types:
        advice += f", or schema_rules.allow_type_change: [{name}] for the next type that holds every value "
        advice += "(int64, float64, decimal, string)"
    if misfit.text in ("", '""'):
        advice += ", or empty_as_null: true if an empty text is no value"
    return CastError(
        page=page,
        row=row,
        column=name,
        value=misfit.text,
        wanted=column.kind,
        report=report,
        why=misfit.why,
        advice=advice,
    )


def is_number(kind: str | None) -> bool:
    """Say whether a column type is one of numbers."""
    return kind in ("int64", "float64") or bool(kind and decimal_of(kind))


def same_storage(one: str, other: str) -> bool:
    """Say whether two types are stored alike: ``json`` is text."""
    return one == other or {one, other} == {"json", "string"}


def targets(types: Mapping[str, str], spec: PublishSpec) -> list[Target]:
    """Return the columns to write, promoted members behind all others.

    :raises SchemaDrift: two columns would have one name
    """
    found = [Target(table_name(name), kind, name) for name, kind in types.items()]
    found += promoted(spec).values()
    if unusable := [target.name for target in found if "\0" in target.name]:
        raise SchemaDrift(
            f"the column {unusable[0]!r} has a NUL character in its name, with which no engine could open the table "
            "again. Nothing was published; the landed night is untouched. Have the vendor name it otherwise, then "
            "extract the night again."
        )
    alike: dict[str, list[Target]] = {}
    for target in found:
        alike.setdefault(target.name.lower(), []).append(target)
    if twice := [of for of in alike.values() if len(of) > 1]:
        raise SchemaDrift(_described_twice(twice))
    return found


def _described_twice(twice: Sequence[Sequence[Target]]) -> str:
    """Return what is wrong with columns that have one name in a table, and what leads out."""
    pairs = "; ".join(f"{one.name!r} and {other.name!r}" for one, other, *_ in twice)
    member = next((target for of in twice for target in of if target.member is not None), None)
    advice = (
        "If they are one column that the vendor spells in two ways, set schema_rules.same_column: "
        f"[{', '.join(of[0].origin for of in twice)}], then clear this task; the vendor is not asked again. If a row "
        "has both, have the vendor name them apart: no setting does"
    )
    if member is not None:
        advice = f"Take {member.member} of {member.origin} out of promote, then clear this task"
    return (
        f"two columns would be called {', '.join(repr(of[0].name.lower()) for of in twice)} in the table, in which "
        f"case does not count: {pairs}. Nothing was published; the landed night is untouched. {advice}."
    )


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
    now: Sequence[Column],
    before: Sequence[Column] | None,
    table: Sequence[Column] | None,
    spec: PublishSpec,
    *,
    model_alone: bool = False,
) -> Drift:
    """Compare the vendor's columns of a night with the table, and with the night before for what the table does not
    have.

    :param spec: how the report is published: its ``types`` win over the vendor's, its ``schema_rules`` allow changes
    :param model_alone: nobody has looked at rows, which may have what the vendor's model does not name: only what the
        night before has is lost
    """
    members = promoted(spec)
    here = {table_name(column.name): declared_type(column.name, column.type, spec) for column in now}
    there = {table_name(column.name): declared_type(column.name, column.type, spec) for column in before or ()}
    defaults = {table_name(column.name) for column in now if column.default and column.name not in spec.types}
    there |= {column.name: column.type for column in table or () if column.name not in members and column.name != NIGHT}
    configured = {table_name(name) for name in spec.types}
    named = {table_name(column.name) for column in before or ()} if model_alone else there.keys()
    added = tuple(name for name in here if name not in there) if there else ()
    lost = tuple(name for name in there if name not in here and name in named)
    changed = tuple(
        (name, was, kind)
        for name, kind in here.items()
        if kind is not None
        and name not in defaults
        and (was := there.get(name)) is not None
        and not same_storage(was, kind)
    )
    rules = spec.schema_rules
    losses = [name for name in lost if not rules.lets_loss(name)]
    changes = [
        (name, was, kind)
        for name, was, kind in changed
        if name not in configured and is_change(was, kind) and not rules.lets_type_change(name)
    ]
    return Drift(added, lost, changed, not losses and not changes, _described(added, lost, changed, losses, changes))


def _described(
    added: Sequence[str],
    lost: Sequence[str],
    changed: Sequence[tuple[str, str, str]],
    losses: Sequence[str],
    changes: Sequence[tuple[str, str, str]],
) -> str:
    parts = [f"new column {name!r}, taken into the table" for name in added]
    parts += [f"column {name!r} is gone ({'refused' if name in losses else 'allowed'})" for name in lost]
    parts += [
        f"column {name!r} was {was} and is {now} ({'refused' if (name, was, now) in changes else 'allowed'})"
        for name, was, now in changed
    ]
    if not parts:
        return "The vendor's columns are as before"
    advice = []
    if losses:
        advice.append(
            f"Set schema_rules.allow_lost_columns: [{', '.join(losses)}] to keep them in the table, null from now on"
        )
        if again := [name for name in losses if letters(name) in map(letters, added)]:
            advice.append(
                f"If {', '.join(again)} came under another spelling, set schema_rules.same_column: [{', '.join(again)}]"
            )
    if changes:
        advice.append(advice_on_change(changes))
    if not advice:
        return "; ".join(parts)
    return (
        f"{'; '.join(parts)}. Nothing was published; the landed night is kept. {'. '.join(advice)}; "
        "then clear this task, the vendor is not asked again."
    )
