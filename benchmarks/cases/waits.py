"""Many waits in one event loop: what a poll costs, how late the loop gets, how often the vendor is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.cases.paged import UNSEEN, one
from benchmarks.contest import NOTHING, Case, Column, Role, Setup, Verdict
from benchmarks.environments import OWN
from benchmarks.summary import Summary

OURS = "nightshift"
LIST = "nightshift-list"
BASELINE = "HttpSensorTrigger"
PLAIN = "session-a-poll"
IDLE = "idle-loop"
MOST_CPU_MS = 0.4
MOST_LATE_MS = 20.0
MOST_GROWTH_MB_H = 10.0
LEAST_POLLS = 0.99
LEAST_SECONDS = 600
"""Below that a slope of memory says nothing."""
PEERS = "http_operator"
LONG = "long"


def waits(*, counts: Sequence[int], interval: float, minutes: float = 0.0) -> Case:
    """Return the case.

    :param counts: how many waits at a time, in each setup
    :param interval: seconds between the polls of one wait; the waits come over one interval, their jobs take one
        and a half
    :param minutes: the largest count alone, whose jobs take so long; 0: all counts
    """
    everyone = frozenset(contender.name for contender in CONTENDERS)

    def setup(name: str, title: str, count: int, who: frozenset[str], spread: float) -> Setup:
        settings = {"waits": count, "interval_s": interval, "spread_s": spread, "jobs_s": 1.5 * interval}
        return Setup(name=name, title=title, settings=settings, units=count, contenders=who)

    largest = max(counts)
    if minutes:
        who = frozenset({OURS, LIST, IDLE})
        long = setup(
            LONG, f"{largest:,} waits for {minutes:g} minutes, each polled every {interval:g} s", largest, who, interval
        )
        settings = {**long.settings, "jobs_s": 60 * minutes}
        return Case(
            name="waits",
            unit="waits",
            baseline=IDLE,
            contenders=tuple(one for one in CONTENDERS if one.name in who),
            setups=(replace(long, settings=settings),),
            verdicts=judged_long,
            columns=(*COLUMNS, *LONG_COLUMNS),
        )
    setups = [
        setup(
            str(count),
            f"{count:,} waits, each polled every {interval:g} s",
            count,
            everyone if count == largest else everyone - {IDLE},
            interval,
        )
        for count in counts
    ]
    setups.append(
        setup("restart", f"{largest:,} waits that begin at once, as after a restart", largest, everyone - {IDLE}, 0.0)
    )
    return Case(
        name="waits",
        unit="waits",
        baseline=BASELINE,
        contenders=CONTENDERS,
        setups=tuple(setups),
        verdicts=verdicts,
        columns=COLUMNS,
    )


CONTENDERS = (
    one(OURS, Role.OURS, OWN, "events", "events", script="waits_flexdeploy.py"),
    one(LIST, Role.OURS, OWN, "events", "events", script="waits_tokenflex.py"),
    one(BASELINE, Role.PEER, PEERS, "events", "events", script="waits_http_sensor.py"),
    one(PLAIN, Role.PEER, PEERS, "events", "events", script="waits_session_a_poll.py"),
    one("one-session", Role.FLOOR, PEERS, "events", "events", script="waits_one_session.py"),
    one(IDLE, Role.FLOOR, OWN, NOTHING, "nothing", script="waits_idle.py"),
)


def polls(summary: Summary) -> float:
    """Return how many times a wait was told how its job stands."""
    return summary.told.get("polls", summary.requests)


def loop_cpu(summary: Summary) -> float:
    """Return the seconds of processor of the loop, less what its clock takes."""
    return summary.told["user_s"] + summary.told["kernel_s"]


def cpu_ms(summary: Summary) -> float | None:
    """Return the milliseconds of processor that one poll cost, all that the loop did for its wait included."""
    return 1000 * loop_cpu(summary) / polls(summary) if polls(summary) else None


def _told(name: str) -> Column:
    return Column(name.replace("_", " "), lambda summary: f"{summary.told[f'{name}_ms']:.1f}")


COLUMNS = (
    Column("loop s", lambda summary: f"{summary.told['loop_s']:.1f}"),
    Column("polls", lambda summary: f"{polls(summary):,.0f}"),
    Column("CPU ms/poll", lambda summary: "" if (cost := cpu_ms(summary)) is None else f"{cost:.3f}"),
    Column("in kernel %", lambda summary: f"{100 * summary.told['kernel_s'] / (loop_cpu(summary) or 1):.0f}"),
    Column("loop CPU %", lambda summary: f"{100 * loop_cpu(summary) / summary.told['loop_s']:.0f}"),
    _told("late_p50"),
    _told("late_p99"),
    _told("late_max"),
    Column("requests/min", lambda summary: f"{60 * summary.requests / summary.told['loop_s']:,.0f}"),
    Column("requests", lambda summary: str(summary.requests)),
    Column("conns", lambda summary: str(summary.connections)),
    Column("open", lambda summary: str(summary.most_open)),
    Column("RSS MB", lambda summary: f"{summary.rss_mb:.0f}"),
    Column("origin CPU s", lambda summary: f"{summary.origin_cpu:.2f}"),
)


LONG_COLUMNS = (
    Column("of those due, %", lambda summary: f"{100 * answered(summary):.1f}" if polls(summary) else ""),
    Column("missed", lambda summary: f"{summary.told.get('missed', 0):,.0f}"),
    Column("grows MB/h", lambda summary: f"{summary.told['grows_mb_h']:.1f}"),
)


def answered(summary: Summary) -> float:
    """Return the polls that were answered, by those that were due: one an interval from the beginning of a wait to the
    end of its job.
    """
    return (polls(summary) - summary.told.get("missed", 0)) / summary.told["due"]


def judged_long(summaries: Sequence[Summary]) -> list[Verdict]:
    """Judge waits that go on for long."""
    found = {summary.contender: summary for summary in summaries}
    return [
        verdict for name in (OURS, LIST) if name in found for verdict in _endured(name, found[name], found.get(IDLE))
    ]


def _endured(name: str, mine: Summary, idle: Summary | None) -> Iterator[Verdict]:
    cost, late, grows = cpu_ms(mine) or 0.0, mine.told["late_p99_ms"], mine.told["grows_mb_h"]
    rest = "" if idle is None else f" (a loop with nothing to do: {idle.told['late_p99_ms']:.1f} ms)"
    yield Verdict(
        target=f"{name}: ≤ {MOST_CPU_MS} ms of processor a poll", seen=f"{cost:.3f} ms", met=cost <= MOST_CPU_MS
    )
    yield Verdict(
        target=f"{name}: the loop is late by ≤ {MOST_LATE_MS:g} ms (p99)",
        seen=f"{late:.1f} ms{rest}",
        met=late <= MOST_LATE_MS,
    )
    yield Verdict(
        target=f"{name}: ≥ {LEAST_POLLS:.0%} of the polls that were due are answered",
        seen=f"{answered(mine):.1%}, {mine.told.get('missed', 0):,.0f} missed",
        met=answered(mine) >= LEAST_POLLS,
    )
    yield Verdict(
        target=f"{name}: memory grows by ≤ {MOST_GROWTH_MB_H:g} MB an hour",
        seen=f"{grows:.1f} MB/h",
        met=grows <= MOST_GROWTH_MB_H if mine.told["loop_s"] >= LEAST_SECONDS else None,
    )


def verdicts(summaries: Sequence[Summary]) -> list[Verdict]:
    """Judge the numbers to design for, in the setup with the most waits that are polled steadily."""
    steady = [summary for summary in summaries if summary.setup.isdigit()]
    largest = max((summary.setup for summary in steady), key=int, default="")
    found = {summary.contender: summary for summary in steady if summary.setup == largest}
    return [verdict for name in (OURS, LIST) for verdict in _judged(name, found)]


def _judged(name: str, found: dict[str, Summary]) -> list[Verdict]:
    target = f"{name}: ≤ {MOST_CPU_MS} ms of processor a poll"
    mine = found.get(name)
    cost = None if mine is None else cpu_ms(mine)
    if mine is None or cost is None:
        return [Verdict(target=target, seen=UNSEEN, met=None)]
    others = [(other, cpu_ms(found[other]) or 0.0) for other in (BASELINE, PLAIN) if other in found]
    compared = "".join(f", {other} {theirs:.3f}" for other, theirs in others)
    late, idle = mine.told["late_p99_ms"], found.get(IDLE)
    rest = "" if idle is None else f" (a loop with nothing to do: {idle.told['late_p99_ms']:.1f} ms)"
    return [
        Verdict(
            target=f"{target}, with {mine.setup} waits in one loop",
            seen=f"{cost:.3f} ms{compared}",
            met=cost <= MOST_CPU_MS,
        ),
        Verdict(
            target=f"{name}: the loop is late by ≤ {MOST_LATE_MS:g} ms (p99)",
            seen=f"{late:.1f} ms{rest}",
            met=late <= MOST_LATE_MS,
        ),
    ]
