"""``nightshift settle``: what a promotion left in doubt is over, by the word of somebody who looked."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path

from nightshift.lake.store import Lake
from nightshift.promotion.doubts import doubts_of
from nightshift.promotion.store import Records
from nightshift.promotion.turns import Turns, Waiter
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_hold import PROMOTIONS
from tests.unit.promotion.records import deploy, record


def test_a_doubt_is_ended_by_whoever_is_at_the_terminal(run: Run, config: Path, lake: Lake) -> None:
    (config / "promotions.yaml").write_text(PROMOTIONS)
    records, turns = Records(lake, "portal"), Turns(lake, "portal")
    left = record(deploy("DEV", state=StepState.STARTED, asked=record().opened), run_id="r1", turn=1)
    asyncio.run(turns.take(Waiter(run_id="r1", night=None, opened=left.opened), None))
    asyncio.run(records.write(left))
    underway = run("settle", "portal", "DEV.deploy", "--reason", "it has ended", "--yes")
    assert (underway.exit_code, "is underway by its record" in underway.output) == (3, True), underway.output
    closed = asyncio.run(records.read("r1"))
    assert closed is not None
    asyncio.run(records.write(closed.close(PromotionOutcome.ABANDONED, "its run ended")))

    other = run("settle", "portal", "TEST.deploy", "--reason", "it has ended", "--yes")
    assert (other.exit_code, "TEST.deploy of portal is not in doubt (DEV.deploy)" in other.output) == (3, True)
    assert run("settle", "portl", "DEV.deploy", "--reason", "it has ended", "--yes").exit_code == 2
    assert run("settle", "portal", "DEV.deploy", "--reason", " ", "--yes").exit_code == 3
    asked = run("settle", "portal", "DEV.deploy", "--reason", "it has ended")
    assert (asked.exit_code, len(asyncio.run(doubts_of(records, turns)))) == (1, 1)

    told = run("settle", "portal", "DEV.deploy", "--reason", "it has ended", "--yes", "--json")
    assert told.exit_code == 0, told.output
    shown = json.loads(told.stdout)
    assert (shown["run_id"], shown["task"], shown["said"]["word"]) == ("r1", "DEV.deploy", "over")
    assert shown["said"]["by"].startswith(f"{getpass.getuser()}@")
    assert asyncio.run(doubts_of(records, turns)) == []
