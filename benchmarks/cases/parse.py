"""Parsing all DAGs: what it costs over importing Airflow's SDK, with many reports and applications."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import configuration
from benchmarks.cases.paged import UNSEEN, one
from benchmarks.contest import Case, Column, Role, Setup, Verdict
from benchmarks.environments import OWN
from benchmarks.summary import Summary

OURS = "nightshift"
FLOOR = "empty-operators"
SDK_SECONDS = 2.0
"""What importing the SDK took on the machine that the number to design for was set on."""
MOST_SECONDS = 1.0


def parse(*, reports: int, applications: int) -> Case:
    """Return the case.

    :param reports: reports of all vendors together, 10 or more
    :param applications: applications to promote, each a DAG
    """
    few = {"reports": configuration.LEAST_REPORTS, "applications": 1}
    setup = Setup(
        name="all",
        title=f"{reports} reports, {applications} applications",
        settings={"reports": reports, "applications": applications},
        units=sum(configuration.sizes(reports=reports, applications=applications)),
        small=few,
        small_units=sum(configuration.sizes(**few)),
    )
    return Case(
        name="parse",
        unit="tasks",
        baseline=FLOOR,
        contenders=CONTENDERS,
        setups=(setup,),
        verdicts=verdicts,
        columns=COLUMNS,
    )


CONTENDERS = (
    one(OURS, Role.OURS, OWN, "tasks", "DAGs", script="parse_dags.py"),
    one(FLOOR, Role.FLOOR, OWN, "tasks", "DAGs", script="parse_floor.py"),
)
COLUMNS = (
    Column("DAGs", lambda summary: f"{summary.told['dags']:.0f}"),
    Column("SDK s", lambda summary: f"{summary.told['sdk_s']:.2f}"),
    Column("DAGs s", lambda summary: f"{summary.told['dags_s']:.2f}"),
    Column("DAGs/SDK", lambda summary: f"{summary.told['ratio']:.2f}"),
    Column("CPU s", lambda summary: f"{summary.cpu:.2f}"),
    Column("RSS MB", lambda summary: f"{summary.rss_mb:.0f}"),
)


def verdicts(summaries: Sequence[Summary]) -> list[Verdict]:
    """Judge the number to design for by the ratio, which a busy or a slow machine changes least."""
    target = f"all DAGs: ≤ {MOST_SECONDS:g} s where importing the SDK takes {SDK_SECONDS:g} s"
    told = {summary.contender: summary.told for summary in summaries}
    if (mine := told.get(OURS)) is None:
        return [Verdict(target=target, seen=UNSEEN, met=None)]
    floor = "" if FLOOR not in told else f"; as many tasks that do nothing: {told[FLOOR]['ratio'] * SDK_SECONDS:.2f} s"
    seconds = mine["ratio"] * SDK_SECONDS
    measured = f"{mine['dags_s']:.2f} s, the SDK {mine['sdk_s']:.2f} s"
    return [Verdict(target=target, seen=f"{seconds:.2f} s (measured: {measured}){floor}", met=seconds <= MOST_SECONDS)]
