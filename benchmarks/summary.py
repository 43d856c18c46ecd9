"""What the trials of a case come to: medians, net rates, and ratios between contenders of the same run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contest import NOTHING, Case, Contender, Setup
from benchmarks.measure import Cost
from benchmarks.rounds import Trial

NOISE = 0.25
"""Of the start-up: a run that is longer by less than this says nothing about its speed, whatever the division gives."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Medians of one contender, or of one step of it, in one setup.

    :param step: name of the step; empty for the contender as a whole
    :param makes: what it leaves behind
    :param runs: trials that count
    :param wall: seconds from start to exit
    :param start_up: the same with the small run; ``None`` where there was none
    :param rate: units a second, net of the start-up; ``None`` where the run was too short to tell, or brings nothing
        home
    :param ratio: that rate as a multiple of the baseline's in the same run; the same number of units divided by both
        times
    :param cpu: seconds of processor
    :param cpu_rate: units a second of processor, net of the start-up; steadier than ``rate`` where the machine is busy
    :param cpu_ratio: as ``ratio``, of processor
    :param rss_mb: peak memory, the largest of its processes
    :param most_open: connections open at a time, at most
    :param origin_cpu: seconds of processor of the origin
    :param told: medians of what the programs told of themselves
    """

    setup: str
    contender: str
    step: str
    makes: str
    runs: int
    wall: float
    start_up: float | None
    rate: float | None
    ratio: float | None
    cpu: float
    cpu_rate: float | None
    cpu_ratio: float | None
    rss_mb: float
    connections: int
    requests: int
    most_open: int
    origin_cpu: float
    told: Mapping[str, float]


def summarize(case: Case, setup: Setup, trials: Sequence[Trial]) -> list[Summary]:
    """Return the summaries of a setup: a line for each contender, and one a step where it has several."""
    good = [trial for trial in trials if trial.setup == setup.name and not trial.problem]
    base = {of: _baseline(case, setup, good, of) for of in ("wall", "cpu")}
    lines = []
    for contender in case.contenders:
        mine = [trial for trial in good if trial.contender == contender.name]
        if mine:
            several = range(len(contender.steps)) if len(contender.steps) > 1 else ()
            lines += [_line(setup, contender, mine, base, step) for step in (None, *several)]
    return lines


def _baseline(case: Case, setup: Setup, good: Sequence[Trial], of: str) -> dict[int, float]:
    """Return the net seconds of the baseline in each round; none where they are noise."""
    mine = [trial for trial in good if trial.contender == case.baseline]
    if not mine or _rate(setup, mine, None, of) is None:
        return {}
    return {trial.run: _net(trial, None, of) for trial in mine}


def _line(
    setup: Setup,
    contender: Contender,
    trials: Sequence[Trial],
    base: Mapping[str, Mapping[int, float]],
    step: int | None,
) -> Summary:
    full = [_costs(trial.full, step) for trial in trials]
    small = [_costs(trial.small, step) for trial in trials if trial.small]
    counts = contender.steps[-1].sink != NOTHING
    rates = {of: _rate(setup, trials, step, of) if counts else None for of in base}
    return Summary(
        setup=setup.name,
        contender=contender.name,
        step="" if step is None else contender.steps[step].name,
        makes=contender.steps[-1 if step is None else step].makes,
        runs=len(trials),
        wall=round(median(_total(costs, "wall") for costs in full), 3),
        start_up=round(median(_total(costs, "wall") for costs in small), 3) if small else None,
        rate=rates["wall"],
        ratio=_ratio(trials, step, "wall", base["wall"]) if rates["wall"] else None,
        cpu=round(median(_total(costs, "cpu") for costs in full), 3),
        cpu_rate=rates["cpu"],
        cpu_ratio=_ratio(trials, step, "cpu", base["cpu"]) if rates["cpu"] else None,
        rss_mb=max(cost.rss_mb for costs in full for cost in costs),
        connections=max(sum(cost.connections for cost in costs) for costs in full),
        requests=max(sum(cost.requests for cost in costs) for costs in full),
        most_open=max(cost.most_open for costs in full for cost in costs),
        origin_cpu=round(median(_total(costs, "origin_cpu") for costs in full), 3),
        told=_told(full),
    )


def _told(trials: Sequence[Sequence[Cost]]) -> dict[str, float]:
    each = [{name: value for cost in costs for name, value in cost.told.items()} for costs in trials]
    return {name: median(one[name] for one in each) for name in each[0] if all(name in one for one in each)}


def _rate(setup: Setup, trials: Sequence[Trial], step: int | None, of: str) -> float | None:
    """Return units a second, net of the start-up and of the small run's own units; ``None`` where the net is noise."""
    units = setup.units - (setup.small_units or 0)
    net = median(_net(trial, step, of) for trial in trials)
    start_up = median(_total(_costs(trial.small, step), of) for trial in trials)
    return round(units / net) if net > 0 and net >= NOISE * start_up else None


def _ratio(trials: Sequence[Trial], step: int | None, of: str, base: Mapping[int, float]) -> float | None:
    """Return how many times the baseline it is, by round; a round in which the own net is noise says nothing."""
    nets = [(base[trial.run], _net(trial, step, of)) for trial in trials if trial.run in base]
    ratios = [theirs / mine for theirs, mine in nets if mine > 0]
    return round(median(ratios), 2) if ratios else None


def _net(trial: Trial, step: int | None, of: str) -> float:
    return _total(_costs(trial.full, step), of) - _total(_costs(trial.small, step), of)


def _costs(costs: Sequence[Cost], step: int | None) -> Sequence[Cost]:
    return costs if step is None else costs[step : step + 1]


def _total(costs: Sequence[Cost], of: str) -> float:
    return sum(float(getattr(cost, of)) for cost in costs)
