"""What a year proves: its figures beside their targets."""

from __future__ import annotations

from benchmarks.proofs import Figure, Proof, Table
from benchmarks.year.run import Passed

MOST = 1.3
"""How many times the cost of the tenth night the last one may cost."""
KINDS = {"cpu": "CPU", "requests": "requests", "bytes read": "bytes read", "listed": "names listed"}
JUDGED = frozenset({"cpu", "requests"})
"""The kinds that have a target. The others are told: they grow with what is remembered, some hundred bytes for each
night of a report and for each promotion.
"""
SAYS = (
    "{nights} nights of {reports} reports and {applications} applications in a compressed clock, by the provider's own "
    "publish, promotions, watch, board and maintenance (landing and incidents kept for 90 days, versions for 30), on "
    "an object store that counts every request and on Airflow's own asset manager and scheduler code. Every fifth "
    "report has a look-back of three nights; 5 % come after they are due, 1 % never, 3 % are fetched again within a "
    "month. Three rows a night: it is the growth that is measured. Each figure is the last ten nights by nights 6 to "
    "15; {promoted} promotions, {seconds:.0f} s. In nights 6 to 15 the board, the watch and the incidents have not yet "
    "as many nights to look at as they show (90, 14 and 90): what grows until night 100 and not from there is that. "
    "Bytes and names have no target: an index holds each night of a report and each promotion, for good, and is read "
    "whole."
)


def proof_of(passed: Passed) -> Proof:
    """Return the proof."""
    plan = passed.plan
    says = SAYS.format(
        nights=plan.nights,
        reports=plan.reports,
        applications=plan.applications,
        promoted=sum(passed.promoted.values()),
        seconds=passed.seconds,
    )
    return Proof(
        name="year",
        title="A year",
        command="make year",
        says=says,
        figures=(*ratios(passed), *left(passed)),
        tables=(_costs(passed), _sizes(passed)),
        found=(
            "A publish asked the store for the whole log once for each transaction of each night: some two thousand "
            "requests before each checkpoint. All transactions are read at once, and a checkpoint comes every ten "
            "commits.",
            "A publish opened its own table five times. It opens it once and brings that up to date, which takes some "
            "five requests where to open it takes thirty.",
            "The board and the watch read each incident of their days at each look. Both keep what they have read, "
            "since incidents are only ever created; the watch in the lake, for its next look.",
            "The grid of nights looked through all nights of a report for its first one, once for each night that it "
            "showed: of 90 nights after a year that was five times the work of all else.",
            "Each publish and each promotion opened the tables of all reports that it waits for. Three small requests "
            "to the newest log entries answer that now.",
        ),
    )


def ratio(passed: Passed, what: str, kind: str) -> float | None:
    """Return the cost of the last nights by that of the tenth; ``None`` where there is nothing to compare."""
    first, last = (passed.costs.mean(what, passed.measured[name], kind) for name in _ends(passed))
    return last / first if first and last is not None else None


def ratios(passed: Passed) -> tuple[Figure, ...]:
    """Return each ratio, beside its target."""
    found = []
    for what in sorted(passed.costs.found):
        for kind, word in KINDS.items():
            if (seen := ratio(passed, what, kind)) is None:
                continue
            judged = {"target": f"{MOST} at most", "met": seen <= MOST} if kind in JUDGED else {}
            found.append(Figure(what=f"{what}: {word}", value=f"{seen:.2f}", **judged))
    return tuple(found)


def left(passed: Passed) -> tuple[Figure, ...]:
    """Return what is left waiting in Airflow's tables, and whether a night was promoted twice."""
    waiting = [
        Figure(what=what, value=str(count), target="0", met=count == 0) for what, count in passed.pending.items()
    ]
    most = max(passed.promoted.values(), default=0)
    return (*waiting, Figure(what="promotions of one night, at most", value=str(most), target="1", met=most == 1))


def _ends(passed: Passed) -> tuple[str, str]:
    names = list(passed.measured)
    return names[0], names[-1]


def _costs(passed: Passed) -> Table:
    rows = []
    for what in sorted(passed.costs.found):
        for kind, word in KINDS.items():
            values = [passed.costs.mean(what, nights, kind) for nights in passed.measured.values()]
            rows.append((what, f"{word}, ms" if kind == "cpu" else word, *(_printed(value, kind) for value in values)))
    return Table(title="What one costs", head=("", "", *passed.measured), rows=tuple(rows))


def _printed(value: float | None, kind: str) -> str:
    if value is None:
        return ""
    return f"{value * 1000:.1f}" if kind == "cpu" else f"{value:,.0f}"


def _sizes(passed: Passed) -> Table:
    nights = [night for night in passed.sizes if night % 100 == 0 or night == passed.plan.nights]
    folders = sorted({folder for night in nights for folder in passed.sizes[night]})
    rows = []
    for folder in folders:
        cells = [passed.sizes[night].get(folder, (0, 0)) for night in nights]
        rows.append((folder, *(f"{count:,} / {size / 1024:,.0f} KiB" for count, size in cells)))
    return Table(
        title="What lies in the lake: objects / bytes",
        head=("", *(f"night {night}" for night in nights)),
        rows=tuple(rows),
    )
