"""Names that differ in case, blanks and signs only: which of them are one column."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from nightshift.lake.errors import UnreadablePage
from nightshift.lake.spec import Column, PublishSpec, letters


class Spelling:
    """Which of the vendor's names are one column, see :class:`~nightshift.lake.spec.SchemaRules`.

    :param same: ``same_column`` of the configuration
    :param there: the vendor's names of the columns that the table has
    """

    def __init__(self, same: Sequence[str] = (), there: Sequence[str] = ()) -> None:
        of_table = {letters(name): name for name in reversed(there)}
        self._columns = {letters(name): of_table.get(letters(name), name) for name in same}
        self._there = frozenset(there)
        self.read: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._columns)

    def of(self, name: str) -> str:
        """Return the name of the column that is meant."""
        return name if name in self._there else self._columns.get(letters(name), name)

    def of_all(self, columns: Iterable[Column]) -> list[Column]:
        """Return columns by these names."""
        return [column.model_copy(update={"name": self.of(column.name)}) for column in columns]

    def of_row(self, names: Iterable[str], where: str) -> list[str]:
        """Return the columns of a row or a header, and note in ``read`` which names are not theirs.

        :param where: report, page and row, for the error
        :raises UnreadablePage: two names are one column
        """
        found: dict[str, str] = {}
        for name in names:
            column = self.of(name)
            if name and column in found:
                raise UnreadablePage(
                    f"{where} has {found[column]!r} and {name!r}, which schema_rules.same_column makes one column. "
                    "Nothing was published; the landed night is untouched. Have the vendor leave one of them out, or "
                    "name them apart by more than case, blanks and signs, then extract the night again."
                )
            found[column or f"\0{len(found)}"] = name
            if column != name:
                self.read[name] = column
        return [self.of(name) for name in names]

    def of_spec(self, spec: PublishSpec) -> PublishSpec:
        """Return a specification that names the columns so."""
        if not self:
            return spec
        named = {
            "key": tuple(map(self.of, spec.key)),
            "night_column": spec.night_column and self.of(spec.night_column),
            "types": {self.of(name): kind for name, kind in spec.types.items()},
            "promote": {self.of(name): members for name, members in spec.promote.items()},
        }
        return spec.model_copy(update=named)


def as_spelled(model: Sequence[Column], there: Collection[str]) -> list[Column]:
    """Return a vendor's model with the names that table or rows have, where these are its own but for case, blanks and
    signs: only one of the two is a column.

    :param there: the vendor's names of the columns that are there
    """
    named = {column.name for column in model}
    own = [letters(name) for name in named]
    others = [(letters(name), name) for name in dict.fromkeys(there) if name not in named]
    found = []
    for column in model:
        meant = [name for of, name in others if of == letters(column.name)]
        alone = column.name not in there and len(meant) == own.count(letters(column.name)) == 1
        found.append(column.model_copy(update={"name": meant[0]}) if alone else column)
    return found
