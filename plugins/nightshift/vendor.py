"""What the provider knows of a vendor, in one place; and the pieces of its connection form.

A room's ``source.py`` says it, and is read in every process of Airflow: so modules and objects are only named, below
the room, and imported where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ReportSource:
    """A vendor that reports come from: its section of ``reports.yaml``, and its DAG.

    :param dag_id: id of the DAG that brings its reports home
    :param model: model of the section, a :class:`nightshift.config.reports.Source`
    :param tasks: function that declares the tasks of one night: given the section and the first task, a
        :class:`nightshift.nights.night.NightOperator`, inside of the DAG
    :param key: key of the section that lists the reports
    :param rules: function that says what is wrong with a section that fits its model: places and problems
    :param own_reports: reports that there are whatever the section lists
    :param max_active_runs: nights that are brought home at the same time
    :param run_limit: after which a run is ended, on top of what its section lets it wait
    :param task_limit: after which an attempt of a task is ended
    """

    dag_id: str
    model: str
    tasks: str = "flow.tasks"
    key: str = "reports"
    rules: str | None = None
    own_reports: tuple[str, ...] = ()
    max_active_runs: int = 8
    run_limit: timedelta = timedelta(hours=20)
    task_limit: timedelta = timedelta(hours=4)


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor. Names of modules, and of objects in them, are those below its room.

    :param type: connection type, and the room's own name
    :param name: the vendor for people: in the connection form, in every message
    :param docs: URL of the vendor's own documentation
    :param hook: class of the client
    :param behaviour: of Airflow's own fields in the connection form (``ui-field-behaviour``)
    :param fields: further fields of the form, which are extras of the connection; those of :data:`HTTP_FIELDS` come
        with them
    :param more_extras: extras that count, and that the form does not show
    :param operators: modules of operators
    :param sensors: modules of sensors
    :param triggers: modules of triggers
    :param extra_links: classes of links that tasks show
    :param reports: where the vendor is a source of reports
    """

    type: str
    name: str
    docs: str
    hook: str
    behaviour: Mapping[str, Any]
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    more_extras: frozenset[str] = frozenset()
    operators: tuple[str, ...] = ("operators",)
    sensors: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    extra_links: tuple[str, ...] = ()
    reports: ReportSource | None = None

    @property
    def default_connection(self) -> str:
        """Id of the connection that counts where none is named."""
        return f"{self.type}_default"

    @property
    def extras(self) -> frozenset[str]:
        """The extras that this vendor's connections have besides the shared ones."""
        return (frozenset(self.fields) | self.more_extras) - frozenset(HTTP_FIELDS)

    def default(self, extra: str) -> Any:
        """Return what the form puts into a field that nobody filled in: it counts where the connection has no such
        extra.
        """
        return self.fields[extra]["schema"]["default"]

    def named(self, name: str) -> str:
        """Return the whole name of a module, or of an object in one."""
        return f"nightshift.{self.type}.{name}"

    def load(self, name: str) -> Any:
        """Return an object of the room; its module is imported now.

        :param name: module and object, for instance ``configuration.FlexNet``
        """
        module, _, found = self.named(name).rpartition(".")
        return getattr(import_module(module), found)


def text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    """Return a field of a form that takes a text, or with ``enum`` one of a list."""
    return _field("string", label, description, schema)


def whole(label: str, description: str, **schema: Any) -> dict[str, Any]:
    """Return a field that takes a whole number."""
    return _field("integer", label, description, schema)


def number(label: str, description: str, **schema: Any) -> dict[str, Any]:
    """Return a field that takes a number."""
    return _field("number", label, description, schema)


def switch(label: str, description: str, **schema: Any) -> dict[str, Any]:
    """Return a field that is on or off."""
    return _field("boolean", label, description, schema)


def mapping(label: str, description: str, **schema: Any) -> dict[str, Any]:
    """Return a field that takes a JSON object."""
    return _field("object", label, description, schema)


def _field(kind: str, label: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


HTTP_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "timeout": number(
        "Time-out (s)", "Seconds for one request as a whole; empty: the default of the client.", exclusiveMinimum=0
    ),
    "proxy": text("Proxy", "URL of an HTTP proxy for this vendor; empty: none."),
    "verify": switch("Verify TLS", "Refuse a server whose certificate is not trusted.", default=True),
    "requests_per_minute": whole(
        "Requests a minute", "The most that is sent to this vendor in a minute; empty: no limit of ours.", minimum=1
    ),
}
"""The fields that every vendor's connection has."""
