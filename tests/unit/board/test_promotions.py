"""The lanes and the time line: what the records tell, whatever is kept beside them, to who may read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.board.models import Lane, Lanes, LaneStage, PromotionLine, StageState, TimeLine, WaitFor
from nightshift.lake.store import Lake
from nightshift.promotion.index import keep_index
from nightshift.promotion.record import Verdict
from nightshift.promotion.store import Records
from nightshift.promotion.target import Target
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState, VerdictWord
from tests.unit.board.conftest import browser
from tests.unit.board.records import ONE, THREE, TWO, T, deploy, promoted, record, run_of, step

EVIL = "<script>alert(1)</script>"


async def lanes(client: Any) -> Lanes:
    answer = await client.get("api/promotions")
    assert answer.status_code == 200, answer.text
    return Lanes.model_validate_json(answer.content)


async def lane(client: Any, name: str = "portal") -> Lane:
    return next(one for one in (await lanes(client)).lanes if one.application == name)


async def stage(client: Any, label: str) -> LaneStage:
    return next(one for one in (await lane(client)).stages if one.label == label)


@pytest.mark.parametrize("path", ["promotions", "promotions/portal", "figures", "incidents", "holds"])
async def test_anonymous_gets_nothing(app: Any, lake: Lake, path: str) -> None:
    async with browser(app) as client:
        assert (await client.get(f"api/{path}")).status_code == 401


async def test_another_teams_application_is_not_there(ada: Any, eve: Any, lake: Lake) -> None:
    await Records(lake, "secret_one").write(promoted(1, ONE).changed(application="secret_one"))
    assert [one.application for one in (await lanes(ada)).lanes] == ["portal", "secret_one"]
    assert [one.application for one in (await lanes(eve)).lanes] == ["portal"]
    for path in ("promotions/secret_one", "promotions/nowhere"):
        assert (await eve.get(f"api/{path}")).status_code == 404
    assert "secret_one" not in (await eve.get("api/figures")).text
    assert "secret_one" not in (await eve.get("api/holds")).text


async def test_a_lane_says_what_runs_where_and_by_whom(ada: Any, lake: Lake) -> None:
    records = Records(lake, "portal")
    approve = step("TEST.approve", StepKind.APPROVAL, 65, by="grace", outcome="Approve")
    first = record(1, deploy("DEV", ONE, 61), approve, deploy("TEST", ONE, 70, url="https://fd.test/x"), version=ONE)
    await records.write(first)
    await records.write(record(2, deploy("DEV", TWO, 121), version=TWO, stages=("DEV",)))
    await records.write(record(3, deploy("DEV", THREE, 181), version=THREE, stages=("DEV",)))
    found = await lane(ada)
    dev, test, prod = found.stages
    assert (dev.version and dev.version.name, dev.night, dev.state, dev.behind) == ("1.3", "2026-11-22", "deployed", 0)
    assert (test.version and test.version.id, test.approved_by, test.behind) == (1, "grace", 2)
    assert (test.run_id, next(one.href for one in test.links)) == (run_of(1), "https://fd.test/x")
    assert (prod.state, prod.version, prod.behind) == (StageState.NEVER, None, 1)
    assert (found.last and found.last.run_id, found.description) == (run_of(3), "The <portal>.")
    assert found.after == ("flexnet/entitlement", "flexnet/usage")


async def test_what_was_brought_to_another_environment_of_that_name_does_not_run_there(ada: Any, lake: Lake) -> None:
    here = Target(connection="flexdeploy_default", server="fd", project_id=10101)
    dev, test = here.changed(environment="DEV"), here.changed(environment="OLD_TEST")
    steps = deploy("DEV", ONE, 61, target=dev), deploy("TEST", ONE, 70, target=test)
    await Records(lake, "portal").write(record(1, *steps, version=ONE))
    found = {one.label: one for one in (await lane(ada)).stages}
    assert (found["DEV"].version and found["DEV"].version.id, found["DEV"].text) == (ONE.id, "")
    assert (found["TEST"].version, found["TEST"].state, found["TEST"].revoke) == (None, StageState.NEVER, None)
    assert found["TEST"].text.endswith("is of environment OLD_TEST, not environment TEST")


async def test_what_is_under_way_says_what_it_waits_for(ada: Any, lake: Lake) -> None:
    approve = step("TEST.approve", StepKind.APPROVAL, 130, StepState.STARTED)
    await Records(lake, "portal").write(record(2, deploy("DEV", TWO, 121), approve, outcome=None, version=TWO))
    found = await lane(ada)
    waiting = found.under_way[0].waiting
    assert waiting is not None
    assert (waiting.kind, waiting.until) == (WaitFor.APPROVAL, approve.started + timedelta(hours=24))
    assert waiting.link is not None
    assert waiting.link.href.endswith("/tasks/TEST.approve/required_actions")
    test = found.stages[1]
    assert (test.coming and test.coming.name, test.waiting and test.waiting.kind) == ("1.2", WaitFor.APPROVAL)
    assert found.stages[0].version == test.coming


async def test_a_step_taken_since_is_seen_though_nothing_was_kept_of_it(ada: Any, lake: Lake) -> None:
    """Steps are written to the record alone; what is kept beside it is of the promotion's begin."""
    records = Records(lake, "portal")
    begun = record(2, outcome=None, version=TWO)
    begun = await records.write(begun)
    await keep_index(records)
    assert (await stage(ada, "DEV")).state is StageState.NEVER
    await records.write(begun.with_step(deploy("DEV", TWO, 121)))
    dev = await stage(ada, "DEV")
    assert (dev.state, dev.version and dev.version.id) == (StageState.DEPLOYED, 2)


