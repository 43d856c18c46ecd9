"""What a person asks for with the form, and every contradiction in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nightshift.promotion.form import FORM, PromotionRequest, night_of, promotion_form
from tests.unit.promotion.play import N1, N2

STAGES = ("DEV", "TEST", "PROD")


def test_the_form_has_a_field_for_each_wish_and_nothing_filled_in() -> None:
    form = promotion_form("portal", STAGES)
    assert sorted(form) == sorted(FORM) == sorted(PromotionRequest.__struct_fields__)
    assert PromotionRequest.of({name: param.value for name, param in form.items()}) == PromotionRequest()


@pytest.mark.parametrize(
    ("params", "wish"),
    [
        ({}, PromotionRequest()),
        (dict.fromkeys(FORM), PromotionRequest()),
        ({"force_build": False, "inputs": {}, "change_tickets": [], "night": "", "dry_run": None}, PromotionRequest()),
        (
            {"force_build": True, "related_tickets": ["A-1"]},
            PromotionRequest(force_build=True, related_tickets=("A-1",)),
        ),
        (
            {"version_id": 5, "inputs": {"a": "b"}, "night": N1},
            PromotionRequest(version_id=5, inputs={"a": "b"}, night=N1),
        ),
        ({"stranger": 1, "dry_run": True}, PromotionRequest(dry_run=True)),
    ],
)
def test_what_is_filled_in_is_read(params: dict[str, Any], wish: PromotionRequest) -> None:
    assert PromotionRequest.of(params) == wish
    assert PromotionRequest.of(wish.as_json()) == wish


def test_only_what_was_filled_in_is_remembered() -> None:
    told = json.loads(json.dumps(PromotionRequest(version_id=5, change_tickets=("C",)).as_json()))
    assert told == {"version_id": 5, "change_tickets": ["C"]}


@pytest.mark.parametrize(
    "params", [{"version_id": "5"}, {"inputs": ["a"]}, {"inputs": {"a": 1}}, {"change_tickets": "C"}]
)
def test_what_a_field_cannot_have_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The form cannot be read"):
        PromotionRequest.of(params)


@pytest.mark.parametrize(
    ("first", "last", "stages"),
    [
        (None, None, STAGES),
        ("TEST", None, ("TEST", "PROD")),
        (None, "TEST", ("DEV", "TEST")),
        ("TEST", "TEST", ("TEST",)),
        ("DEV", "PROD", STAGES),
    ],
)
def test_stages_from_the_first_to_the_last(first: str | None, last: str | None, stages: tuple[str, ...]) -> None:
    assert PromotionRequest(from_stage=first, to_stage=last).stages_of(STAGES) == stages


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (PromotionRequest(from_stage="QA"), "There is no stage 'QA'. The stages: DEV, TEST, PROD."),
        (PromotionRequest(to_stage="dev"), "There is no stage 'dev'"),
        (PromotionRequest(from_stage="PROD", to_stage="DEV"), r"To stage \(DEV\) comes before From stage \(PROD\)"),
    ],
)
def test_stages_that_do_not_go_together(wish: PromotionRequest, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wish.stages_of(STAGES)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (PromotionRequest(version_id=5, force_build=True), "Force build and a Version exclude each other"),
        (PromotionRequest(version_id=5, build_inputs={"a": "b"}), "Build inputs and issue tickets belong to a build"),
        (PromotionRequest(version_id=5, related_tickets=("A-1",)), "Build inputs and issue tickets belong to a build"),
        (PromotionRequest(from_stage="TEST"), "From stage needs a Version"),
        (PromotionRequest(from_stage="DEV"), "From stage needs a Version"),
    ],
)
def test_wishes_that_contradict_each_other(wish: PromotionRequest, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wish.check()


@pytest.mark.parametrize(
    "wish",
    [
        PromotionRequest(),
        PromotionRequest(
            version_id=5, from_stage="TEST", to_stage="PROD", change_tickets=("C",), inputs={"a": "b"}, dry_run=True
        ),
        PromotionRequest(force_build=True, build_inputs={"a": "b"}, related_tickets=("A",), to_stage="DEV", night=N1),
    ],
)
def test_wishes_that_go_together(wish: PromotionRequest) -> None:
    wish.check()


@pytest.mark.parametrize(
    ("key", "wish", "night"),
    [
        (None, PromotionRequest(), None),
        (N1, PromotionRequest(), N1),
        (None, PromotionRequest(night=N2), N2),
        (N1, PromotionRequest(night=N1), N1),
        ("", PromotionRequest(night=N2), N2),
        ("20261119", PromotionRequest(), N1),
    ],
)
def test_the_night_of_a_run(key: str | None, wish: PromotionRequest, night: str | None) -> None:
    assert night_of(key, wish) == night


@pytest.mark.parametrize(
    ("key", "wish", "words"),
    [
        (N1, PromotionRequest(night=N2), f"The run's partition key is {N1} but the form says night {N2}"),
        ("eu-west", PromotionRequest(), "'eu-west' is not a night; give a day as YYYY-MM-DD"),
        (None, PromotionRequest(night="2026-02-30"), "'2026-02-30' is not a night"),
        ("2026-11-19T00:00:00", PromotionRequest(), "is not a night"),
    ],
)
def test_what_is_no_night(key: str | None, wish: PromotionRequest, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        night_of(key, wish)
