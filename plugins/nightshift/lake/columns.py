"""Which columns a night has, and of what type: the configuration before the vendor's model before the table before the values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightshift.lake.errors import CastError, SchemaDrift
from nightshift.lake.spec import NIGHT, Column, PublishSpec, decimal_of

if TYPE_CHECKING:
    from nightshift.lake.casts import Misfit

DAYS = frozenset({"date", "timestamp"})


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


def table_name(vendor_name: str) -> str:
    """Return the name of a vendor's column in the table: its own, but for ``night`` in any case, which the partition has, and for
    no name at all: these get a ``_`` behind them, and so does what would fall together with them.
    """
    return f"{vendor_name}_" if re.fullmatch(rf"({NIGHT})?_*", vendor_name, re.IGNORECASE) else vendor_name


def vendor_name(name: str) -> str:
    """Return the vendor's name of a column of the table; see :func:`table_name`."""
    return name[:-1] if re.fullmatch(rf"({NIGHT})?_+", name, re.IGNORECASE) else name


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

    ``types`` decide, but make no column that nobody has. A column of the table keeps its type else, and the values have to be of it; so a number that the vendor
    calls another kind of number is no change.

    :param model: the vendor's data model
    :param table: the columns of the table
    :param values: types that the values of the whole extract have
    :raises SchemaDrift: configured ``allow_type_change`` is missing where the vendor's type is not the table's
    """
    members = promoted(spec)
    of_table = {column.name: column.type for column in table or () if column.type and column.name not in members}
    of_model = {column.name: column.type for column in model or () if column.type}
    by_vendor = {vendor_name(name): kind for name, kind in of_table.items()}
    found: dict[str, str] = {}
    for name in dict.fromkeys((*by_vendor, *of_model, *spec.promote, *values)):
        before = by_vendor.get(name)
        said = told_type(name, of_model.get(name), spec)
        if before is not None and name not in spec.types:
            if said is not None and is_change(before, said) and not spec.schema_rules.lets_type_change(name):
                raise SchemaDrift(
                    f"column {name!r} is {said} now and {before} in the table. Nothing was published; the landed night is "
                    f"untouched. {advice_on_change([(name, before, said)])}, then clear this task."
                )
            said = before
        kind = said or values.get(name) or "json"
        if name == spec.night_column and kind not in DAYS:
            if before is not None:
                raise SchemaDrift(
                    f"the night_column {name!r} is {before} in the table, which says no day. Nothing was published; the landed "
                    f"night is untouched. Set types: {{{name}: timestamp}}, or date, to give the table this type, or choose "
                    "another night_column, then clear this task."
                )
            kind = "timestamp"
        found[name] = kind
    return found


def told_type(name: str, vendors: str | None, spec: PublishSpec) -> str | None:
    """Return the type that the configuration, or else the vendor, says a column has; ``None`` where its values tell."""
    said = spec.types.get(name) or vendors
    return None if name == spec.night_column and said not in DAYS else said


def is_change(before: str, now: str) -> bool:
    """Say whether a column is of another type: not where both are numbers, whose values are exact or refused."""
    return not same_storage(before, now) and not (is_number(before) and is_number(now))


def advice_on_change(changed: Sequence[tuple[str, str, str]]) -> str:
    """Return what lets changed types through: columns with the type before and now."""
    names, now, before = zip(
        *((name, f"{name}: {now}", f"{name}: {before}") for name, before, now in changed), strict=True
    )
    return (
        f"Set types: {{{', '.join(now)}}} to give the table this type, its older nights too, or types: {{{', '.join(before)}}} to "
        f"read the column as the table has it, or schema_rules.allow_type_change: [{', '.join(names)}] to keep the table's type "
        "for as long as every value is one of it, and text from then on"
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
        )
    elif name == spec.night_column:
        advice = "set night_column to a column of days or moments"
    elif name not in spec.types:
        advice += f", or schema_rules.allow_type_change: [{name}] for the next type that holds every value (int64, float64, decimal, string)"
    if not misfit.text:
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
            f"the column {unusable[0]!r} has a NUL character in its name, with which no engine could open the table again. Nothing "
            "was published; the landed night is untouched. Have the vendor name it otherwise, then extract the night again."
        )
    names = [target.name.lower() for target in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SchemaDrift(
            f"two columns would be called {twice[0]!r} in the table, in which case does not count. Nothing was published; "
            "if one is a promoted member, rename or drop it in promote."
        )
    return found
