"""The runs that carry the cases: each for a night, a report or an application of its own, a case a task at most."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nightshift.sources import SOURCES
from tests.cluster.cases import FLOWS, Case
from tests.cluster.points import place

FLEXNET = ("entitlement", "account", "usage")
CAMUNDA = tuple(f"invoices_{number}" for number in range(1, 25))
APPLICATIONS: Mapping[str, int] = {
    "portal": 10101,
    "portal_reports": 10102,
    "dashboard": 10103,
    "toolbox": 10107,
    "tools": 10108,
}
"""Application → its project at FlexDeploy."""
NIGHTS = 25


@dataclass
class Carrier:
    """A run and the cases that it carries.

    :param report: of a flow of reports
    :param application: of a promotion
    """

    number: int
    flow: str
    cases: dict[str, Case]
    night: str | None = None
    report: str = ""
    application: str = ""
    state: str = ""
    begun: bool = False
    doubts: int = 0
    effects_before: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def dag_id(self) -> str:
        return f"promote_{self.application}" if self.application else SOURCES[self.flow].dag_id

    @property
    def run_id(self) -> str:
        return f"case-{self.number:03d}"

    def task_id(self, task: str) -> str:
        """Return the id of a task of the flow in this run's DAG."""
        return task if self.application or task == "night" else f"{self.report}.{task}"

    def places(self) -> dict[str, Case]:
        """Return place → the case that is met there."""
        return {
            place(self.dag_id, self.run_id, self.task_id(task), case.point): case for task, case in self.cases.items()
        }

    def conf(self) -> dict[str, Any]:
        """Return what a person gives with the run."""
        return {"force_build": True} if self.application else {"reports": [self.report]}

    def __str__(self) -> str:
        return f"{self.dag_id} {self.run_id} ({self.report or self.application}, {self.night or 'no night'})"


def carriers_of(cases: Sequence[Case], today: datetime | None = None) -> list[Carrier]:
    """Return the runs that carry these cases; those that take longest come first."""
    grounds = {flow: _grounds(flow, today or datetime.now(UTC)) for flow in FLOWS}
    found: list[Carrier] = []
    numbers = itertools.count(1)
    for flow in FLOWS:
        of_task: dict[str, list[Case]] = {}
        for case in cases:
            if case.flow == flow:
                of_task.setdefault(case.task, []).append(case)
        while any(of_task.values()):
            taken = {task: left.pop(0) for task, left in of_task.items() if left}
            found.append(Carrier(next(numbers), flow, taken, **next(grounds[flow])))
    slow = ("promotion", "tokenflex")
    return sorted(found, key=lambda one: (slow.index(one.flow) if one.flow in slow else len(slow), one.number))


def _grounds(flow: str, today: datetime) -> Iterator[dict[str, Any]]:
    last = today.date() - timedelta(days=1)
    nights = [(last - timedelta(days=back)).isoformat() for back in range(NIGHTS)]
    match flow:
        case "flexnet":
            yield from ({"night": night, "report": report} for night in nights for report in FLEXNET)
        case "tokenflex":
            yield from ({"night": night, "report": report} for report in ("one", "two", "three") for night in nights)
        case "camunda_optimize":
            # A snapshot of the present: there is only the last night.
            yield from ({"night": nights[0], "report": report} for report in CAMUNDA)
        case "exago":
            yield from ({"night": nights[0], "report": "tree"} for _ in range(99))
        case _:
            yield from ({"application": name} for name in itertools.cycle(APPLICATIONS))
