"""The press that ends a doubt: who may, that it is kept with name and reason, and that the application is free then."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.models.log import Log
from airflow.utils.session import create_session

from nightshift.lake.store import Lake
from nightshift.promotion.doubts import doubts_in
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.board.records import ONE, T, deploy, record, run_of
from tests.unit.board.test_line import PRESS

API = "api/doubts/settle"


def asked(**more: Any) -> dict[str, Any]:
    return {"application": "portal", "run_id": run_of(1), "task": "TEST.deploy", "reason": "it is not there", **more}


@pytest.fixture
async def doubted(lake: Lake) -> PromotionRecord:
    """A promotion that was given up while nobody knew of its second deployment."""
    steps = deploy("DEV", ONE, 61), deploy("TEST", ONE, 70, StepState.STARTED, asked=T)
    return await Records(lake, "portal").write(record(1, *steps, version=ONE, outcome=PromotionOutcome.ABANDONED))


@pytest.fixture
async def timed_out(lake: Lake) -> PromotionRecord:
    """A promotion whose second deployment went on when its time was over."""
    last = deploy("TEST", ONE, 70, StepState.FAILED, outcome="timed_out", requests=(12001,))
    return await Records(lake, "portal").write(
        record(1, deploy("DEV", ONE, 61), last, version=ONE, outcome=PromotionOutcome.FAILED)
    )


async def kept(lake: Lake) -> PromotionRecord:
    found = await Records(lake, "portal").read(run_of(1))
    assert found is not None
    return found


async def doubts(client: Any) -> list[dict[str, Any]]:
    lanes = (await client.get("api/promotions")).json()["lanes"]
    found: list[dict[str, Any]] = next(one for one in lanes if one["application"] == "portal")["doubts"]
    return found


@pytest.mark.usefixtures("doubted")
async def test_a_doubt_is_ended_in_the_persons_own_name(ada: Any, lake: Lake) -> None:
    (doubt,) = await doubts(ada)
    assert "nobody knows whether FlexDeploy did TEST.deploy 1.1" in doubt["text"]
    found = doubt["settle"]
    assert (found["allowed"], found["danger"], found["calls"][0]["path"]) == (True, True, f"nightshift/board/{API}")
    body = {**found["calls"][0]["body"], "reason": "request 12001 has ended"}
    answer = await ada.post(API, json=body, headers=PRESS)
    assert answer.status_code == 200, answer.text
    assert answer.json()["message"] == f"TEST.deploy of {run_of(1)} is over. The next promotion may begin."
    record = await kept(lake)
    assert doubts_in(record) == []
    step = record.step("TEST.deploy")
    assert step is not None
    assert step.said is not None
    assert (step.said.word, step.said.by, step.said.why) == ("over", "ada", "request 12001 has ended")
    assert await doubts(ada) == []
    with create_session() as session:
        written = session.query(Log).filter(Log.event == "nightshift_settle").one()
        assert (written.owner, written.dag_id) == ("ada", "promote_portal")
    again = await ada.post(API, json=body, headers=PRESS)
    assert (again.status_code, "is not in doubt. Nothing was changed." in again.text) == (409, True)


@pytest.mark.usefixtures("doubted")
async def test_whoever_may_not_trigger_may_not_end_it(eve: Any, lake: Lake) -> None:
    (doubt,) = await doubts(eve)
    assert doubt["settle"]["allowed"] is False
    answer = await eve.post(API, json=asked(), headers=PRESS)
    assert (answer.status_code, "Nothing was changed" in answer.text) == (403, True)
    assert len(doubts_in(await kept(lake))) == 1


async def test_what_is_underway_is_no_persons_to_end(ada: Any, lake: Lake) -> None:
    step = deploy("DEV", ONE, 61, StepState.STARTED, asked=T)
    await Records(lake, "portal").write(record(1, step, version=ONE, outcome=None))
    assert await doubts(ada) == []
    answer = await ada.post(API, json=asked(task="DEV.deploy"), headers=PRESS)
    assert (answer.status_code, "is underway by its record" in answer.text) == (409, True)
    assert len(doubts_in(await kept(lake))) == 1


@pytest.mark.usefixtures("doubted")
@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"reason": ""}, 422),
        ({"reason": " \n "}, 422),
        ({"by": "grace"}, 422),
        ({"task": "DEV.deploy"}, 409),
        ({"run_id": "nobody"}, 409),
        ({"application": "nowhere"}, 404),
    ],
)
async def test_what_names_no_doubt_or_says_nothing_is_refused(
    ada: Any, lake: Lake, more: dict[str, Any], status: int
) -> None:
    assert (await ada.post(API, json=asked(**more), headers=PRESS)).status_code == status
    assert len(doubts_in(await kept(lake))) == 1


@pytest.mark.usefixtures("doubted")
async def test_no_other_site_can_end_it(ada: Any, lake: Lake) -> None:
    for headers in ({}, {**PRESS, "sec-fetch-site": "cross-site"}):
        assert (await ada.post(API, json=asked(), headers=headers)).status_code == 403
    assert len(doubts_in(await kept(lake))) == 1


@pytest.mark.usefixtures("timed_out")
async def test_so_is_the_wait_for_a_request_that_flexdeploy_may_not_show_any_more(ada: Any, lake: Lake) -> None:
    (doubt,) = await doubts(ada)
    assert "Look there for workflow request" in doubt["text"]
    body = {**doubt["settle"]["calls"][0]["body"], "reason": "it was purged"}
    assert (await ada.post(API, json=body, headers=PRESS)).status_code == 200
    step = (await kept(lake)).step("TEST.deploy")
    assert step is not None
    assert step.said is not None
    assert (step.said.word, step.outcome) == ("over", "timed_out")
    assert await doubts(ada) == []
