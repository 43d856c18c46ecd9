"""Settings that contradict each other, or can come to nothing, are told when the file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.config.promotions import promotions_in_force

HEAD = "portal:\n  project: A/B\n  stream: main\n  build: {environment: DEV}\n"
STAGES = "  stages: [{environment: DEV}, {environment: PROD, approval: {users: [ann]}}]\n"
TOO_LONG = "a run ends after 60 days, whatever waits in it; give less than that"
TOO_SHORT = "is less than a minute, in which nothing is done and nobody can answer; give more"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text("{}")
    return tmp_path


def stages(of_prod: str) -> str:
    return f"  stages: [{{environment: DEV}}, {{environment: PROD, {of_prod}}}]\n"


MISTAKES = [
    (stages("soak: 60d"), f"portal.stages[1].soak: {TOO_LONG}"),
    (stages("approval: {hours: 1440}"), f"portal.stages[1].approval.hours: {TOO_LONG}"),
    (stages("approval: {hours: 1e-9, on_timeout: approve}"), f"portal.stages[1].approval.hours: {TOO_SHORT}"),
    (f"  waiting_days: 300\n{STAGES}", f"portal.waiting_days: {TOO_LONG}"),
    (f"  deploy_hours: 1e-6\n{STAGES}", f"portal.deploy_hours: {TOO_SHORT}"),
    (
        stages("approval: {hours: 1, remind: 2d}"),
        "portal.stages[1].approval: remind: 2d would never come: after hours: 1 it is over; give a shorter one, or "
        "more",
    ),
    (f"  roll_back: {{approval: {{remind: 1d}}}}\n{STAGES}", "portal.roll_back.approval: remind: 1d would never come"),
    (
        f"  roll_back: {{approval: {{at_least: 2}}}}\n{STAGES}",
        "portal: roll_back.approval.at_least asks for 2 people, and the approval of PROD names 1, who answer for its "
        "roll-back as well; name more there, or ask for fewer",
    ),
    (
        f"  on_failure: stop\n  roll_back: {{approval: {{users: [ann]}}}}\n{STAGES}",
        "portal: roll_back asks nobody: by on_failure: stop every stage stays as it is; leave one of the two out",
    ),
    (
        "  stages: [{environment_id: 11, name: DEV}, {environment_id: 12, name: dev}]\n",
        "portal: the stages DEV and dev are told apart by their capitals alone; give one of them another name",
    ),
]
SOUND = [
    stages("soak: 59d, approval: {hours: 1416, remind: 30d}"),
    f"  waiting_days: 59\n  deploy_hours: 0.02\n{STAGES}",
    f"  roll_back: {{approval: {{at_least: 2, users: [ann, bob]}}}}\n{stages('approval: {}')}",
    f"  roll_back: {{approval: {{at_least: 2}}}}\n{stages('on_failure: stop, approval: {users: [ann]}')}",
    f"  on_failure: stop\n  roll_back: {{approval: {{hours: 2}}}}\n{stages('on_failure: offer')}",
    f"  on_failure: stop\n  roll_back: {{}}\n{STAGES}",
    f"  on_failure: stop\n  roll_back: null\n{STAGES}",
    "  stages: [{environment: DEV}, {environment: dev, name: QA}]\n",
]


@pytest.mark.parametrize(("rest", "told"), MISTAKES)
def test_a_contradiction_is_told_with_its_place_and_what_to_do(folder: Path, rest: str, told: str) -> None:
    (folder / "promotions.yaml").write_text(HEAD + rest)
    found = promotions_in_force(folder)
    assert told in "\n".join(found.mistakes)
    assert found.applications == {}


@pytest.mark.parametrize("rest", SOUND)
def test_what_can_be_meant_is_let_be(folder: Path, rest: str) -> None:
    (folder / "promotions.yaml").write_text(HEAD + rest)
    assert promotions_in_force(folder).mistakes == []


@pytest.mark.parametrize(("rest", "told"), MISTAKES)
def test_what_an_earlier_version_took_goes_on_until_it_is_put_right(folder: Path, rest: str, told: str) -> None:
    file = folder / "promotions.yaml"
    file.write_text(HEAD + STAGES)
    assert promotions_in_force(folder).mistakes == []
    file.write_text(HEAD + rest)
    # The copy is one of then.
    [kept] = (folder / "kept").rglob("*portal.yaml")
    kept.write_text(HEAD + rest)
    found = promotions_in_force(folder)
    assert f"{told}" in found.mistakes[0]
    assert "Until this is put right, portal goes on as it was before." in found.mistakes[0]
    assert list(found.applications) == ["portal"]