async def test_what_a_later_turn_brought_runs_there_although_its_clock_was_behind(ada: Any, lake: Lake) -> None:
    records = Records(lake, "portal")
    await records.write(record(1, deploy("DEV", ONE, 130, order=(1, 2)), version=ONE, stages=("DEV",)))
    begun = await records.write(record(2, outcome=None, version=TWO))
    await keep_index(records)
    await records.write(begun.with_step(deploy("DEV", TWO, 121, order=(2, 2))))
    dev = await stage(ada, "DEV")
    assert (dev.state, dev.version and dev.version.id) == (StageState.DEPLOYED, 2)


@pytest.mark.parametrize(
    ("steps", "more", "wanted"),
    [
        ([deploy("DEV", ONE, 61, StepState.STARTED)], {"outcome": None}, StageState.DEPLOYING),
        (
            [deploy("DEV", ONE, 61, StepState.FAILED, requests=(501,))],
            {"outcome": PromotionOutcome.FAILED},
            StageState.FAILED,
        ),
        ([deploy("DEV", ONE, 61, StepState.FAILED)], {"outcome": PromotionOutcome.FAILED}, StageState.NEVER),
        (
            [deploy("DEV", ONE, 61, StepState.FAILED, asked=T)],
            {"outcome": PromotionOutcome.FAILED},
            StageState.IN_DOUBT,
        ),
        ([deploy("DEV", ONE, 61)], {"due": {"DEV": ("DEV.verify",)}, "outcome": None}, StageState.VERIFYING),
        (
            [deploy("DEV", ONE, 61), step("DEV.verify", StepKind.VERIFICATION, 63)],
            {"due": {"DEV": ("DEV.verify",)}},
            StageState.VERIFIED,
        ),
        (
            [deploy("DEV", ONE, 61), step("DEV.soak", StepKind.SOAK, 63, StepState.STARTED)],
            {"due": {"DEV": ("DEV.soak",)}, "outcome": None},
            StageState.SOAKING,
        ),
        (
            [deploy("DEV", ONE, 61), step("DEV.verify", StepKind.VERIFICATION, 63, StepState.FAILED)],
            {"outcome": PromotionOutcome.FAILED},
            StageState.VERIFICATION_FAILED,
        ),
        (
            [deploy("DEV", TWO, 61), step("DEV.roll_back", StepKind.ROLL_BACK, 63, version=ONE)],
            {"outcome": PromotionOutcome.ROLLED_BACK},
            StageState.ROLLED_BACK,
        ),
        # A clear has deployed it anew after the roll-back.
        (
            [deploy("DEV", TWO, 65), step("DEV.roll_back", StepKind.ROLL_BACK, 63, version=ONE)],
            {},
            StageState.DEPLOYED,
        ),
    ],
)
async def test_how_it_stands_with_a_stage(ada: Any, lake: Lake, steps: Any, more: Any, wanted: StageState) -> None:
    await Records(lake, "portal").write(record(1, *steps, version=ONE, **more))
    assert (await stage(ada, "DEV")).state is wanted


