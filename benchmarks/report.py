"""Tell what came out: a table for a person, JSON for the next comparison."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.contest import NOTHING, Case, Column, Setup, Verdict
from benchmarks.environments import HERE, version_of
from benchmarks.rounds import Trial
from benchmarks.summary import Summary


def transport(case: Case) -> tuple[Column, ...]:
    """Return the columns of a case in which everybody brings the same home."""
    return (
        Column("makes", lambda one: one.makes),
        Column("wall s", lambda one: f"{one.wall:.2f}"),
        Column("start-up s", lambda one: "" if one.start_up is None else f"{one.start_up:.2f}"),
        Column(f"{case.unit}/s net", lambda one: _rate(one, one.rate)),
        Column(f"x {case.baseline}", lambda one: _ratio(one.ratio)),
        Column("CPU s", lambda one: f"{one.cpu:.2f}"),
        Column(f"{case.unit}/CPU s", lambda one: _rate(one, one.cpu_rate)),
        Column(f"x {case.baseline}", lambda one: _ratio(one.cpu_ratio)),
        *ALWAYS,
    )


def _count(name: str) -> Callable[[Summary], str]:
    return lambda one: str(getattr(one, name)) if one.requests else ""


ALWAYS = (
    Column("RSS MB", lambda one: f"{one.rss_mb:.0f}"),
    Column("conns", _count("connections")),
    Column("open", _count("most_open")),
    Column("requests", _count("requests")),
    Column("origin CPU s", lambda one: f"{one.origin_cpu:.2f}"),
)


def table(case: Case, setup: Setup, summaries: Iterable[Summary]) -> str:
    """Return the table of a setup, as a person reads it."""
    mine = [one for one in summaries if one.setup == setup.name]
    rows = cells(case, setup, mine)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    told = [_aligned(row, widths) for row in rows]
    return "\n".join([f"{setup.title} ({_runs(mine)})", told[0], "-" * len(told[0]), *told[1:]])


def cells(case: Case, setup: Setup, summaries: Iterable[Summary]) -> list[tuple[str, ...]]:
    """Return the head and the rows of a setup's table, fastest first; the steps of a contender stand under it."""
    mine = [one for one in summaries if one.setup == setup.name]
    wholes = [one for one in mine if not one.step]
    if case.columns is None:
        wholes.sort(key=lambda one: -(one.rate or 0))
    columns = case.columns or transport(case)
    header = ("contender", *(column.title for column in columns))
    lines = [one for whole in wholes for one in mine if one.contender == whole.contender]
    return [header, *((_name(one), *(column.cell(one) for column in columns)) for one in lines)]


def verdict_lines(verdicts: Sequence[Verdict]) -> str:
    """Return the numbers to design for, and what was seen."""
    mark = {True: "met    ", False: "MISSED ", None: "unknown"}
    return "\n".join(f"{mark[one.met]}  {one.target}: {one.seen}" for one in verdicts)


def write(
    case: Case,
    trials: Sequence[Trial],
    summaries: Sequence[Summary],
    verdicts: Sequence[Verdict],
    settings: dict[str, Any],
) -> Path:
    """Write all of a run to ``benchmarks/results`` and return the file, named by the time of day in UTC."""
    now = datetime.now(UTC)
    environments = sorted({step.environment for one in case.contenders for step in one.steps})
    content = {
        "case": case.name,
        "unit": case.unit,
        "baseline": case.baseline,
        "date": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": settings,
        "peers": {name: version_of(name) for name in environments},
        "verdicts": [asdict(one) for one in verdicts],
        "summaries": [asdict(one) for one in summaries],
        "trials": [asdict(one) for one in trials],
    }
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H%M%SZ}-{case.name}.json"
    part = path.with_suffix(".tmp")
    part.write_text(json.dumps(content, indent=1) + "\n")
    return part.rename(path)


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, system, Python, and how busy the machine was at the end."""
    info = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.release(),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, numbers to the right."""
    cells = zip(row, widths, strict=True)
    return "  ".join(
        text.rjust(width) if n > 1 else text.ljust(width) for n, (text, width) in enumerate(cells)
    ).rstrip()


def _name(one: Summary) -> str:
    return f"  {one.step}" if one.step else one.contender


def _ratio(ratio: float | None) -> str:
    return "" if not ratio else f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}"


def _rate(one: Summary, rate: float | None) -> str:
    return f"{rate:,.0f}" if rate else "" if one.makes == NOTHING else "too short"


def _runs(summaries: Sequence[Summary]) -> str:
    runs = max((one.runs for one in summaries), default=0)
    return "1 run" if runs == 1 else f"medians of {runs} runs"
