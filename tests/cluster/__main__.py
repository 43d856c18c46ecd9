"""``make crash``: the crash matrix on the real topology. The seed that is printed brings the same cases back.

make crash ARGS="--seed 7 --count 20 --only task --flow flexnet"
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from include.local.airflow import NotStarted
from include.local.cluster.stores import missing
from include.local.rest import FINAL
from nightshift.lake.store import Lake
from tests.cluster.campaign import Campaign
from tests.cluster.carriers import Carrier, carriers_of
from tests.cluster.cases import FLOWS, Case, Victim, drawn
from tests.cluster.oracles import judge, orphans
from tests.cluster.undisturbed import tables_differ
from tests.cluster.world import World

COUNT = 190
TARGET = 150
SECONDS = 1500.0


def main() -> int:
    """Run the campaign; see the module.

    :return: 0: all held; 1: something did not; 2: the cluster did not come up
    """
    options = _options()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    cases = drawn(seed, options.count or None, [Victim(one) for one in options.only], options.flow)
    print(f"seed {seed}: {len(cases)} cases", flush=True)
    if told := missing():
        print(told, file=sys.stderr)
        return 2
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    home = Path(tempfile.mkdtemp(prefix="nightshift-crash-"))
    home.chmod(0o755)
    world = World(home, slots=options.slots, small=options.small)
    os.environ.update(world.airflow.lake)
    carriers = carriers_of(cases)
    try:
        with world:
            say(f"the cluster is up: {world.airflow.url}, admin, {world.airflow.password}; logs in {home}")
            for connection_id, fields in world.connections().items():
                world.airflow.api.put_connection(connection_id, **fields)
            await_dags(world)
            campaign = Campaign(
                world, carriers, random.Random(seed), say, seconds=options.seconds, at_once=options.at_once
            )
            stopped = ended_early(campaign, say)
            if stopped:
                carriers = [one for one in carriers if one.state in FINAL]
            say("judging")
            lake = Lake.from_url(world.airflow.lake["NIGHTSHIFT_LAKE"])
            judge(world, lake, carriers)
            # What a run that was stopped has asked for is in no record yet.
            lost = [] if stopped else orphans(world, lake, carriers)
            with (home / "undisturbed.log").open("w") as log, contextlib.redirect_stdout(log):
                tables_differ(world, lake, carriers, home / "undisturbed")
    except NotStarted as error:
        print(error, file=sys.stderr)
        return 2
    seconds = time.monotonic() - began
    outcome = Outcome(seed, cases, carriers, campaign.struck, lost, campaign.restarts, seconds)
    print(outcome.text(), flush=True)
    if outcome.held and not options.keep:
        shutil.rmtree(home, ignore_errors=True)
    if options.proof or len(outcome.struck) >= TARGET:
        outcome.keep()
    return 0 if outcome.held else 1


def ended_early(campaign: Campaign, say: Callable[[str], None]) -> bool:
    """Run the campaign; return whether a person has stopped it: what has ended by then is judged."""
    try:
        campaign.run()
    except KeyboardInterrupt:
        say("stopped; what has ended is judged")
        return True
    return False


def await_dags(world: World, seconds: float = 180) -> None:
    """Wait until Airflow knows all DAGs.

    :raises NotStarted: it does not
    """
    until, database = time.monotonic() + seconds, world.airflow.postgresql
    while gone := set(world.dag_ids()) - {str(one) for (one,) in database.rows("SELECT dag_id FROM dag")}:
        if (errors := database.rows("SELECT stacktrace FROM import_error")) or time.monotonic() > until:
            raise NotStarted(f"Airflow does not see {sorted(gone)}: {errors}")
        time.sleep(0.5)


class Outcome:
    """What came of a campaign.

    :param struck: case → what struck it in the end
    :param lost: what a vendor made and nobody knows of
    """

    def __init__(
        self,
        seed: int,
        cases: Sequence[Case],
        carriers: Sequence[Carrier],
        struck: dict[Case, Victim],
        lost: Sequence[str],
        restarts: Sequence[str],
        seconds: float,
    ) -> None:
        self.seed, self.cases, self.carriers, self.lost, self.seconds = seed, cases, carriers, lost, seconds
        ended = {case for one in carriers for case in one.cases.values()}
        self.struck = {case: victim for case, victim in struck.items() if case in ended}
        self.restarts = restarts
        self.broken = [one for one in carriers if one.broken]
        self.held = not self.broken and not lost and bool(self.struck)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return victim, operator, cases, held."""
        of = {case: one for one in self.carriers for case in one.cases.values()}
        count: Counter[tuple[str, str]] = Counter()
        held: Counter[tuple[str, str]] = Counter()
        for case, victim in self.struck.items():
            what = (str(victim), f"{case.flow} {case.task}")
            count[what] += 1
            held[what] += not of[case].broken
        return [(*what, str(times), str(held[what])) for what, times in sorted(count.items())]

    def text(self) -> str:
        """Return it for a person."""
        lines = [f"{victim:12} {operator:28} {cases:>4} {held:>4}" for victim, operator, cases, held in self.rows()]
        missed = [case for case in self.cases if case not in self.struck]
        lines += [f"not reached: {case}" for case in missed]
        lines += [
            f"BROKEN {one}: {why}; {', '.join(map(str, one.cases.values()))}"
            for one in self.broken
            for why in one.broken
        ]
        lines += [f"LOST {one}" for one in self.lost]
        doubts = sum(one.doubts for one in self.carriers)
        lines.append(
            f"seed {self.seed}: {len(self.struck)} cases in {len(self.carriers)} runs, {self.seconds:.0f} s; "
            f"{len(missed)} not reached; {doubts} answered by a person; ended by themselves and started again: "
            f"{dict(Counter(self.restarts))}; {'ALL HELD' if self.held else 'NOT HELD'}"
        )
        return "\n".join(lines)

    def keep(self) -> None:
        """Write the proof."""
        from benchmarks.proofs import Figure, Proof, Table, keep

        cases, runs = len(self.struck), len(self.carriers)
        held = sum(int(row[3]) for row in self.rows())
        keep(
            Proof(
                name="crash",
                title="Crash matrix",
                command=f"make crash ARGS='--seed {self.seed}'",
                says="PostgreSQL, Redis, an S3 server, two schedulers, two triggerers, two Celery workers, DAG processor and "
                "API server as processes. Tasks and triggers stand at named points of their operators while a process "
                "is killed with SIGKILL or a store is restarted; a task that is frozen with its supervisor goes on "
                "beside its retry. Judged by the vendors' ledgers (each job once), by tables that equal undisturbed "
                "ones row by row, by records, and by Airflow's database (everything ends). What only a person can tell "
                "is answered from what FlexDeploy has.",
                figures=(
                    Figure(what="cases", value=str(cases), target=f"{TARGET} or more", met=cases >= TARGET),
                    Figure(what="held", value=str(held), target="all", met=held == cases),
                    Figure(what="jobs that nobody knows of", value=str(len(self.lost)), target="0", met=not self.lost),
                    Figure(what="runs", value=str(runs), target="", met=None),
                    Figure(what="minutes", value=f"{self.seconds / 60:.1f}", target="", met=None),
                ),
                tables=(
                    Table(
                        title="By victim and operator",
                        head=("victim", "operator", "cases", "held"),
                        rows=tuple(self.rows()),
                    ),
                ),
                found=FOUND,
            )
        )