async def test_a_refuted_version_is_not_verified(ada: Any, lake: Lake) -> None:
    """Whatever its tasks were marked as."""
    refuted = Verdict(
        task="DEV.verify",
        kind=StepKind.VERIFICATION,
        stage="DEV",
        version=ONE,
        word=VerdictWord.REFUTED,
        at=T,
        seen="503",
    )
    steps = (deploy("DEV", ONE, 61), step("DEV.verify", StepKind.VERIFICATION, 63))
    await Records(lake, "portal").write(
        record(1, *steps, version=ONE, due={"DEV": ("DEV.verify",)}, verdicts=(refuted,))
    )
    dev = await stage(ada, "DEV")
    assert (dev.state, "503" in dev.text) == (StageState.VERIFICATION_FAILED, True)


@pytest.mark.parametrize("damage", ["gone", "garbage", "another version"])
async def test_what_is_kept_beside_the_records_proves_nothing(ada: Any, lake: Lake, damage: str) -> None:
    records = Records(lake, "portal")
    await records.write(promoted(1, ONE))
    await keep_index(records)
    kept = Path(lake.url.removeprefix("file://")) / "promotions/portal/standing"
    text = kept.read_bytes()
    match damage:
        case "gone":
            kept.unlink()
        case "garbage":
            kept.write_bytes(b"{]")
        case "another version":
            kept.write_bytes(text.replace(b'"DEV":[1,"1.1"', b'"DEV":[9,"9.9"'))
            assert kept.read_bytes() != text
    dev = await stage(ada, "DEV")
    assert dev.version is not None
    assert (dev.version.id, dev.version.name) == (1, "1.1")


