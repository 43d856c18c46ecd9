"""Which columns a night has, and of what type: the configuration before the vendor's model before the table before the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightshift.lake.errors import SchemaDrift
from nightshift.lake.spec import NIGHT, Column, PublishSpec


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
    """Return the name of a vendor's column in the table: its own, but for ``night``, which the partition has."""
    return f"{NIGHT}_" if vendor_name == NIGHT else vendor_name


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

    :param model: the vendor's data model
    :param table: the columns of the table
    :param values: types that the values of the whole extract have
    :raises SchemaDrift: configured ``allow_type_change`` is missing where a type is not the table's
    """
    members = promoted(spec)
    of_table = {column.name: column.type for column in table or () if column.type and column.name not in members}
    of_model = {column.name: column.type for column in model or () if column.type}
    renamed = table_name(NIGHT)
    by_vendor = {(NIGHT if name == renamed else name): kind for name, kind in of_table.items()}
    found: dict[str, str] = {}
    for name in dict.fromkeys((*by_vendor, *of_model, *spec.types, *spec.promote, *values)):
        before = by_vendor.get(name)
        kind = spec.types.get(name) or of_model.get(name) or before or values.get(name) or "json"
        if name == spec.night_column and kind not in ("date", "timestamp"):
            kind = before if before in ("date", "timestamp") else "timestamp"
        if before is not None and not same_storage(kind, before):
            if not spec.schema_rules.lets_type_change(name):
                raise SchemaDrift(
                    f"column {name!r} is {kind} now and {before} in the table. Nothing was published; the landed night is "
                    f"untouched. Set types: {{{name}: {before}}} to read it as the table does, or name it in "
                    "schema_rules.allow_type_change to cast it where nothing is lost, and clear the task."
                )
            kind = before
        found[name] = kind
    return found


def same_storage(one: str, other: str) -> bool:
    """Say whether two types are stored alike: ``json`` is text."""
    return one == other or {one, other} == {"json", "string"}


def targets(types: Mapping[str, str], spec: PublishSpec) -> list[Target]:
    """Return the columns to write, promoted members behind all others.

    :raises SchemaDrift: two columns would have one name
    """
    found = [Target(table_name(name), kind, name) for name, kind in types.items()]
    found += promoted(spec).values()
    names = [target.name.lower() for target in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SchemaDrift(
            f"two columns would be called {twice[0]!r} in the table, in which case does not count. Nothing was published; "
            "if one is a promoted member, rename or drop it in promote."
        )
    return found
