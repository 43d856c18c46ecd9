"""The section ``exago`` of ``reports.yaml``: the catalog of the tree, declared folders, reports as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from nightshift.config.reports import Report, Section, Source
from nightshift.config.scalars import as_json
from nightshift.exago.report import DATA_KEY, DATA_TYPE, FORM, MINUTES, NO_ROWS_TEXTS, DataType, Form
from nightshift.exago.source import CHANGES, EXAGO, FOLDERS, TREE
from nightshift.exago.steps import LIST_LAG
from nightshift.lake.spec import Checks, PublishSpec, SchemaRules

TAKEN = frozenset({TREE, CHANGES, FOLDERS})


class ExagoFilter(Section):
    """One filter of a report.

    :param text: what is compared, in the vendor's words, for instance ``Orders.Region`` (``FilterText``)
    :param operator: the vendor's number: 0 equal to, 12 between, 14 one of, 15 not one of …
    :param values: what it is compared with; ``{night}`` is the night, ``{night:%m/%d/%Y}`` the night as the server's
        culture writes days
    :param type: type of the values, in the vendor's words (``DataType``)
    """

    text: str = Field(min_length=1)
    operator: int = Field(default=0, ge=0)
    values: Annotated[tuple[str | int | float | bool, ...], BeforeValidator(as_json)]
    type: str | None = None

    def as_sent(self) -> dict[str, Any]:
        """Return the filter as the vendor takes it."""
        more = {} if self.type is None else {"DataType": self.type}
        return {"FilterText": self.text, **more, "Operator": self.operator, "Values": list(self.values)}


class ExagoSort(Section):
    """One column that a report is sorted by.

    :param entity: the vendor's ``EntityName``
    :param column: the vendor's ``ColumnName``
    :param ascending: smallest first
    """

    entity: str = Field(min_length=1)
    column: str = Field(min_length=1)
    ascending: bool = True

    def as_sent(self) -> dict[str, Any]:
        """Return the sort as the vendor takes it."""
        return {"EntityName": self.entity, "ColumnName": self.column, "AscendingFlag": self.ascending}


class ExagoReport(Report):
    """One report of Exago that comes home as a table.

    :param path: where it is, levels split by ``/`` or a backslash; or ``report_id``
    :param report_id: its id, on servers from 2021.1 on
    :param format: ``csv`` or ``json``
    :param filters: applied when it is run
    :param sorts: applied when it is run
    :param data_type: how the server sends it: ``Data``, the safe choice, ``Auto``, or ``null`` for servers that do not
        know it
    :param data_key: key of the rows where the JSON is an object
    :param answered_as: path that the server's answer shows for it, where that is not ``path``; an answer that shows
        another one is refused
    :param no_rows_texts: the server's words, where they are all that it says, for a report without rows; case and a
        full stop do not count
    :param minutes: how long the server may take; a report that takes longer is not started again within an attempt
    """

    path: str | None = Field(default=None, min_length=1)
    report_id: str | None = Field(default=None, min_length=1)
    format: Form = FORM
    filters: tuple[ExagoFilter, ...] = ()
    sorts: tuple[ExagoSort, ...] = ()
    data_type: DataType | None = DATA_TYPE
    data_key: str = Field(default=DATA_KEY, min_length=1)
    answered_as: str | None = Field(default=None, min_length=1)
    no_rows_texts: tuple[Annotated[str, Field(min_length=1)], ...] = NO_ROWS_TEXTS
    minutes: float = Field(default=MINUTES, gt=0, le=240)

    @model_validator(mode="after")
    def _named_once(self) -> ExagoReport:
        if (self.path is None) == (self.report_id is None):
            raise ValueError("a report is named by path or by report_id, by one of them")
        return self

    def publish_spec(self, timezone: str, **more: Any) -> PublishSpec:
        """Return how this report is published."""
        return super().publish_spec(timezone, data_key=self.data_key, **more)


class ExagoCatalog(Section):
    """How the tree becomes a table.

    :param checks: what must hold before a night is published
    :param schema_rules: which changes of its columns are let through
    """

    checks: Checks = Checks()
    schema_rules: SchemaRules = SchemaRules()

    def tree_spec(self) -> PublishSpec:
        """Return how the table ``exago/tree`` is published."""
        return PublishSpec(key=("path", "kind"), checks=self.checks, schema_rules=self.schema_rules)

    def changes_spec(self) -> PublishSpec:
        """Return how the table ``exago/tree_changes`` is published."""
        return PublishSpec(schema_rules=self.schema_rules)


class DeclaredFolders(Section):
    """The folders that are ours: made where they are missing; what is in none of them is never deleted.

    :param declared: paths, levels split by ``/`` or a backslash
    :param dry_run: show the plan and change nothing
    """

    declared: tuple[str, ...] = Field(min_length=1)
    dry_run: bool = False

    @field_validator("declared")
    @classmethod
    def _are_paths(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for path in given:
            if not all(level.strip() for level in path.replace("\\", "/").strip("/").split("/")):
                raise ValueError(f"{path!r} is not the path of a folder; give for instance Sales/Daily")
        return given


class Exago(Source):
    """The section ``exago`` of ``reports.yaml``.

    :param horizon_days: how many days back a report with ``{night}`` in a filter, or with a ``night_column``, reaches;
        ``null`` for all
    :param list_lag: seconds that the server's list of the tree may be old
    :param catalog: how the tree becomes a table
    :param folders: the folders that are ours
    :param reports: the reports that come home as tables
    """

    connection: str = EXAGO.default_connection
    settle_hours: float = Field(default=0, ge=0, le=24)
    horizon_days: int | None = Field(default=None, ge=1)
    list_lag: float = Field(default=LIST_LAG, ge=0, le=900)
    catalog: ExagoCatalog = ExagoCatalog()
    folders: DeclaredFolders | None = None
    reports: tuple[ExagoReport, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Exago:
        if taken := sorted(TAKEN.intersection(report.name for report in self.reports)):
            raise ValueError(
                f"{taken[0]!r} is the name of the catalog's own table or task; give the report another name"
            )
        return self

    @property
    def branches(self) -> tuple[str, ...]:
        """What a person may choose in the form: the catalog, the folders, each report."""
        return (TREE, *((FOLDERS,) if self.folders else ()), *super().branches)

    @property
    def groups(self) -> Mapping[str, str]:
        """Report → the task group that brings it home."""
        return {TREE: TREE, CHANGES: f"{TREE}.changes", **super().groups}
