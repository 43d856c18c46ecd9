"""``nightshift revoke``: what a person found to be bad goes to no stage any more."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path

from nightshift.lake.store import Lake
from nightshift.promotion.revoked import revocation_of
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import VerdictWord
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_hold import PROMOTIONS
from tests.unit.promotion.records import NEW, OLD, deploy, record, step


def test_what_runs_in_a_stage_is_revoked_by_whoever_is_at_the_terminal(run: Run, config: Path, lake: Lake) -> None:
    (config / "promotions.yaml").write_text(PROMOTIONS)
    records = Records(lake, "portal")
    asyncio.run(records.write(record(deploy("DEV"), run_id="r1")))
    nobody = run("revoke", "portal", "TEST", "--reason", "slow", "--yes")
    assert (nobody.exit_code, "no record tells what runs in TEST" in nobody.output) == (3, True)
    assert run("revoke", "portl", "DEV", "--reason", "slow", "--yes").exit_code == 2
    assert run("revoke", "portal", "DEV", "--reason", "slow").exit_code == 1
    assert run("revoke", "portal", "DEV", "--reason", " ", "--yes").exit_code == 3
    told = run("revoke", "portal", "DEV", "--reason", "invoices are empty", "--yes", "--json")
    assert told.exit_code == 0, told.output
    shown = json.loads(told.stdout)
    assert (shown["run_id"], shown["verdict"]["seen"]) == ("r1", "invoices are empty")
    found = asyncio.run(records.read("r1"))
    assert found is not None
    [verdict] = found.verdicts
    assert (verdict.word, verdict.version) == (VerdictWord.REFUTED, NEW)
    assert str(verdict.by).startswith(f"{getpass.getuser()}@")
    other = record(run_id="r2", version=NEW)
    assert asyncio.run(revocation_of(records, NEW, other)) is not None


def test_after_a_roll_back_what_was_brought_back_is_shown_and_revoked(run: Run, config: Path, lake: Lake) -> None:
    (config / "promotions.yaml").write_text(PROMOTIONS)
    records = Records(lake, "portal")
    back = step("roll_back.deploy", 9, stage="DEV", version=OLD)
    asyncio.run(records.write(record(deploy("DEV"), back, run_id="r1")))
    asked = run("revoke", "portal", "DEV", "--reason", "slow")
    assert "Revoke 1.0.1 (id 30001) of portal?" in asked.output
    told = run("revoke", "portal", "DEV", "--reason", "slow", "--yes")
    assert (told.exit_code, "revoked: 1.0.1 (id 30001)" in told.output) == (0, True), told.output
    other = record(run_id="r2")
    assert asyncio.run(revocation_of(records, OLD, other)) is not None
    assert asyncio.run(revocation_of(records, NEW, other)) is None
