"""Who has answered a question is seen by whoever may read the questions of the application, as text and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from starlette.applications import Starlette

from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionRecord, PromotionStep, RecordedAnswer
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import StepKind
from tests.unit.board.conftest import browser
from tests.unit.promotion import records as promotions

T = datetime(2026, 11, 20, 12, 3, tzinfo=UTC)
RUN = "manual__2026-11-20T12:00:00+00:00"
PLACE = f"questions/portal/{RUN.replace('+', '%2B')}/TEST.approve.svg"


def said(name: str, **more: Any) -> RecordedAnswer:
    return RecordedAnswer.model_validate({"person": name, "name": name, "word": "yes", "at": T, "terms": "t", **more})


async def put(lake: Lake, *answers: RecordedAnswer, application: str = "portal") -> None:
    step = PromotionStep(
        task="TEST.approve", kind=StepKind.APPROVAL, stage="TEST", started=T, terms="t", answers=answers
    )
    record = PromotionRecord(
        application=application, dag_id=f"promote_{application}", run_id=RUN, opened=T, steps=(step,)
    )
    await promotions.put(Records(lake, application), record)


def damage(lake: Lake) -> None:
    [path] = Path(lake.url.removeprefix("file://")).rglob("promotions/portal/*.json")
    path.write_text("{")


def texts(svg: str) -> str:
    return " ".join(one.text or "" for one in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))


async def test_it_shows_who_has_answered_what(lake: Lake, ada: Any) -> None:
    await put(lake, said("ann"), said("<b>bob</b>\x00", word="no", reason="<script>"), said("eve", terms="old"))
    answer = await ada.get(PLACE)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert texts(answer.text) == (
        "ann: yes, 2026-11-20 12:03 UTC <b>bob</b>\ufffd: no: <script>, 2026-11-20 12:03 UTC "
        "eve: yes, 2026-11-20 12:03 UTC (to something else, so it does not count)"
    )


async def test_it_says_at_a_glance_how_many_more_have_to(lake: Lake, ada: Any, config: Path) -> None:
    file = config / "promotions.yaml"
    several = "approval: {hours: 24, users: [ann, bob, eve], at_least: 3}"
    file.write_text(file.read_text().replace("approval: {hours: 24}", several))
    await put(lake)
    assert texts((await ada.get(PLACE)).text) == "0 of 3 approved; 3 more have to Nobody has answered yet."
    await put(lake, said("ann"), said("bob", word="no"))
    assert texts((await ada.get(PLACE)).text).startswith(
        "1 of 3 approved: ann; 2 more have to bob said no without a reason: give one, or change it ann: yes"
    )


async def test_it_says_whose_answer_does_not_count(lake: Lake, ada: Any, config: Path) -> None:
    file = config / "promotions.yaml"
    file.write_text(file.read_text().replace("approval: {hours: 24}", "approval: {hours: 24, users: [ann]}"))
    await put(lake, said("bob"), said("ann"))
    assert texts((await ada.get(PLACE)).text) == (
        "bob: yes, 2026-11-20 12:03 UTC (not named in the approval, so it does not count) ann: yes, 2026-11-20 12:03 "
        "UTC"
    )


async def test_it_says_that_nobody_has_answered_or_was_asked(lake: Lake, ada: Any) -> None:
    assert texts((await ada.get(PLACE)).text) == "Nobody has been asked yet."
    await put(lake)
    assert texts((await ada.get(PLACE)).text) == "Nobody has answered yet."


async def test_a_record_that_cannot_be_read_is_told(lake: Lake, ada: Any) -> None:
    await put(lake)
    damage(lake)
    assert "cannot be read" in texts((await ada.get(PLACE)).text)


async def test_nobody_else_sees_it(lake: Lake, app: Starlette, ada: Any, eve: Any, lin: Any) -> None:
    await put(lake, said("ann"), application="secret_one")
    assert (await eve.get(PLACE.replace("portal", "secret_one"))).status_code == 404
    assert (await ada.get(PLACE.replace("portal", "nothing"))).status_code == 404
    async with browser(app) as anonymous:
        assert (await anonymous.get(PLACE)).status_code == 401
    await put(lake, said("ann"))
    assert "ann" in (await eve.get(PLACE)).text
    refused = await lin.get(PLACE)
    assert (refused.status_code, "ann" in refused.text) == (403, False), "nor who may not read the DAG's questions"
