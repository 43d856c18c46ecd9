"""What was proven, when, where and how: one file a proof, and RESULTS.md from all of them.

``python -m benchmarks.proofs`` writes ``benchmarks/RESULTS.md`` from ``benchmarks/results/proofs/*.json``; ``--check``
only says whether it is as they are. A command that proves something ends with :func:`keep`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.environments import HERE, ROOT
from benchmarks.report import machine

FOLDER = HERE / "results" / "proofs"
PAGE = HERE / "RESULTS.md"
MARKS = {True: "met", False: "**missed**", None: ""}
COMMANDS = {
    "simulation": "make simulate",
    "decisions": "make decisions",
    "stories": 'make stories ARGS="--keep"',
    "mutants": 'make stories ARGS="--mutants --keep"',
    "crash": "make crash",
    "faults": "make faults",
    "fuzz": "make fuzz",
    "secrets": "make secrets",
    "year": "make year",
    "load": "python -m benchmarks.load --rows 250000",
    "load-cluster": "python -m benchmarks.load --rows 250000 --cluster",
    "backfill": "python -m benchmarks.backfill",
    "waits": 'make bench ARGS="waits --waits 5000 --minutes 60 --runs 1 --proof"',
    "speed": 'make bench ARGS="paged csv --proof"',
}
"""Proofs in their order, and what a person types to have each."""
INTRODUCTION = """# Results

Made by `make results` from what the commands below wrote; each can be run again. A figure stands beside its target, and what is missed stands here as plainly as what is met.
"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure, as it is printed.

    :param target: what it was to be; empty: there is none
    :param met: whether it was reached; ``None``: there is no target
    """

    what: str
    value: str
    target: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        mark = {True: "met", False: "MISSED", None: ""}[self.met]
        return f"{mark:6} {self.what}: {self.value}{self.target and f' ({self.target})'}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a proof; every row is as long as the head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one command has shown.

    :param name: of its file
    :param command: what a person types to have it again
    :param says: what was done and who judged it
    :param found: what it found, a sentence each; put right where it says nothing else
    """

    name: str
    title: str
    command: str
    says: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    found: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A proof with when and where it was made.

    :param date: UTC
    :param commit: of the checkout; with a plus where something was not committed
    :param machine: see :func:`benchmarks.report.machine`
    """

    proof: Proof
    date: str
    commit: str
    machine: dict[str, Any] = field(default_factory=dict)


def keep(proof: Proof, folder: Path = FOLDER) -> Path:
    """Write a proof, in place of its last one, and return the file.

    :raises ValueError: a row of a table is not as long as the head
    """
    for table in proof.tables:
        if any(len(row) != len(table.head) for row in table.rows):
            raise ValueError(f"{proof.name}, {table.title}: each row needs {len(table.head)} cells.")
    kept = Kept(proof=proof, date=datetime.now(UTC).isoformat(timespec="seconds"), commit=commit(), machine=machine())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{proof.name}.json"
    part = path.with_suffix(".tmp")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
    return part.rename(path)


def commit() -> str:
    """Return the commit of the checkout, with a plus where something was not committed."""
    head = _git("rev-parse", "--short=10", "HEAD")
    changed = [line for line in _git("status", "--porcelain").splitlines() if "benchmarks/" not in line]
    return f"{head}{'+' if changed else ''}" if head else "unknown"


def read(folder: Path = FOLDER) -> list[Kept]:
    """Return all proofs, the ones that attack first."""
    found = [msgspec.json.decode(path.read_bytes(), type=Kept) for path in sorted(folder.glob("*.json"))]
    places = {name: number for number, name in enumerate(COMMANDS)}
    return sorted(found, key=lambda one: (places.get(one.proof.name, len(COMMANDS)), one.proof.name))


def page(proofs: Sequence[Kept]) -> str:
    """Return the page of all proofs."""
    return "\n".join([INTRODUCTION, *_summary(proofs), *(line for one in proofs for line in _section(one))])


def _summary(proofs: Sequence[Kept]) -> Iterator[str]:
    figures = [figure for one in proofs for figure in one.proof.figures if figure.met is not None]
    yield f"{sum(1 for one in figures if one.met)} of {len(figures)} targets are met.\n"
    for one in proofs:
        missed = [figure for figure in one.proof.figures if figure.met is False]
        for figure in missed:
            yield f"* Missed in {one.proof.title.lower()}: {figure.what} {figure.value}, to be {figure.target}."
    there = {one.proof.name for one in proofs}
    if left := [f"`{command}`" for name, command in COMMANDS.items() if name not in there]:
        yield f"* Not run whole yet, so that nothing is told of it here: {', '.join(left)}."
    yield ""


def _section(one: Kept) -> Iterator[str]:
    proof, load = one.proof, ", ".join(f"{value:g}" for value in one.machine.get("load", ()))
    yield f"## {proof.title}\n\n`{proof.command}`: {proof.says}\n"
    if proof.figures:
        figures = [(each.what, each.value, each.target, MARKS[each.met]) for each in proof.figures]
        yield from _table(("", "seen", "target", ""), figures)
    for table in proof.tables:
        yield f"**{table.title}**\n"
        yield from _table(table.head, table.rows)
    if proof.found:
        yield "Found, and put right where nothing else is said:\n"
        yield from (f"* {each}" for each in proof.found)
        yield ""
    yield (
        f"{one.date[:16].replace('T', ' ')} UTC, commit {one.commit}, {one.machine.get('processor')}, "
        f"{one.machine.get('cores')} cores, Python {one.machine.get('python')}, load at the end {load}.\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;').replace(chr(10), ' ') for cell in cells)} |"


def _git(*arguments: str) -> str:
    try:
        found = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip()


def main(given: Sequence[str]) -> int:
    """Write the page, or check it; 1: it is not as the proofs are."""
    made = page(read())
    if "--check" in given:
        same = PAGE.exists() and PAGE.read_text() == made
        print(
            "benchmarks/RESULTS.md is as the proofs are." if same else "benchmarks/RESULTS.md is old: `make results`."
        )
        return 0 if same else 1
    PAGE.write_text(made)
    print(f"{PAGE.relative_to(ROOT)} tells of {len(read())} proofs.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
