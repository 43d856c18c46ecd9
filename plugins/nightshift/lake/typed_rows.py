"""All rows of an extract, typed and staged: which columns they have is found out on the way, where nobody said it
before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import MappingProxyType

import msgspec
import pyarrow as pa

from nightshift.lake.columns import (
    Drift,
    Target,
    drift,
    is_number,
    known_types,
    promoted,
    same_storage,
    targets,
)
from nightshift.lake.csv_pages import CsvPages
from nightshift.lake.errors import CastError, SchemaDrift, UnreadablePage
from nightshift.lake.extract import Manifest
from nightshift.lake.foreign import KEPT, Stored, as_stored, stored_schema
from nightshift.lake.json_pages import JsonPages, NewColumns
from nightshift.lake.pages import LandedPages
from nightshift.lake.spec import NIGHT, Column, PublishSpec, letters, table_name, vendor_name
from nightshift.lake.spelling import Spelling, as_spelled
from nightshift.lake.staging import Stager
from nightshift.lake.survey import Survey
from nightshift.lake.widening import OlderValues


class TypedRows:
    """The rows of one extract.

    One walk over the pages is enough where the vendor's model or the table says every type. Where neither does, or
    where a row has a column that they do not have, a walk before it looks at all values. So it does for a value that is
    not of its column's type, where the column may take a wider one (see :class:`~nightshift.lake.spec.SchemaRules`);
    then all is cast again.

    A column is lost where neither the vendor's model nor any row, nor a header, has it, so nobody knows before all are
    read.

    :param table: the columns of the table, ``None`` where there is none
    :param before: the columns that the vendor's model had the night before; they may be lost as those of the table
    :raises SchemaDrift: a type of the vendor's model does not fit the table, and ``schema_rules`` do not allow it
    """

    def __init__(
        self,
        pages: LandedPages,
        manifest: Manifest,
        spec: PublishSpec,
        table: Sequence[Column] | None,
        older: OlderValues | None = None,
        stored: Mapping[str, Stored] = MappingProxyType({}),
        before: Sequence[Column] = (),
    ) -> None:
        self.columns: list[Column] = []
        self._pages = pages
        self._manifest = manifest
        self._there = [vendor_name(column.name) for column in table or ()]
        self._spelling = Spelling(spec.schema_rules.same_column, self._there)
        self._spec = self._spelling.of_spec(spec)
        self._table = table
        self._older = older
        self._stored = stored
        self._before = self._spelling.of_all(before)
        self._wider: dict[str, str] = {}
        self._survey: Survey | None = None
        if manifest.model is not None and table:
            self._refuse(drift(self._model(None) or (), None, table, self._spec, model_alone=True))

    @property
    def respelled(self) -> Mapping[str, str]:
        """Names that rows or headers have, with those of the columns that they are."""
        return self._spelling.read

    def stage(self, nights: Sequence[str]) -> Stager:
        """Cast and stage every row.

        :raises CastError: a value does not fit its column, nor may the column take a type that it fits
        :raises SchemaDrift: a column is lost, and ``schema_rules`` do not allow it; others are none of this report's
        :raises UnreadablePage: a page is not JSON or CSV
        """
        survey = None if self._manifest.model or self._table else self._surveyed()
        while True:
            try:
                return self._stage(nights, survey)
            except NewColumns:
                survey = self._surveyed()
            except CastError as misfit:
                if not self._widens(misfit):
                    raise self._advised(misfit) from None

    def _stage(self, nights: Sequence[str], survey: Survey | None) -> Stager:
        spec, manifest = self._spec, self._manifest
        model = self._model(survey)
        types = known_types(spec, model, self._table, survey.types if survey else {})
        types.update(self._wider)
        if survey and manifest.rows and not types:
            types = self._of_no_value(survey)
        columns = targets(types, spec)
        empty = [name for name in survey.empty if name not in types] if survey else []
        pages = self._reader(columns, empty, model or ())
        self.columns = [Column(name=column.name, type=column.kind) for column in columns]
        night_column = table_name(spec.night_column) if spec.night_column else None
        if night_column is not None and night_column not in pages.schema.names and manifest.rows:
            if survey is None:
                raise NewColumns(spec.night_column)
            raise SchemaDrift(
                f"no row has the night_column {spec.night_column!r}. Nothing was published; the landed night is "
                f"untouched. Correct night_column; the columns are {', '.join(pages.schema.names)[:500]}."
            )
        self._refuse_retyping()
        key = [table_name(name) for name in spec.key] if spec.checks.unique_key else []
        stager = Stager(stored_schema(pages.schema, self._stored), nights, night_column, spec.timezone, key)
        try:
            with closing(iter(self._pages)) as landed:
                for entry, body in landed:
                    before = 0
                    with _naming_page(manifest.report, entry.number):
                        for batch in pages.batches(entry.number, body, entry.rows):
                            stager.add(self._as_stored(batch, entry.number, before), entry.number)
                            before += len(batch)
            if isinstance(pages, CsvPages) and pages.header:
                self._refuse_foreign(pages.header, has_rows=stager.read > 0)
            if (self._table or self._before) and (stager.read or pages.seen):
                self._refuse_losses(pages.seen.union(survey.names if survey else ()), model)
        except BaseException:
            stager.close()
            raise
        return stager

    def _model(self, survey: Survey | None) -> list[Column] | None:
        """Return the vendor's model with names as table and rows spell them."""
        if (model := self._manifest.model) is None:
            return None
        return as_spelled(self._spelling.of_all(model), [*self._there, *(survey.names if survey else ())])

    def _of_no_value(self, survey: Survey) -> dict[str, str]:
        """Return the columns of an extract without a single value as texts, or its rows would be none of a table's."""
        if not survey.empty:
            raise SchemaDrift(
                f"{self._manifest.full_name}: {self._manifest.rows} rows have no column at all. "
                "Nothing was published; the landed night is untouched. Have the vendor put it right, then extract the "
                "night again."
            )
        return {name: self._spec.types.get(name, "string") for name in survey.empty}

    def _refuse_retyping(self) -> None:
        """Leave the type of a column to the engine that made it one that is not ours."""
        before = {column.name: column.type for column in self._table or ()}
        for column in self.columns:
            if column.name in self._stored and not same_storage(str(before[column.name]), str(column.type)):
                raise SchemaDrift(
                    f"{self._manifest.full_name}: another engine has defined the column "
                    f"{column.name!r}, and types make it {column.type}. Nothing was published; the landed night is "
                    "untouched. Change the column there, or take it out of types, then clear this task."
                )

    def _as_stored(self, batch: pa.RecordBatch, page: int, before: int) -> pa.RecordBatch:
        if not self._stored:
            return batch
        return as_stored(batch, self._stored, report=self._manifest.report, page=page, before=before)

    def _reader(self, columns: Sequence[Target], empty: Sequence[str], model: Sequence[Column]) -> CsvPages | JsonPages:
        declared = {*self._spec.types, *(column.name for column in model if column.type)}
        guessed = [
            column.origin for column in columns if column.origin not in declared and column.name not in self._stored
        ]
        if self._manifest.format == "csv":
            return CsvPages(columns, empty, self._spec, self._manifest.report, guessed, self._spelling)
        watched: list[str] = []
        if self._table or self._before:
            lets_loss, named = self._spec.schema_rules.lets_loss, {column.name for column in model}
            watched = [
                column.origin
                for column in columns
                if column.member is None and column.origin not in named and not lets_loss(column.name)
            ]
        return JsonPages(columns, empty, self._spec, self._manifest.report, watched, guessed, self._spelling)

    def _surveyed(self) -> Survey:
        if self._survey is None:
            rows = {entry.number: entry.rows for entry in self._manifest.entries}
            is_csv = self._manifest.format == "csv"
            self._survey = Survey(self._spec, is_csv, self._manifest.report, rows, self._spelling)
            with closing(iter(self._pages)) as landed:
                self._survey.take((entry.number, body) for entry, body in landed)
        return self._survey

    def _widens(self, misfit: CastError) -> bool:
        """Give the column of a value that does not fit the type that holds all its values, where that is allowed."""
        name, spec = misfit.column, self._spec
        if misfit.wanted in KEPT or table_name(name) in self._stored:
            return False
        if name in spec.types or name in self._wider or name in promoted(spec) or name == spec.night_column:
            return False
        before = next((column.type for column in self._table or () if column.name == table_name(name)), None)
        survey = self._surveyed()
        kind = survey.types.get(name, "string")
        if is_number(misfit.wanted) and is_number(kind) and (digits := survey.digits.get(name)):
            older = self._older.digits(table_name(name)) if before and self._older else None
            kind = (digits | older if older else digits).kind
        else:
            kind = "string"
        by_itself = is_number(kind) and (
            before is None or ((before, kind) == ("int64", "float64") and name not in spec.key)
        )
        if kind == misfit.wanted or not (by_itself or spec.schema_rules.lets_type_change(name)):
            return False
        self._wider[name] = kind
        return True

    def _advised(self, misfit: CastError) -> CastError:
        """Return the error with an advice that holds: a column that another engine made is changed there."""
        if misfit.wanted in KEPT or table_name(misfit.column) not in self._stored:
            return misfit
        return CastError(
            page=misfit.page,
            row=misfit.row,
            column=misfit.column,
            value=misfit.value,
            wanted=misfit.wanted,
            report=misfit.report,
            why=misfit.why,
            advice="make the column one that holds it, in the engine that has defined it",
        )

    def _refuse_foreign(self, header: Sequence[str], *, has_rows: bool) -> None:
        """Look at a CSV header, whether rows follow it or not: an error text, or another report, is no empty night."""
        spec = self._spec
        there = {column.name for column in self._table or () if column.name not in promoted(spec)} - {NIGHT}
        lost = sorted(there) if there.isdisjoint(map(table_name, header)) else []
        no_key = [] if has_rows else [name for name in spec.key if name not in header]
        # Of a line that nothing follows, only a key says that it is a header.
        if has_rows or (spec.key and not no_key):
            lost = [name for name in lost if not spec.schema_rules.lets_loss(name)]
        if not lost and not no_key:
            return
        why = "none of the table's columns is in it" if lost else f"it lacks {', '.join(map(repr, no_key))} of the key"
        spelled = {letters(table_name(name)) for name in header}
        if again := [name for name in lost if letters(name) in spelled]:
            why += f"; if {', '.join(again)} came under another spelling, set schema_rules.same_column: "
            why += f"[{', '.join(again)}]"
        advice = f"schema_rules.allow_lost_columns: [{', '.join(lost)}]" if lost else "key"
        if lost and not has_rows:
            advice += " and key, by which a header without rows is known,"
        raise SchemaDrift(
            f"{self._manifest.full_name}: the header is not this report's ({why}); it begins "
            f"{', '.join(header)[:80]!r}. Maybe the vendor sent an error text, or another report, in its place. "
            "Nothing was published; the landed night is untouched. Ask for the report by hand and compare, then "
            f"extract the night again; if the vendor has renamed its columns, correct {advice}, then clear this task."
        )

    def _refuse_losses(self, seen: Collection[str], model: Sequence[Column] | None) -> None:
        """Look for columns of the table, or of the night before, that neither the vendor's model nor any row has; and
        for those that the model names and a CSV header does not, unlike before.

        Where no model names them, one that never had a value is none that rows could have lost.
        """
        named, there = {column.name for column in model or ()}, {column.name for column in self._table or ()}
        absent = [name for name in (self._there if model is None else named) if name not in seen]
        now = [*(model or ()), *(Column(name=name) for name in sorted(set(seen) - named))]
        if self._older is not None and model is None:
            valued = self._older.ever_had
            now += [Column(name=name) for name in absent if table_name(name) in there and not valued(table_name(name))]
        elif self._older is not None and self._manifest.format == "csv":
            had = self._older.had
            gone = {name for name in absent if table_name(name) in there and had(table_name(name))}
            now = [column for column in now if column.name not in gone]
        before = as_spelled(self._before, [*self._there, *seen])
        self._refuse(drift(now, before, self._table, self._spec))

    def _refuse(self, found: Drift) -> None:
        if not found.ok:
            manifest = self._manifest
            raise SchemaDrift(f"{manifest.full_name}, night {manifest.night}: {found.text}")


@contextmanager
def _naming_page(report: str, page: int) -> Iterator[None]:
    """Name the page in what the libraries refuse and nobody foresaw; their own error stays beside it in the log."""
    try:
        yield
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        msgspec.MsgspecError,
        UnicodeError,
    ) as error:
        raise UnreadablePage(
            f"{report}: page {page} cannot be cast ({type(error).__name__}: {str(error)[:300]}). Nothing was "
            "published; the landed night is untouched. This was not foreseen: report it with the traceback above; "
            "types: {column: string} for the columns of this page may help meanwhile.",
            page=page,
        ) from error
