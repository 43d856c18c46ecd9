"""A case, its contenders and its setups: what a benchmark is, apart from how it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, python_of

NOTHING = "nothing"
"""The sink of a step that brings nothing home and is run for its memory or its time alone."""


class Role(StrEnum):
    """Why a contender is in the table."""

    OURS = "ours"
    PEER = "peer"
    FLOOR = "floor"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one run is asked to do; handed to a script as JSON.

    :param origin: root URL of the origin
    :param settings: what the origin serves (``pages``, ``page_rows``, ``latency_ms`` …)
    :param out: an empty folder for what the run makes
    """

    origin: str
    settings: Mapping[str, float]
    out: Path


@dataclass(frozen=True, kw_only=True)
class Step:
    """One process of a contender.

    :param name: what the step is called where a contender has several
    :param environment: whose interpreter runs it
    :param script: file below ``contenders``, called with the job as JSON; or
    :param command: returns the whole command line
    :param sink: what it leaves in the folder, and so how its units are counted afterwards (:mod:`benchmarks.verify`)
    :param makes: what that is, for the table
    :param root: checkout whose script and code run
    """

    name: str
    environment: str
    sink: str
    makes: str
    script: str | None = None
    command: Callable[[Job], list[str]] | None = None
    root: Path = ROOT

    def command_line(self, job: Job, encoded: str) -> list[str]:
        """Return the command line of the step for a job."""
        if self.command is not None:
            return self.command(job)
        return [python_of(self.environment), str(self.root / "benchmarks" / "contenders" / str(self.script)), encoded]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One side of the comparison: a process, or several one after the other.

    :param name: as in ``--only`` and in the table
    :param role: ours, a peer, or a floor that nobody can pass
    :param steps: its processes, in order, on one folder
    """

    name: str
    role: Role
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One situation in which all contenders run.

    :param name: short, as in the results
    :param title: as in the table
    :param settings: of the origin
    :param units: how many units (rows, bytes) every contender has to bring home
    :param small: settings of the run that shows the start-up, and
    :param small_units: its units; ``None`` leaves that run out
    :param once: run it one time, whatever ``--runs`` says (for memory)
    :param contenders: names of those that run in it; ``None`` for all
    """

    name: str
    title: str
    settings: Mapping[str, float]
    units: int
    small: Mapping[str, float] = field(default_factory=dict)
    small_units: int | None = None
    once: bool = False
    contenders: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One number to design for, and what was seen."""

    target: str
    seen: str
    met: bool | None


@dataclass(frozen=True)
class Column:
    """A column of a case's table.

    :param title: over it
    :param cell: returns its text for a summary (:class:`benchmarks.summary.Summary`)
    """

    title: str
    cell: Callable[..., str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A benchmark.

    :param name: as on the command line
    :param unit: what is counted, in the plural
    :param baseline: name of the contender to which the others are compared
    :param contenders: all sides
    :param setups: all situations
    :param columns: of its table, after the contender's name; ``None``: those of a transport, fastest first
    :param verdicts: judges the summaries (:class:`benchmarks.summary.Summary`) of a run
    """

    name: str
    unit: str
    baseline: str
    contenders: tuple[Contender, ...]
    setups: tuple[Setup, ...]
    verdicts: Callable[..., list[Verdict]]
    columns: tuple[Column, ...] | None = None


@dataclass(frozen=True)
class Run:
    """What came out of a case.

    :param summaries: see :class:`benchmarks.summary.Summary`
    :param failed: whether a trial does not count
    """

    case: Case
    summaries: Sequence[Any]
    verdicts: Sequence[Verdict]
    failed: bool
