"""The press that revokes a version: who may, what it says will happen, and that it is of what the person saw."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.models.log import Log
from airflow.utils.session import create_session

from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionRecord, Verdict
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord
from tests.unit.board.records import ONE, TWO, T, deploy, promoted, record, run_of, step
from tests.unit.board.test_line import PRESS


def asked(**more: Any) -> dict[str, Any]:
    found = {
        "application": "portal",
        "stage": "TEST",
        "run_id": run_of(1),
        "version_id": ONE.id,
        "reason": "it is slow",
    }
    return {**found, **more}


async def press(client: Any, stage: str = "TEST") -> Any:
    lanes = (await client.get("api/promotions")).json()["lanes"]
    portal = next(one for one in lanes if one["application"] == "portal")
    return next(one for one in portal["stages"] if one["label"] == stage)["revoke"]


async def kept(lake: Lake) -> PromotionRecord:
    found = await Records(lake, "portal").read(run_of(1))
    assert found is not None
    return found


async def test_a_version_is_revoked_in_the_persons_own_name(ada: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    found = await press(ada)
    assert (found["allowed"], found["danger"], found["calls"][0]["path"]) == (True, True, "nightshift/board/api/revoke")
    assert "1.1 (id 1) goes to no stage of portal any more" in found["says"]
    assert "its promotion has ended, and nothing is brought back by itself" in found["says"]
    assert "trigger promote_portal with Version and From stage TEST" in found["says"]
    body = {**found["calls"][0]["body"], "reason": "the invoices are empty"}
    answer = await ada.post("api/revoke", json=body, headers=PRESS)
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"].startswith("1.1 (id 1) is revoked. TEST goes on running it")
    (said,) = (await kept(lake)).verdicts
    told = (said.stage, said.version, said.word, said.by, said.seen)
    assert told == ("TEST", ONE, VerdictWord.REFUTED, "ada", "the invoices are empty")
    assert await press(ada) is None
    with create_session() as session:
        written = session.query(Log).filter(Log.event == "nightshift_revoke").one()
        assert (written.owner, written.dag_id) == ("ada", "promote_portal")
        assert "the invoices are empty" in written.extra


async def test_a_soak_that_it_ends_is_told_with_what_follows(ada: Any, config: Any, lake: Lake) -> None:
    file = config / "promotions.yaml"
    file.write_text(file.read_text().replace("- environment: DEV", "- {environment: DEV, soak: 2h, on_failure: stop}"))
    soak = step("DEV.soak", StepKind.SOAK, 62, StepState.STARTED)
    await Records(lake, "portal").write(record(1, deploy("DEV", ONE, 61), soak, outcome=None, version=ONE))
    assert "Its soak in DEV ends, and the stage stays as it is." in (await press(ada, "DEV"))["says"]


async def test_where_nothing_runs_or_it_is_known_to_be_bad_there_is_nothing_to_press(ada: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    assert await press(ada, "PROD") is None


async def test_whoever_may_not_trigger_may_not_revoke(eve: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    found = await press(eve)
    assert (found["allowed"], found["needs"]) == (False, "permission to trigger the promotions of this application")
    answer = await eve.post("api/revoke", json=asked(), headers=PRESS)
    assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
    assert "Nothing was changed" in answer.json()["detail"]
    assert (await kept(lake)).verdicts == ()


async def test_another_teams_application_cannot_be_named(eve: Any, ada: Any, lake: Lake) -> None:
    await Records(lake, "secret_one").write(promoted(1, ONE).changed(application="secret_one"))
    assert (await eve.post("api/revoke", json=asked(application="secret_one"), headers=PRESS)).status_code == 404
    assert (await ada.post("api/revoke", json=asked(application="nowhere"), headers=PRESS)).status_code == 404


async def test_only_what_the_person_saw_is_revoked(ada: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    await Records(lake, "portal").write(promoted(2, TWO))
    answer = await ada.post("api/revoke", json=asked(), headers=PRESS)
    assert answer.status_code == 409
    assert "TEST runs 1.2 (id 2) by now. Nothing was changed." in answer.json()["detail"]
    assert (await ada.post("api/revoke", json=asked(stage="PROD"), headers=PRESS)).status_code == 404
    assert (await kept(lake)).verdicts == ()


def checked(word: VerdictWord) -> Verdict:
    return Verdict(task="TEST.verify.probe", kind=StepKind.VERIFICATION, stage="TEST", version=TWO, word=word, at=T)


async def test_after_a_roll_back_what_was_brought_back_is_revoked(ada: Any, lake: Lake) -> None:
    back = step("roll_back.deploy", StepKind.ROLL_BACK, 75, version=ONE).changed(stage="TEST")
    brought = record(1, deploy("TEST", TWO, 70), back, version=TWO, verdicts=(checked(VerdictWord.REFUTED),))
    await Records(lake, "portal").write(brought)
    found = await press(ada)
    assert found["label"] == "Revoke 1.1"
    answer = await ada.post("api/revoke", json={**found["calls"][0]["body"], "reason": "slow"}, headers=PRESS)
    assert answer.json()["message"].startswith("1.1 (id 1) is revoked. TEST goes on running it"), answer.text
    assert [(one.version, one.by) for one in (await kept(lake)).verdicts] == [(TWO, None), (ONE, "ada")]
    assert await press(ada) is None


@pytest.mark.parametrize(
    ("words", "is_there"),
    [
        ((VerdictWord.REFUTED,), False),
        ((VerdictWord.REFUTED, VerdictWord.VERIFIED), True),
        ((VerdictWord.VERIFIED,), True),
    ],
)
async def test_a_check_that_holds_again_leaves_the_press(
    ada: Any, lake: Lake, words: tuple[VerdictWord, ...], is_there: bool
) -> None:
    await Records(lake, "portal").write(promoted(1, TWO, verdicts=tuple(map(checked, words))))
    assert (await press(ada) is not None) == is_there


@pytest.mark.parametrize("more", [{"reason": ""}, {"reason": " \n "}, {"version_id": "x"}, {"by": "grace"}])
async def test_what_says_nothing_is_refused(ada: Any, lake: Lake, more: dict[str, Any]) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    assert (await ada.post("api/revoke", json=asked(**more), headers=PRESS)).status_code == 422
    assert (await kept(lake)).verdicts == ()


async def test_no_other_site_can_revoke(ada: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    for headers in ({}, {**PRESS, "sec-fetch-site": "cross-site"}):
        assert (await ada.post("api/revoke", json=asked(), headers=headers)).status_code == 403
    assert (await kept(lake)).verdicts == ()
