"""``nightshift promotions``: what the records in the lake tell, in a terminal and for programs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.promotion.store import Records
from nightshift.promotion.target import Target
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.cli.conftest import Run
from tests.unit.promotion.records import MINUTE, NEW, OLD, T, deploy, record

PROMOTIONS = """\
portal:
  project: Licensing/Portal
  stream: main
  build: {environment: DEV}
  after: [flexnet/entitlement]
  stages: [{name: DEV, environment: DEV}, {name: TEST, environment: TEST}]
"""
DAYS = ("--days", str((datetime.now(UTC) - T).days + 2))


@pytest.fixture
def records(config: Path, lake: Lake) -> Records:
    (config / "promotions.yaml").write_text(PROMOTIONS)
    return Records(lake, "portal")


def write(records: Records, *steps: object, run_id: str, **more: object) -> None:
    asyncio.run(records.write(record(*steps, run_id=run_id, stages=("DEV", "TEST"), **more)))  # type: ignore[arg-type]


def test_versions_in_stages_what_is_under_way_and_the_figures(records: Records, run: Run) -> None:
    done = {"closed": T + 9 * MINUTE, "outcome": PromotionOutcome.PROMOTED}
    write(records, deploy("DEV", OLD), deploy("TEST", OLD, 3), run_id="first", version=OLD, **done)
    write(records, deploy("DEV", NEW, 20), run_id="second", opened=T + 19 * MINUTE)
    found = run("promotions", *DAYS, "--json")
    assert found.exit_code == 0
    (lane,) = json.loads(found.stdout)["applications"]
    assert [(one["stage"], one["running"]["version"]["name"]) for one in lane["stages"]] == [
        ("DEV", "1.0.2"),
        ("TEST", "1.0.1"),
    ]
    assert [(one["run_id"], one["closed"]) for one in lane["promotions"]] == [("second", None)]
    stages = {one["stage"]: one for one in json.loads(found.stdout)["figures"]["together"]}
    assert (stages["DEV"]["deployments"], stages["TEST"]["deployments"]) == (2, 1)
    shown = run("promotions", *DAYS).stdout
    assert "1.0.2 (id 40001)" in shown
    assert "portal: under way, night 2026-11-20, second" in shown
    assert "TEST: 1 deployments" in shown


def test_what_was_brought_to_another_environment_of_that_name_is_not_told_to_run_there(
    records: Records, run: Run
) -> None:
    here = {"connection": "flexdeploy_default", "server": "fd", "project_id": 7, "project": "Licensing/Portal"}
    dev, test = (Target(**here, environment=one) for one in ("DEV", "OLD_TEST"))
    done = {"closed": T + 9 * MINUTE, "outcome": PromotionOutcome.PROMOTED}
    write(records, deploy("DEV", OLD, target=dev), deploy("TEST", OLD, 3, target=test), run_id="first", **done)
    (lane,) = json.loads(run("promotions", *DAYS, "--json").stdout)["applications"]
    assert [one["running"] and one["running"]["version"]["id"] for one in lane["stages"]] == [OLD.id, None]
    shown = " ".join(run("promotions", *DAYS).stdout.split())
    assert "is of environment OLD_TEST, not environment TEST" in shown


def test_a_deployment_in_doubt_is_named_and_ends_with_1(records: Records, run: Run) -> None:
    doubt = deploy("DEV", NEW, 5, StepState.FAILED)
    write(records, doubt, run_id="doubtful", closed=T + 9 * MINUTE, outcome=PromotionOutcome.FAILED)
    found = run("promotions")
    assert found.exit_code == 1
    assert "in doubt by doubtful" in found.stdout


def test_a_record_that_cannot_be_read_is_told(records: Records, run: Run, tmp_path: Path) -> None:
    (tmp_path / "lake/promotions/portal/r.json").write_text("{")
    found = run("promotions", "portal", "--json")
    assert found.exit_code == 1
    assert "r.json" in json.loads(found.stdout)["applications"][0]["unread"][0]


def test_nothing_promoted_yet_is_no_error(records: Records, run: Run) -> None:
    found = run("promotions")
    assert found.exit_code == 0
    assert "portal" in found.stdout


def shown(run: Run, *words: str) -> tuple[int, dict[str, object], str]:
    found = run("promotions", *DAYS, *words, "--json")
    told = json.loads(found.stdout)
    stages = {
        lane["application"]: [
            (one["stage"], (one["running"] or {"version": {}})["version"].get("name")) for one in lane["stages"]
        ]
        for lane in told["applications"]
    }
    return found.exit_code, stages, "\n".join(told["mistakes"])


RUNS = {"portal": [("DEV", "1.0.2"), ("TEST", None)]}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (None, "promotions.yaml"),
        ("other:\n  - [\n", "promotions.yaml"),
        (PROMOTIONS.replace("portal:", "bank:"), "portal: is no longer here"),
        (PROMOTIONS.replace("stream:", "straem:"), "did you mean 'stream'?"),
    ],
)
def test_what_is_in_force_is_shown_whatever_the_file_says_now_and_the_mistake_is_told(
    text: str | None, mistake: str, records: Records, config: Path, run: Run
) -> None:
    write(records, deploy("DEV", NEW), run_id="first")
    assert shown(run) == (0, RUNS, "")
    (config / "promotions.yaml").unlink()
    if text is not None:
        (config / "promotions.yaml").write_text(text)
    code, stages, mistakes = shown(run)
    assert (code, stages["portal"]) == (1, RUNS["portal"])
    assert mistake in mistakes
    assert mistake in run("promotions").stdout
    assert shown(run, "portal")[0] == 1


def test_a_mistake_of_another_application_is_not_told_of_one_that_is_asked_for(
    records: Records, config: Path, run: Run
) -> None:
    other = PROMOTIONS.replace("portal:", "bank:").replace("stream:", "straem:")
    (config / "promotions.yaml").write_text(PROMOTIONS + other)
    assert shown(run, "portal") == (0, {"portal": [("DEV", None), ("TEST", None)]}, "")
    assert shown(run, "bank")[:2] == (1, {"bank": []})
    assert shown(run)[0] == 1
    (config / "promotions.yaml").write_text(PROMOTIONS + "bank: {removed: true}\n")
    assert shown(run)[:2] == (0, {"portal": [("DEV", None), ("TEST", None)]})


def test_records_that_no_configuration_names_are_not_passed_over(
    records: Records, config: Path, lake: Lake, run: Run
) -> None:
    write(records, deploy("DEV", NEW), run_id="first")
    (config / "promotions.yaml").unlink()
    unknown = run("promotions")
    assert unknown.exit_code == 1
    assert "The lake has records of portal" in unknown.stdout
    (config / "promotions.yaml").write_text(PROMOTIONS.replace("portal:", "bank:"))
    found = run("promotions")
    assert (found.exit_code, "records of portal" in found.stdout) == (0, True)


def test_a_stage_in_doubt_is_named_also_where_the_configuration_has_it_no_more(
    records: Records, config: Path, run: Run
) -> None:
    doubt = deploy("TEST", NEW, 5, StepState.FAILED)
    write(records, doubt, run_id="doubtful", closed=T + 9 * MINUTE, outcome=PromotionOutcome.FAILED)
    (config / "promotions.yaml").write_text(PROMOTIONS.replace(", {name: TEST, environment: TEST}", ""))
    found = run("promotions")
    assert found.exit_code == 1
    assert "in doubt by doubtful" in found.stdout
