from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from nightshift.promotion.page import svg
from nightshift.promotion.page.status import ApplicationStatus
from nightshift.promotion.record import StepKind, StepState, Version
from tests.unit.promotion.page.records import ONE, STAGES, TWO, deploy, record, runs, step

SVG = "{http://www.w3.org/2000/svg}"
FOUND = ApplicationStatus("portal", stages=STAGES, running={"DEV": runs(TWO, 121, 2), "TEST": None})


def texts(image: str) -> list[str]:
    """Return the lines of text of an image, which has to be sound XML."""
    return ["".join(one.itertext()) for one in ElementTree.fromstring(image).iter(f"{SVG}text")]


def test_shows_each_stage_with_version_and_time() -> None:
    assert texts(svg.render(FOUND)) == [
        "STAGE", "VERSION, SINCE", "DEV", "1.2", "id 2, 2026-11-21 00:01 UTC", "TEST", "nothing yet",
    ]  # fmt: skip


def test_shows_doubts_and_what_is_underway() -> None:
    waits = record(3, step("TEST.approve", StepKind.APPROVAL, 185, StepState.STARTED), outcome=None)
    doubts = {"TEST": deploy("TEST", ONE, 130, StepState.FAILED)}
    said = " ".join(texts(svg.render(replace(FOUND, doubts=doubts, records=(waits,)))))
    assert "nothing yet !" in said
    assert "TEST is in doubt: TEST.deploy 1.1 (id 1) failed, 2026-11-21 00:10 UTC" in said
    assert "Underway, night 2026-11-22: TEST.approve since 2026-11-21 01:05 UTC" in said


def test_an_application_without_records_or_with_trouble_is_a_text() -> None:
    assert texts(svg.render(ApplicationStatus("portal"))) == ["There is no record of a promotion yet."]
    assert (
        " ".join(texts(svg.render(ApplicationStatus("portal", trouble="The lake is <gone>.")))) == "The lake is <gone>."
    )


@pytest.mark.parametrize(
    "name", ["</text><script>alert(1)</script>", "a\x00b\x1b\ufffe", "&amp;'\"", "版本" * 40, "x" * 5000]
)
def test_no_name_breaks_the_image_or_leaves_it(name: str) -> None:
    stage = runs(Version(id=99999999, name=name), 1, 1)
    found = ApplicationStatus(name, stages=(name, "T"), running={name: stage, "T": stage}, trouble=f"{name} {name}")
    image = svg.render(found)
    assert "<script" not in image
    tree = ElementTree.fromstring(image)
    for one in tree.iter(f"{SVG}text"):
        small = "small" in one.get("class", "")
        wide = svg.cells("".join(one.itertext())) * (svg.SMALL_CELL if small else svg.CELL)
        assert float(one.get("x", "0")) + wide <= svg.WIDTH
    assert len(list(tree.iter(f"{SVG}text"))) <= 2 + 6 + svg.MOST_LINES


def test_is_as_wide_as_airflow_shows_it_and_loads_nothing() -> None:
    image = svg.render(FOUND)
    assert ElementTree.fromstring(image).get("width") == "300"
    assert "prefers-color-scheme: dark" in image
    assert not re.search(r"url\(|href|@import|@font-face", image)
