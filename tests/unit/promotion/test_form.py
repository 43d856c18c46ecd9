"""What a person asks for with the form, and every contradiction in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nightshift.promotion.form import FORM, Wish, night_of, promotion_form
from tests.unit.promotion.play import N1, N2

STAGES = ("DEV", "TEST", "PROD")


def test_the_form_has_a_field_for_each_wish_and_nothing_filled_in() -> None:
    form = promotion_form("portal", STAGES)
    assert sorted(form) == sorted(FORM) == sorted(Wish.__struct_fields__)
    assert Wish.of({name: param.value for name, param in form.items()}) == Wish()


@pytest.mark.parametrize(
    ("params", "wish"),
    [
        ({}, Wish()),
        (dict.fromkeys(FORM), Wish()),
        ({"force_build": False, "inputs": {}, "change_tickets": [], "night": "", "dry_run": None}, Wish()),
        ({"force_build": True, "related_tickets": ["A-1"]}, Wish(force_build=True, related_tickets=("A-1",))),
        ({"version_id": 5, "inputs": {"a": "b"}, "night": N1}, Wish(version_id=5, inputs={"a": "b"}, night=N1)),
        ({"stranger": 1, "dry_run": True}, Wish(dry_run=True)),
    ],
)
def test_what_is_filled_in_is_read(params: dict[str, Any], wish: Wish) -> None:
    assert Wish.of(params) == wish
    assert Wish.of(wish.as_json()) == wish


def test_only_what_was_filled_in_is_remembered() -> None:
    told = json.loads(json.dumps(Wish(version_id=5, change_tickets=("C",)).as_json()))
    assert told == {"version_id": 5, "change_tickets": ["C"]}


@pytest.mark.parametrize(
    "params", [{"version_id": "5"}, {"inputs": ["a"]}, {"inputs": {"a": 1}}, {"change_tickets": "C"}]
)
def test_what_a_field_cannot_have_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The form cannot be read"):
        Wish.of(params)


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
    assert Wish(from_stage=first, to_stage=last).stages_of(STAGES) == stages


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(from_stage="QA"), "There is no stage 'QA'. The stages: DEV, TEST, PROD."),
        (Wish(to_stage="dev"), "There is no stage 'dev'"),
        (Wish(from_stage="PROD", to_stage="DEV"), r"To stage \(DEV\) comes before From stage \(PROD\)"),
    ],
)
def test_stages_that_do_not_go_together(wish: Wish, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wish.stages_of(STAGES)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(version_id=5, force_build=True), "Force build and a Version exclude each other"),
        (Wish(version_id=5, build_inputs={"a": "b"}), "Build inputs and issue tickets belong to a build"),
        (Wish(version_id=5, related_tickets=("A-1",)), "Build inputs and issue tickets belong to a build"),
        (Wish(from_stage="TEST"), "From stage needs a Version"),
        (Wish(from_stage="DEV"), "From stage needs a Version"),
    ],
)
def test_wishes_that_contradict_each_other(wish: Wish, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wish.check()


@pytest.mark.parametrize(
    "wish",
    [
        Wish(),
        Wish(version_id=5, from_stage="TEST", to_stage="PROD", change_tickets=("C",), inputs={"a": "b"}, dry_run=True),
        Wish(force_build=True, build_inputs={"a": "b"}, related_tickets=("A",), to_stage="DEV", night=N1),
    ],
)
def test_wishes_that_go_together(wish: Wish) -> None:
    wish.check()


@pytest.mark.parametrize(
    ("key", "wish", "night"),
    [
        (None, Wish(), None),
        (N1, Wish(), N1),
        (None, Wish(night=N2), N2),
        (N1, Wish(night=N1), N1),
        ("", Wish(night=N2), N2),
        ("20261119", Wish(), N1),
    ],
)
def test_the_night_of_a_run(key: str | None, wish: Wish, night: str | None) -> None:
    assert night_of(key, wish) == night


@pytest.mark.parametrize(
    ("key", "wish", "words"),
    [
        (N1, Wish(night=N2), f"The run's partition key is {N1} but the form says night {N2}"),
        ("eu-west", Wish(), "'eu-west' is not a night; give a day as YYYY-MM-DD"),
        (None, Wish(night="2026-02-30"), "'2026-02-30' is not a night"),
        ("2026-11-19T00:00:00", Wish(), "is not a night"),
    ],
)
def test_what_is_no_night(key: str | None, wish: Wish, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        night_of(key, wish)
