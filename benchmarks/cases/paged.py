"""A paged report: vendor to landing, and vendor to table, with and without latency, and with more and more pages."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contest import NOTHING, Case, Contender, Job, Role, Setup, Step, Verdict
from benchmarks.environments import CURL, OWN, python_of
from benchmarks.summary import Summary

OURS = "nightshift"
BASELINE = "dlt"
AIRFLOW = "airflow-import"
IN_FLIGHT = 8
MEMORY_MB = 100
FLAT_MB = 20
UNSEEN = "not run, or too short a run to tell"


def paged(*, pages: int, page_rows: int, large: bool, latency_ms: float = 50) -> Case:
    """Return the case.

    :param pages: pages of the report at 1 x size
    :param page_rows: rows a page
    :param large: also 4 x size, and ours alone with 10 thousand and 5 million rows: for memory
    :param latency_ms: of a page, in the setup with latency
    """
    everyone = frozenset(contender.name for contender in CONTENDERS)
    timed = everyone - {AIRFLOW}
    alone = frozenset({OURS})

    def setup(
        name: str, title: str, count: int, who: frozenset[str], latency: float = 0, *, once: bool = False
    ) -> Setup:
        return Setup(
            name=name,
            title=f"{title}: {count:,} pages of {page_rows:,} rows",
            settings={"pages": count, "latency_ms": latency},
            units=count * page_rows,
            small={"pages": 1, "latency_ms": latency},
            small_units=None if once else page_rows,
            once=once,
            contenders=who,
        )

    setups = [
        setup("fast", "no latency", pages, everyone),
        setup("latency", f"{latency_ms:g} ms a page", pages, timed, latency_ms),
    ]
    if large:
        few, many = -(-10_000 // page_rows), -(-5_000_000 // page_rows)
        setups += [
            setup("4x", "4 x size, no latency, start-up included", 4 * pages, timed, once=True),
            setup("few", "ours alone, start-up included", few, alone, once=True),
            setup("many", "ours alone, start-up included", many, alone, once=True),
        ]
    return Case(
        name="paged", unit="rows", baseline=BASELINE, contenders=CONTENDERS, setups=tuple(setups), verdicts=verdicts
    )


def curl(job: Job) -> list[str]:
    """Return one curl for all pages, one after the other on one connection."""
    query = f"mode=interactive&limitRecords={job.settings['page_rows']}&dateFrom=2026-11-21&dateTo=2026-11-21"
    pages = f"pageNumber=[1-{job.settings['pages']}]"
    url = f"{job.origin}/data/api/v1/report/entitlement?{query}&{pages}"
    return ["curl", "--silent", "--show-error", "--fail", "--output", f"{job.out}/page-#1.json", url]


def curl_parallel(job: Job) -> list[str]:
    """Return one curl for all pages, as many at a time as ours."""
    return [*curl(job), "--parallel", "--parallel-max", str(IN_FLIGHT)]


def import_airflow(job: Job) -> list[str]:
    """Return a process that imports what every task of Airflow has imported, and ends."""
    return [python_of(OWN), "-c", "import airflow.sdk.execution_time.task_runner"]


def one(name: str, role: Role, environment: str, sink: str, makes: str, **what: object) -> Contender:
    """Return a contender of one step."""
    step = Step(name=name, environment=environment, sink=sink, makes=makes, **what)  # type: ignore[arg-type]  # Step checks it
    return Contender(name=name, role=role, steps=(step,))


CONTENDERS = (
    Contender(
        name=OURS,
        role=Role.OURS,
        steps=(
            Step(name="extract", environment=OWN, script="nightshift_extract.py", sink="landing", makes="landing"),
            Step(name="publish", environment=OWN, script="nightshift_publish.py", sink="table", makes="Delta table"),
        ),
    ),
    one(BASELINE, Role.PEER, "dlt", "parquet", "Parquet", script="dlt_rest_api.py"),
    one("HttpOperator", Role.PEER, "http_operator", "text", "NDJSON", script="http_operator.py"),
    one("aiohttp", Role.FLOOR, "aiohttp", "text", "NDJSON", script="aiohttp_floor.py"),
    one("curl", Role.FLOOR, CURL, "text", "pages", command=curl),
    one("curl-parallel", Role.FLOOR, CURL, "text", "pages", command=curl_parallel),
    one(AIRFLOW, Role.FLOOR, OWN, NOTHING, "nothing", command=import_airflow),
)


def verdicts(summaries: Sequence[Summary]) -> list[Verdict]:
    """Judge the numbers to design for.

    What is bound by the processor has to hold by wall time and by processor time: on a busy machine the first one alone
    swings either way. With latency only wall time counts.
    """

    def find(setup: str, contender: str = OURS, step: str = "") -> Summary | None:
        return next((s for s in summaries if (s.setup, s.contender, s.step) == (setup, contender, step)), None)

    def ratio(setup: str, least: float, title: str, *, patience: bool = False) -> Verdict:
        found, target = find(setup), f"≥ {least:g} x {BASELINE} to the table, {title}"
        if found is None or found.ratio is None:
            return Verdict(target=target, seen=UNSEEN, met=None)
        seen = f"{found.ratio:.1f} x, {found.cpu_ratio or 0:.1f} x by processor"
        counts = found.ratio if patience else min(found.ratio, found.cpu_ratio or 0)
        return Verdict(target=target, seen=seen, met=counts >= least)

    def rate(step: str, least: int, title: str) -> Verdict:
        found = find("fast", step=step)
        if found is None or found.rate is None:
            return Verdict(target=title, seen=UNSEEN, met=None)
        seen = f"{found.rate:,.0f} rows/s, {found.cpu_rate or 0:,.0f} a second of processor"
        return Verdict(target=title, seen=seen, met=min(found.rate, found.cpu_rate or 0) >= least)

    told = [
        ratio("fast", 20, "no latency"),
        ratio("latency", 8, "with latency", patience=True),
        rate("extract", 300_000, "≥ 300,000 rows/s to the landing on one core"),
        rate("publish", 250_000, "≥ 250,000 rows/s from the landing to the table on one core"),
    ]
    connections = [(found, setup) for setup in ("fast", "latency") if (found := find(setup, step="extract"))]
    told += [
        Verdict(
            target=f"one TCP connection a page in flight ({IN_FLIGHT}), {setup}",
            seen=f"{found.connections} for {found.requests} requests",
            met=found.connections <= IN_FLIGHT,
        )
        for found, setup in connections
    ]
    return told + [verdict for step in ("extract", "publish") for verdict in _memory(summaries, step)]


def _memory(summaries: Sequence[Summary], step: str) -> list[Verdict]:
    mine = {s.setup: s for s in summaries if s.contender == OURS and s.step == step}
    airflow = min((s.rss_mb for s in summaries if s.contender == AIRFLOW), default=None)
    if not mine or airflow is None:
        return [Verdict(target=f"memory of {step}", seen=UNSEEN, met=None)]
    most = max(mine.values(), key=lambda s: s.rss_mb)
    told = [
        Verdict(
            target=f"memory of {step} ≤ {MEMORY_MB} MB over the {airflow:.0f} MB of importing Airflow",
            seen=f"{most.rss_mb - airflow:+.0f} MB at most, in {most.setup!r}",
            met=most.rss_mb - airflow <= MEMORY_MB,
        )
    ]
    if "few" in mine and "many" in mine:
        few, many = mine["few"].rss_mb, mine["many"].rss_mb
        told.append(
            Verdict(
                target=f"memory of {step} flat from 10 thousand to 5 million rows (± {FLAT_MB} MB)",
                seen=f"{few:.0f} and {many:.0f} MB",
                met=many - few <= FLAT_MB,
            )
        )
    return told
