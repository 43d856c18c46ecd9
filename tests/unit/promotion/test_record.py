"""A record is written and read whole; what is no record is told as such."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.lake.errors import Damaged
from nightshift.promotion.record import PromotionRecord, PromotionStep, ReportSeen, Version
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.unit.promotion.records import NEW, OLD, T, deploy, ran, record, step

WHOLE = record(
    step("build", requests=(12001, 12002), url="https://fd/1", version=NEW, outcome="built"),
    step("TEST.approve", by="ann", outcome="Approve"),
    deploy("TEST", start_time="2026-11-21T22:00:00+01:00", attempt=3, detail="line 1\nline 2 ✓"),
    by="ann",
    form={"change_tickets": ["CHG1"], "inputs": {"a": "b"}},
    closed=T,
    outcome=PromotionOutcome.PROMOTED,
    reason="all well",
    reports=(ReportSeen(name="flexnet/a", night="2026-11-20", published=T, rows=5, checks={"rows": "5 rows"}),),
    before={"DEV": ran(), "TEST": None},
    plan=("build",),
    superseded_by="other",
)


def test_a_record_comes_back_as_it_was() -> None:
    assert PromotionRecord.from_json(WHOLE.to_json(), "x") == WHOLE


@given(
    state=st.sampled_from(StepState),
    kind=st.sampled_from(StepKind),
    text=st.text(max_size=40),
    version=st.none() | st.builds(Version, id=st.integers(1), name=st.none() | st.text(max_size=9)),
)
def test_any_words_of_a_vendor_survive(state: StepState, kind: StepKind, text: str, version: Version | None) -> None:
    one = PromotionStep(
        task="t", kind=kind, state=state, started=T, detail=text, outcome=text, by=text, version=version
    )
    assert PromotionRecord.from_json(record(one, reason=text).to_json(), "x") == record(one, reason=text)


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(WHOLE.to_json()), **fields}).encode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "Invalid JSON"),
        (WHOLE.to_json()[:200], "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (changed(format=2), "format: Input should be 1"),
        (changed(stranger=1), "stranger: Extra inputs"),
        (changed(opened="2026-11-20T22:00:00"), "opened: Input should have timezone"),
        (changed(outcome="perhaps"), "outcome: Input should be"),
        (changed(steps=[{"task": "t"}]), "steps.0.kind: Field required"),
    ],
)
def test_what_is_no_record_says_where_and_what_to_do(text: bytes, words: str) -> None:
    with pytest.raises(Damaged) as told:
        PromotionRecord.from_json(text, "promotions/portal/r.json")
    assert "promotions/portal/r.json is not the record of a promotion" in str(told.value)
    assert words in str(told.value)
    assert "Nothing was built or deployed on its word" in str(told.value)


def test_a_secret_in_a_damaged_record_is_not_repeated() -> None:
    with pytest.raises(Damaged) as told:
        PromotionRecord.from_json(changed(turn="hunter2-secret"), "x")
    assert "hunter2" not in str(told.value)


def test_a_step_takes_the_place_of_the_one_before_of_its_task() -> None:
    first, again = step("build", state=StepState.STARTED), step("build", attempt=2)
    found = record(first, step("DEV.approve")).with_step(again)
    assert [one.task for one in found.steps] == ["build", "DEV.approve"]
    assert found.step("build") == again
    assert found.step("DEV.deploy") is None


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (deploy("DEV", OLD, outcome="deployed"), "DEV.deploy 1.0.1 (id 30001) deployed"),
        (deploy("DEV", Version(id=5)), "DEV.deploy id 5 done"),
        (step("DEV.approve", state=StepState.REJECTED, by="ann", outcome="Reject"), "DEV.approve Reject by ann"),
        (step("build", state=StepState.FAILED, outcome="failed", detail="disk full"), "build failed: disk full"),
    ],
)
def test_a_step_in_one_line(one: PromotionStep, words: str) -> None:
    assert one.words == words
