"""All rows of an extract, typed and staged: which columns they have is found out on the way, where nobody said it before."""

from __future__ import annotations

from collections.abc import Sequence

from nightshift.lake.columns import known_types, table_name, targets
from nightshift.lake.csv_pages import CsvPages
from nightshift.lake.errors import SchemaDrift
from nightshift.lake.json_pages import JsonPages, NewColumns
from nightshift.lake.manifest import Manifest
from nightshift.lake.pages import LandedPages
from nightshift.lake.schema import drift
from nightshift.lake.spec import Column, PublishSpec
from nightshift.lake.staging import Stager
from nightshift.lake.survey import Survey


class TypedRows:
    """The rows of one extract.

    One walk over the pages is enough where the vendor's model or the table says every type. Where neither does, or where a
    row has a column that they do not have, a walk before it looks at all values.

    :param pages: the landed pages
    :param manifest: the extract
    :param spec: how it is published
    :param table: the columns of the table, ``None`` where there is none
    :raises SchemaDrift: the vendor's model does not fit the table, and ``schema_rules`` do not allow it
    """

    def __init__(
        self, pages: LandedPages, manifest: Manifest, spec: PublishSpec, table: Sequence[Column] | None
    ) -> None:
        self.columns: list[Column] = []
        self._pages = pages
        self._manifest = manifest
        self._spec = spec
        self._table = table
        if manifest.model is not None and table:
            self._refuse_drift(manifest.model)

    def stage(self, nights: Sequence[str]) -> Stager:
        """Cast and stage every row.

        :param nights: the nights that are wanted
        :raises CastError: a value does not fit its column
        :raises UnreadablePage: a page is not JSON or CSV
        """
        if self._manifest.model or self._table:
            try:
                return self._stage(nights, None, ())
            except NewColumns:
                pass
        is_csv = self._manifest.format == "csv"
        survey = Survey(self._spec, is_csv, self._manifest.report)
        return self._stage(nights, *survey.take((entry.number, body) for entry, body in self._pages))

    def _stage(self, nights: Sequence[str], values: dict[str, str] | None, empty: Sequence[str]) -> Stager:
        spec, manifest = self._spec, self._manifest
        types = known_types(spec, manifest.model, self._table, values or {})
        columns = targets(types, spec)
        reader = CsvPages if manifest.format == "csv" else JsonPages
        pages = reader(columns, [name for name in empty if name not in types], spec, manifest.report)
        self.columns = [Column(name=column.name, type=column.kind) for column in columns]
        night_column = table_name(spec.night_column) if spec.night_column else None
        if night_column is not None and night_column not in pages.schema.names and manifest.rows:
            if values is None:
                raise NewColumns(spec.night_column)
            raise SchemaDrift(
                f"no row has the night_column {spec.night_column!r}. Nothing was published; the landed night is untouched. "
                f"Correct night_column; the columns are {', '.join(pages.schema.names)[:500]}."
            )
        key = [table_name(name) for name in spec.key] if spec.checks.unique_key else []
        stager = Stager(pages.schema, nights, night_column, spec.timezone, key)
        try:
            for entry, body in self._pages:
                for batch in pages.batches(entry.number, body, entry.rows):
                    stager.add(batch, entry.number)
            if isinstance(pages, CsvPages) and manifest.model is None and self._table and stager.read:
                self._refuse_drift([Column(name=name) for name in sorted(pages.seen)])
        except BaseException:
            stager.close()
            raise
        return stager

    def _refuse_drift(self, now: Sequence[Column]) -> None:
        found = drift(now, None, self._table, self._spec)
        if not found.ok:
            raise SchemaDrift(f"{self._manifest.source}/{self._manifest.report}: {found.text}")