FOUND: tuple[str, ...] = (
    "A worker that had been frozen completed its extract after its retry had begun: the retry failed and a person "
    "had to clear it; and it could have put its pages in the place of the retry's. Nothing landed is written over "
    "now, and the retry takes what is complete.",
    "A triggerer that was late with its heartbeat was told, where another one had taken its waits over, that a "
    "person had acted: it asked the vendor to cancel a healthy job.",
    "A promotion whose stage had been rolled back ended green after what had failed before was put right by a "
    "person's word, although the version before it ran there.",
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="draws the cases and their order (default: another each time)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many cases (default: {COUNT}; 0: all)")
    parser.add_argument("--only", action="append", default=[], choices=[str(one) for one in Victim], help="this victim")
    parser.add_argument("--flow", action="append", default=[], choices=list(FLOWS), help="this flow")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which what has not ended is given up")
    parser.add_argument("--slots", type=int, default=12, help="tasks that a worker does at once")
    parser.add_argument("--at-once", type=int, default=12, help="runs underway together")
    parser.add_argument("--small", action="store_true", help="one worker, one scheduler, one triggerer")
    parser.add_argument("--keep", action="store_true", help="leave logs and points where they are")
    parser.add_argument(
        "--proof",
        action="store_true",
        help=f"write the proof for benchmarks/RESULTS.md also of fewer than {TARGET} cases",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