async def test_a_record_that_cannot_be_read_is_told_and_hides_no_other(ada: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    (Path(lake.url.removeprefix("file://")) / "promotions/portal/broken.json").write_text("{]")
    found = await lanes(ada)
    assert (await stage(ada, "DEV")).version is not None
    assert [(one.part, one.of) for one in found.troubles] == [("promotions", "portal")]
    assert "broken.json" in found.troubles[0].text


async def test_the_time_line_comes_in_pages(ada: Any, lake: Lake) -> None:
    records = Records(lake, "portal")
    for number in range(33):
        opened = T + number * timedelta(minutes=1)
        await records.write(
            record(1, run_id=f"run-{number:02d}", outcome=PromotionOutcome.NO_CHANGES, opened=opened, closed=opened)
        )
    first = TimeLine.model_validate_json((await ada.get("api/promotions/portal")).content)
    second = TimeLine.model_validate_json(
        (await ada.get("api/promotions/portal", params={"before": first.before})).content
    )
    assert [one.run_id for one in (*first.promotions, *second.promotions)] == [
        f"run-{n:02d}" for n in range(32, -1, -1)
    ]
    assert (len(first.promotions), second.before) == (30, None)
    assert (await ada.get("api/promotions/portal", params={"before": "yesterday"})).status_code == 422


async def test_of_a_time_line_only_what_has_changed_is_read_again(
    ada: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(lake, "portal")
    for number in (1, 2):
        await records.write(promoted(number, ONE))
    begun = await records.write(record(3, outcome=None, version=TWO))
    asked: list[str] = []
    read = Records.read

    async def counted(self: Records, run_id: str) -> Any:
        asked.append(run_id)
        return await read(self, run_id)

    monkeypatch.setattr(Records, "read", counted)

    async def shown() -> tuple[PromotionLine, ...]:
        asked.clear()
        return TimeLine.model_validate_json((await ada.get("api/promotions/portal")).content).promotions

    first = await shown()
    assert [one.run_id for one in first] == [run_of(3), run_of(2), run_of(1)]
    assert await shown() == first
    again = len(asked)
    await records.write(begun.with_step(deploy("DEV", TWO, 181)))
    later = await shown()
    assert ([step.task for step in later[0].steps], later[1:]) == (["DEV.deploy"], first[1:])
    assert len(asked) == again + 1


async def test_whatever_a_record_says_is_text_and_no_link(ada: Any, lake: Lake) -> None:
    bad = ONE.changed(name=EVIL)
    evil = deploy("DEV", bad, 61, outcome=EVIL, detail=EVIL, by=EVIL, url=f"javascript:{EVIL}")
    await Records(lake, "portal").write(record(1, evil, version=bad, reason=EVIL, by=EVIL))
    answer = await ada.get("api/promotions/portal")
    assert answer.headers["content-type"] == "application/json"
    assert "javascript:" not in answer.text
    line = TimeLine.model_validate_json(answer.content).promotions[0]
    assert (line.reason, line.version and line.version.name) == (EVIL, EVIL)


async def test_a_mistake_in_its_section_leaves_the_lane_with_the_stages_of_its_records(
    ada: Any, lake: Lake, config: Path
) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    (config / "promotions.yaml").write_text("portal: {bild: 1}\n")
    found = await lane(ada)
    assert "unknown field" in found.mistake
    assert [one.label for one in found.stages] == ["DEV", "TEST"]


async def test_nothing_new_is_304(ada: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    first = await ada.get("api/promotions")
    again = {"if-none-match": first.headers["etag"]}
    assert (await ada.get("api/promotions", headers=again)).status_code == 304


async def test_figures_say_what_they_are_made_of(ada: Any, lake: Lake) -> None:
    since = datetime.now(UTC) - timedelta(days=2)
    failed = deploy("DEV", ONE, 61, StepState.FAILED, outcome="failed", requests=(501,)).changed(
        started=since, ended=since
    )
    await Records(lake, "portal").write(
        record(1, failed, version=ONE, outcome=PromotionOutcome.FAILED, opened=since, closed=since)
    )
    found = (await ada.get("api/figures")).json()
    lines = {(one["stage"], one["key"]): one for one in found["figures"]}
    assert lines["DEV", "deployments"]["value"] == 1
    assert lines["DEV", "deployments"]["text"].startswith("1 (")
    assert lines["DEV", "failed"]["value"] == 1
    assert lines["DEV", "failed"]["text"] == "1 (100%)"
    assert lines["DEV", "lead_time"]["text"] == "nothing to measure"
    assert lines["DEV", "time_to_restore"]["text"].startswith("portal not since")
    assert lines["DEV", "failed"]["made_of"][0]["label"] == run_of(1)
    assert (await ada.get("api/figures", params={"days": 0})).status_code == 422


async def test_a_freeze_that_is_on_and_one_that_comes_are_told(ada: Any, lake: Lake, config: Path) -> None:
    now = datetime.now(UTC)
    days = [f"{now + timedelta(days=number):%Y-%m-%d}" for number in (-1, 1, 5, 6, 60, 61)]
    freezes = f"""
freezes:
  - {{name: now, reason: <year end>, timezone: UTC, from: {days[0]}, to: {days[1]}, stages: [PROD]}}
  - {{name: later, reason: audit, timezone: UTC, from: {days[2]}, to: {days[3]}, applications: [secret_one]}}
  - {{name: far, reason: audit, timezone: UTC, from: {days[4]}, to: {days[5]}}}
"""
    (config / "promotions.yaml").write_text((config / "promotions.yaml").read_text() + freezes)
    found = await lanes(ada)
    assert [(one.name, one.on, one.text) for one in found.freezes] == [
        ("now", True, "<year end> (PROD)"),
        ("later", False, "audit (secret_one)"),
    ]
    assert [[one.name for one in each.freezes] for each in found.lanes] == [["now"], ["now", "later"]]


async def test_where_nobody_knows_what_is_frozen_the_line_is_not_said_to_move(
    ada: Any, lake: Lake, config: Path
) -> None:
    (config / "promotions.yaml").write_text((config / "promotions.yaml").read_text() + "freezes: [{name: x}]\n")
    assert "holds" in {one.part for one in (await lanes(ada)).troubles}
    assert (await ada.get("api/overview")).json()["line"] is None
