"""A worker is killed with SIGKILL in the middle of a refresh; the next attempt goes on from what it left behind."""

from __future__ import annotations

import json
from pathlib import Path

from include.standins import FaultKind
from nightshift.tokenflex.oauth import GrantSpent
from tests.crash.tokenflex.renewing import Stage
from tests.crash.tokenflex.renewing import stage as stage_of
from tests.crash.workers import LONG, stands_still
from tests.unit.tokenflex.records import GRANT, JOURNAL, RENEWED, granted, renewed_pair
from tests.unit.tokenflex.sign_in import SignInVendor


def killed_between_answer_and_save(server: SignInVendor, folder: Path) -> Stage:
    stage = stage_of(server, folder, RENEWED)
    stands_still(stage.process)
    stage.kill()
    assert (server.asked, RENEWED in stage.store) == (["refresh_token"], False)
    return stage


def test_a_kill_between_answer_and_save_is_recognised_and_told(server: SignInVendor, tmp_path: Path) -> None:
    stage = killed_between_answer_and_save(server, tmp_path)
    run = stage.next_attempt()
    assert run.state == "failed"
    assert isinstance(run.error, GrantSpent)
    assert "after Autodesk had answered and before the new refresh token was saved" in str(run.error)
    assert "grant access anew" in str(run.error)
    assert json.loads(stage.store[JOURNAL])["outcome"] == "lost"
    stage.store[GRANT] = granted(stage.server, left=600, grant_id="g2")
    assert stage.next_attempt().state == "success"


def test_where_the_old_token_is_still_good_the_chain_goes_on(server: SignInVendor, tmp_path: Path) -> None:
    server.turn(refresh_reuse="allowed")
    stage = killed_between_answer_and_save(server, tmp_path)
    assert stage.next_attempt().state == "success"
    assert renewed_pair(stage.store).refresh_token == stage.server.pairs[-1][1]


def test_a_kill_before_the_question_is_taken_costs_nothing(server: SignInVendor, tmp_path: Path) -> None:
    server.spoil(FaultKind.HOLD)
    stage = stage_of(server, tmp_path)
    server.ledger.wait_for_request(fault=FaultKind.HOLD, within=LONG)
    stage.kill()
    assert stage.next_attempt().state == "success"
    assert stage.server.asked == ["refresh_token"]
