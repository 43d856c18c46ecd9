"""One huge CSV: vendor to landing, as fast as loopback gives it, at the speed of a link, and four times as large."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.cases.paged import AIRFLOW, FLAT_MB, MEMORY_MB, OURS, UNSEEN, import_airflow, one
from benchmarks.contest import NOTHING, Case, Job, Role, Setup, Verdict
from benchmarks.environments import CURL, OWN
from benchmarks.jobs import CSV
from benchmarks.summary import Summary

BASELINE = "curl"
ON_A_LINK, MOST = 1.25, 2.0
LINK_MB_S = 112
"""MiB a second: what a link of 1 Gbit/s carries."""


def csv(*, mb: int, large: bool) -> Case:
    """Return the case.

    :param mb: size of the file at 1 x, in MiB
    :param large: also 4 x
    """
    everyone = frozenset(contender.name for contender in CONTENDERS)
    timed = everyone - {AIRFLOW}

    def setup(
        name: str, title: str, size: int, who: frozenset[str], *, link: int = 0, quoted: int = 0, once: bool = False
    ) -> Setup:
        served = {"csv_mb_s": link, "csv_quoted": quoted, "jobs_s": 0}
        return Setup(
            name=name,
            title=f"{title}: {size:,} MiB",
            settings={"csv_mb": size, **served},
            units=size,
            small={"csv_mb": 1, **served},
            small_units=1,
            once=once,
            contenders=who,
        )

    setups = [
        setup("loopback", "as fast as the client takes it, no quotes", mb, everyone),
        setup("quoted", "the same, every field in quotes", mb, timed, quoted=1),
        setup("link", f"at {LINK_MB_S} MiB/s", mb, timed, link=LINK_MB_S),
    ]
    if large:
        setups.append(setup("4x", "4 x size, as fast as the client takes it", 4 * mb, timed, once=True))
    return Case(
        name="csv", unit="MiB", baseline=BASELINE, contenders=CONTENDERS, setups=tuple(setups), verdicts=verdicts
    )


def curl(job: Job) -> list[str]:
    """Return one curl to a file."""
    return ["curl", "--silent", "--show-error", "--fail", "--output", f"{job.out}/export.csv", f"{job.origin}{CSV}"]


CONTENDERS = (
    one(OURS, Role.OURS, OWN, "csv-landing", "landing", script="nightshift_csv.py"),
    one("HttpOperator", Role.PEER, "http_operator", "csv", "file", script="http_operator_csv.py"),
    one("aiohttp", Role.FLOOR, "aiohttp", "csv", "file", script="aiohttp_csv.py"),
    one(BASELINE, Role.FLOOR, CURL, "csv", "file", command=curl),
    one(AIRFLOW, Role.FLOOR, OWN, NOTHING, "nothing", command=import_airflow),
)


def verdicts(summaries: Sequence[Summary]) -> list[Verdict]:
    """Judge the numbers to design for."""
    mine = {summary.setup: summary for summary in summaries if summary.contender == OURS}
    told = [_time(mine.get(setup), title) for setup, title in TIMED.items()]
    airflow = min((summary.rss_mb for summary in summaries if summary.contender == AIRFLOW), default=None)
    if mine and airflow is not None:
        most = max(summary.rss_mb for summary in mine.values()) - airflow
        told.append(
            Verdict(
                target=f"memory ≤ {MEMORY_MB} MB over the {airflow:.0f} MB of importing Airflow",
                seen=f"{most:+.0f} MB at most",
                met=most <= MEMORY_MB,
            )
        )
    if "loopback" in mine and "4x" in mine:
        small, large = mine["loopback"].rss_mb, mine["4x"].rss_mb
        told.append(
            Verdict(
                target=f"memory flat from 1 x to 4 x size (± {FLAT_MB} MB)",
                seen=f"{small:.0f} and {large:.0f} MB",
                met=large - small <= FLAT_MB,
            )
        )
    return told


TIMED = {
    "link": f"at {LINK_MB_S} MiB/s",
    "loopback": "as fast as it comes, one core for all of it",
    "quoted": "as fast as it comes, in quotes",
    "4x": "as fast as it comes, 4 x size",
}


def _time(found: Summary | None, title: str) -> Verdict:
    """Judge wall time net of start-up; ``ratio`` says how many times as fast as the baseline it is."""
    most = ON_A_LINK if title == TIMED["link"] else MOST
    target = f"≤ {most:g} x the wall time of {BASELINE} to disk, {title}"
    if found is None or not found.ratio:
        return Verdict(target=target, seen=UNSEEN, met=None)
    by_cpu = f", {1 / found.cpu_ratio:.2f} x by processor" if found.cpu_ratio else ""
    return Verdict(target=target, seen=f"{1 / found.ratio:.2f} x{by_cpu}", met=1 / found.ratio <= most)
