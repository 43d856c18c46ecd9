"""A renewing worker is frozen with SIGSTOP, others renew or grant meanwhile, and it thaws: nothing newer is
overwritten, no refresh token is used twice, and what only it has been given is not lost.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from include.standins import FaultKind
from tests.crash.tokenflex.renewing import Stage
from tests.crash.tokenflex.renewing import stage as stage_of
from tests.crash.workers import stands_still, until
from tests.unit.tokenflex.records import GRANT, JOURNAL, RENEWED, granted, renewed_pair
from tests.unit.tokenflex.sign_in import SignInVendor


def frozen_with_the_question_answered(server: SignInVendor, folder: Path) -> Stage:
    """Freeze it while the answer to its question is on its way."""
    server.spoil(FaultKind.HOLD_ANSWER)
    stage = stage_of(server, folder)
    until(lambda: server.asked, "it asks")
    os.kill(stage.process.pid, signal.SIGSTOP)
    stands_still(stage.process)
    server.release()
    return stage


def stored(stage: Stage) -> tuple[str, str]:
    return json.loads(stage.store[RENEWED])["grant_id"], renewed_pair(stage.store).refresh_token


def test_frozen_before_its_question_it_uses_no_token_that_was_used_meanwhile(
    server: SignInVendor, tmp_path: Path
) -> None:
    stage = stage_of(server, tmp_path, JOURNAL)
    stands_still(stage.process)
    assert stage.next_attempt().state == "success"
    newest = stored(stage)
    stage.thaw()
    assert stage.server.asked == ["refresh_token"]
    assert stored(stage) == newest == ("g1", stage.server.pairs[-1][1])


def test_frozen_with_an_answer_it_does_not_overwrite_a_newer_pair(server: SignInVendor, tmp_path: Path) -> None:
    server.turn(refresh_reuse="allowed")
    stage = frozen_with_the_question_answered(server, tmp_path)
    assert stage.next_attempt().state == "success"
    newest = stored(stage)
    assert newest == ("g1", stage.server.pairs[-1][1])
    stage.thaw()
    assert stored(stage) == newest
    assert len(stage.server.asked) == 2


def test_frozen_with_an_answer_it_does_not_overwrite_what_follows_from_a_newer_grant(
    server: SignInVendor, tmp_path: Path
) -> None:
    stage = frozen_with_the_question_answered(server, tmp_path)
    stage.store[GRANT] = granted(stage.server, left=600, grant_id="g2")
    assert stage.next_attempt().state == "success"
    newest = stored(stage)
    assert newest[0] == "g2"
    stage.thaw()
    assert stored(stage) == newest


def test_frozen_with_the_only_good_answer_it_heals_what_the_successor_called_lost(
    server: SignInVendor, tmp_path: Path
) -> None:
    stage = frozen_with_the_question_answered(server, tmp_path)
    assert stage.next_attempt().state == "failed"
    assert json.loads(stage.store[JOURNAL])["outcome"] == "lost"
    assert stage.thaw() == "success"
    assert stored(stage) == ("g1", stage.server.pairs[-1][1])
    assert stage.next_attempt().state == "skipped"
