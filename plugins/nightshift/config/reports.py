"""``reports.yaml``: what the sections of all sources have in common, and what counts of each.

The sources are those of :mod:`nightshift.sources`; each one's own model is in its room, and imported where its section
is read.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from nightshift.config.due import NEVER, Due, DueTime
from nightshift.config.in_force import AS_KEPT, ConfigFile, is_removed
from nightshift.config.reading import REPORTS, open_file, read_section
from nightshift.config.scalars import Duration, Text, between, lasting
from nightshift.fields import Day, Frozen, Name, TimeZone, nearest, refuse_twice
from nightshift.lake.spec import Checks, ColumnType, CsvSpec, PublishSpec, SchemaRules
from nightshift.sources import SOURCES, VENDORS

ANY = "*"
"""Stands for the reports of a source that nobody knows, because its section has a mistake, which is told for itself."""
FIRST_TASK = "night"
"""The task that every nightly DAG begins with; each report is a task group beside it."""
POOL_SLOTS = 50
"""Slots that a pool gets which is made for a source; Token Flex queues 50 exports."""


HALF_A_DAY = timedelta(hours=12)
"""What no change of two clocks moves a night by; the day after does."""


class Section(Frozen):
    """A part of the configuration."""


class Maintenance(Section):
    """What the DAG ``nightshift_maintenance`` keeps of a source.

    :param keep_versions: how long every version of a table stays readable; files that no version of that time has are
        deleted
    :param keep_superseded: how long an extract of the landing stays that a newer, complete one took the place of, or
        that was never completed; ``null``: for ever
    :param keep_landing: how long the published extract of a night stays, from which it can be published again without
        the vendor; it goes only where the table has the night as it was published, and no newer one with it. ``null``:
        for ever
    :param keep_incidents: how long an incident stays of which nothing more has become known; ``null``: for ever
    """

    keep_versions: Annotated[Duration, between("7d", "366d")] = lasting("30d")
    keep_superseded: Annotated[Duration, between("2d", "366d")] | None = lasting("30d")
    keep_landing: Annotated[Duration, between("7d", "366d")] | None = None
    keep_incidents: Annotated[Duration, between("90d", "366d")] | None = lasting("366d")


class Source(Section):
    """What all sources have.

    :param connection: id of the Airflow connection
    :param timezone: zone whose midnight ends a night: the vendor's server time
    :param settle_hours: hours after midnight before a scheduled night is fetched (vendors' warehouses lag)
    :param pool: Airflow pool of every task that talks to the vendor
    :param retries: how often Airflow tries a task again
    :param start: first night that a backfill may ask for
    :param maintenance: how long what is kept
    :param due: time of the day after a night by which its reports have to be there, such as ``06:00``; see
        :mod:`nightshift.watch`. Default: nobody waits for them
    :param due_timezone: zone of ``due``; default: that of ``timezone``
    """

    connection: str = Field(min_length=1)
    timezone: TimeZone = "UTC"
    settle_hours: float = Field(default=4, ge=0, le=24)
    pool: str = "default_pool"
    retries: int = Field(default=3, ge=0, le=20)
    start: Day = "2020-01-01"
    maintenance: Maintenance = Maintenance()
    due: DueTime | None = None
    due_timezone: TimeZone | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)

    @property
    def listed(self) -> tuple[Report, ...]:
        """The reports, whatever the source calls them."""
        found: tuple[Report, ...] = getattr(self, "reports", ())
        return found

    @property
    def branches(self) -> tuple[str, ...]:
        """What a person may choose in the form, each a task or a task group of that name."""
        return tuple(report.name for report in self.listed)

    @property
    def groups(self) -> Mapping[str, str]:
        """Report → the task group that brings it home."""
        return {report.name: report.name for report in self.listed}

    @property
    def longest_wait(self) -> timedelta:
        """How long a run may wait, by what is said here, and do nothing else."""
        return timedelta(hours=self.settle_hours)

    def due_of(self, name: str) -> Due | None:
        """Return by when a night of a report has to be there; ``None``: nobody waits for it.

        :param name: the report, one of :attr:`groups`
        """
        report = next((one for one in self.listed if one.name == name), None)
        clock = (report and report.due) or self.due
        zone = (report and report.due_timezone) or self.due_timezone or self.timezone
        return None if clock is None or clock == NEVER else Due(clock, zone)

    def since_of(self, name: str) -> str | None:
        """Return the first night of a report that has to be there, where the configuration says so."""
        return next((one.since for one in self.listed if one.name == name), None)

    @model_validator(mode="after")
    def _listed_once(self) -> Self:
        refuse_twice("report", (report.name for report in self.listed), "a table has one report")
        if FIRST_TASK in self.branches:
            raise ValueError(
                f"{FIRST_TASK!r} is the name of the first task of the DAG, and a report is a task group beside it; "
                "give the report another name"
            )
        return self

    @model_validator(mode="after")
    def _can_be_on_time(self, info: ValidationInfo) -> Self:
        dues = {} if info.context == AS_KEPT else {name: self.due_of(name) for name in self.groups}
        settled = timedelta(hours=self.settle_hours)
        for name, due in dues.items():
            if due is None:
                continue
            (least, early), (most, late) = due.extremes(self.timezone)
            if most - least > HALF_A_DAY:
                raise ValueError(
                    f"{name} is due at {due}: {_hours(least)} hours after its end in {self.timezone} for the night "
                    f"{early}, and {_hours(most)} for {late}, because the clocks change; give a due that is not so "
                    "close to the end of the night, or a due_timezone that changes with it"
                )
            if least <= settled:
                raise ValueError(
                    f"{name} is due at {due}, before the night {early} is fetched, {self.settle_hours:g} hours after "
                    f"its end in {self.timezone}; give a later due, or fewer settle_hours"
                )
        return self


class Report(Section):
    """What a report of any source has: its name in the lake, and how its rows become a table.

    :param name: name of the report and of its table
    :param key: columns that identify a row; duplicates are found by them, and identical ones dropped
    :param types: column → type, where the vendor's data model is silent or wrong: ``string``, ``int64``, ``float64``,
        ``decimal(p,s)``, ``bool``, ``date``, ``timestamp`` (UTC, microseconds) or ``json`` (the vendor's own text of a
        nested value)
    :param checks: what must hold before a night is published
    :param schema_rules: which changes of the vendor's columns are let through
    :param night_column: date column that says to which night a row belongs; rows of other nights are dropped and
        counted
    :param csv: how CSV is written, for reports that come as CSV
    :param empty_as_null: an empty string in a column that is not text is no value, instead of a mistake
    :param due: time of the day after a night by which this report has to be there; ``never``: nobody waits for it.
        Default: that of the source
    :param due_timezone: zone of ``due``; default: that of the source
    :param since: first night that has to be there; default: the first that ends after this report was seen here
    """

    name: Name
    key: tuple[str, ...] = ()
    types: dict[str, ColumnType] = Field(default_factory=dict)
    checks: Checks = Checks()
    schema_rules: SchemaRules = SchemaRules()
    night_column: str | None = None
    empty_as_null: bool = False
    csv: CsvSpec = CsvSpec()
    due: DueTime | None = None
    due_timezone: TimeZone | None = None
    since: Day | None = None

    def publish_spec(self, timezone: str, **more: Any) -> PublishSpec:
        """Return how this report is published; ``timezone`` reads time stamps that name no zone."""
        shared = ("key", "types", "checks", "schema_rules", "night_column", "empty_as_null", "csv")
        return PublishSpec(**{name: getattr(self, name) for name in shared}, timezone=timezone, **more)


@dataclass(frozen=True)
class SourcesInForce:
    """The sections of ``reports.yaml``, as one reading of the file finds them.

    :param path: the file
    :param sources: those that count, as they stand, or as they stood before a mistake
    :param removed: those that say of themselves that they are gone
    :param unknown: of which nobody knows what they say, each with why: a mistake is in it and none without was kept, or
        it is gone and does not say so. The file's own name where it cannot be read at all, and nothing of it was kept
    :param broken: why the file cannot be read; empty: it can
    """

    path: Path
    sources: Mapping[str, Source]
    removed: frozenset[str]
    unknown: Mapping[str, str]
    broken: str = ""

    def why_unknown(self, name: str) -> str:
        """Return why nobody knows of a source that is in none of these whether it is gone on purpose."""
        return self.broken or (
            f"{self.path}: there is no section {name}. Put it back, or confirm that it is gone: "
            f"'{name}: {{removed: true}}'"
        )


def model_of(source: str) -> type[Source]:
    """Return the model of a source's section, which is imported now."""
    found: type[Source] = VENDORS[source].load(SOURCES[source].model)
    return found


def pools(folder: Path | None = None) -> list[str]:
    """Return the Airflow pools that ``reports.yaml`` names, but Airflow's own. Somebody has to make them, deferred
    tasks counted.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :raises ConfigError: a mistake in the file
    """
    sections = (read_section(name, model_of(name), folder=folder) for name in SOURCES)
    return sorted({section.pool for section in sections if section is not None} - {"default_pool"})


def source_in_force(name: str, *, folder: Path | None = None, counts_gone: bool = False) -> Source | None:
    """Return a section of ``reports.yaml`` that counts: as it stands, or, while a mistake is in it, as it stood before.

    The mistake itself is told by ``dags/configuration.py``, so that it ends nothing that runs.

    :param name: the source, for instance ``flexnet``
    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :param counts_gone: where the section is missing, it counts as it was
    :return: ``None``: the source is not configured, or never was without a mistake
    """
    return _section(open_file(REPORTS, folder=folder), name, counts_gone=counts_gone)


def sources_in_force(folder: Path | None = None) -> SourcesInForce:
    """Return what counts of ``reports.yaml``, and of what nobody knows what it says.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    """
    file = open_file(REPORTS, folder=folder)
    broken = "" if file.document else _first_line(file.mistakes[-1])
    found: dict[str, Source] = {}
    unknown: dict[str, str] = {}
    for name in SOURCES:
        before = len(file.mistakes)
        section = _section(file, name)
        if section is not None:
            found[name] = section
        elif len(file.mistakes) > before:
            unknown[name] = _first_line(file.mistakes[-1])
    unknown |= {name: file.mistake_gone(name) for name in file.gone if name not in found}
    if broken and not found:
        unknown[REPORTS] = broken
    values = file.document.values if file.document else {}
    removed = frozenset(name for name, value in values.items() if is_removed(value))
    return SourcesInForce(file.path, found, removed, unknown, broken)


def mistakes_of_reports(folder: Path | None = None, *, of: Collection[str] = tuple(SOURCES)) -> list[str]:
    """Return what is wrong with ``reports.yaml``.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :param of: the sources whose sections are looked at. What hides all of them is told in any case, and so is a section
        that is no source where it may be one of them
    """
    file = open_file(REPORTS, folder=folder)
    for name in of:
        _section(file, name)
    unknown = {name: _meant(name) for name in _unknown(file)}
    for name, meant in unknown.items():
        if meant in of or set(of) == set(SOURCES):
            file.mistakes.insert(0, file.mistake_unknown(name, f"is not a source of reports{nearest(name, SOURCES)}"))
    gone = [name for name in file.gone if name in of and name not in unknown.values()]
    return [*file.mistakes, *map(file.mistake_gone, gone)]


def reports_known(folder: Path | None = None) -> frozenset[str]:
    """Return the reports that ``reports.yaml`` configures, each ``<source>/<report>``; ``<source>/*``: nobody knows.

    The file is not validated: a mistake in one report does not make others unknown, and one in a whole section only
    where no earlier one was kept.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    """
    file = open_file(REPORTS, folder=folder)
    found: set[str] = set()
    for source in SOURCES:
        section = file.raw(source)
        if (file.document is None or source in file.names) and not is_removed(section):
            found |= _names_in(source, section, is_known=file.document is not None)
    return frozenset(found)


@dataclass(frozen=True)
class KnownReports:
    """What the models of ``promotions.yaml`` are told when it is read: the reports that there are,
    :func:`reports_known`.
    """

    names: frozenset[str]


def _report(given: str, info: ValidationInfo) -> str:
    source, slash, report = given.partition("/")
    if not (slash and report) or "/" in report:
        raise ValueError("must be <source>/<report>, such as flexnet/entitlement")
    if source not in SOURCES:
        raise ValueError(f"{source!r} is not a source of reports{nearest(source, SOURCES)}")
    if not isinstance(info.context, KnownReports):
        return given
    known = info.context.names
    if given not in known and f"{source}/{ANY}" not in known:
        raise ValueError(f"is not a report that reports.yaml configures{nearest(given, known, few=True)}")
    return given


ReportName = Annotated[Text, AfterValidator(_report)]
"""Name of a report in ``promotions.yaml``, ``<source>/<report>``; where it is known which there are, one of them."""


def _section(file: ConfigFile, name: str, *, counts_gone: bool = False) -> Source | None:
    rules = SOURCES[name].rules
    counts_gone = counts_gone or any(_meant(unknown) == name for unknown in _unknown(file))
    found_by = VENDORS[name].load(rules) if rules else None
    return file.section(name, model_of(name), rules=found_by, counts_gone=counts_gone)


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):g}"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _unknown(file: ConfigFile) -> list[str]:
    """Return the sections that are no source; one that begins with ``x-`` is there for its anchors."""
    return [one for one in file.names if one not in SOURCES and not one.startswith("x-")] if file.document else []


def _meant(unknown: str) -> str | None:
    return next(iter(difflib.get_close_matches(unknown, SOURCES, n=1, cutoff=0.5)), None)


def _names_in(source: str, section: Any, *, is_known: bool) -> set[str]:
    reports = SOURCES[source]
    if section is None and not (is_known and reports.own_reports):
        return {f"{source}/{ANY}"}
    listed = section.get(reports.key) if isinstance(section, Mapping) else None
    names = [one.get("name") for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return {f"{source}/{name}" for name in (*reports.own_reports, *names) if isinstance(name, str)}
