from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nightshift.config.promotions import Application, Build, Package, RollBack, read_applications
from nightshift.config.reports import reports_known
from nightshift.config.scalars import Text
from nightshift.config.stages import Approval, Stage
from nightshift.config.steps import UtilityStep
from nightshift.flexdeploy.fields import text
from nightshift.flexdeploy.request import BuildRequest, DeployRequest, ExecuteRequest
from nightshift.settings import ConfigError, read_sections

REPORTS = """
flexnet:
  reports: [{name: entitlement}, {name: usage, page_size: nonsense}, {kye: x}, nonsense]
tokenflex:
  exports: [{name: desktop_usage}]
camunda_optimize:
  reports: nonsense
exago:
"""
SOUND = """
portal:
  project: Licensing/Portal
  stream: main
  build: {environment: DEV}
  stages: [{environment: TEST}]
  after: [flexnet/entitlement, exago/tree]
"""
Read = Callable[[str], dict[str, Application | ConfigError]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    (tmp_path / "reports.yaml").write_text(REPORTS)

    def of(text: str) -> dict[str, Application | ConfigError]:
        (tmp_path / "promotions.yaml").write_text(text)
        return read_applications(tmp_path)

    return of


def sound(read: Read, text: str, name: str = "portal") -> Application:
    found = read(text)[name]
    assert isinstance(found, Application), found
    return found


def test_the_shipped_file_is_sound_and_names_reports_of_the_shipped_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIGHTSHIFT_CONFIG", raising=False)
    (portal,) = read_applications().values()
    assert isinstance(portal, Application), portal
    assert {name.split("/")[0] for name in portal.after} == {"flexnet", "tokenflex", "camunda_optimize", "exago"}
    assert set(portal.after) <= reports_known(Path(__file__).resolve().parents[3] / "include" / "config")
    assert [(stage.label, stage.approval) for stage in portal.stages] == [("DEV", None), ("TEST", Approval(hours=24))]


def test_a_short_application_has_all_defaults(read: Read) -> None:
    portal = sound(read, SOUND)
    assert portal.connection == "flexdeploy_default"
    assert (portal.newer, portal.republished, portal.older) == ("wait", "skip", "promote")
    assert (portal.retries, portal.deploy_hours, portal.waiting_days) == (2, 6, 7)
    assert portal.roll_back == RollBack()
    assert portal.roll_back.approval == Approval(users=(), hours=24, on_timeout="reject")
    assert portal.build == Build(environment="DEV", unchanged="stop")
    assert portal.stages == (Stage(environment="TEST"),)
    assert portal.stages[0].approval is None
    assert Approval().hours == 72


def test_names_and_ids_become_parameters_of_the_operators(read: Read) -> None:
    portal = sound(read, SOUND)
    assert (portal.what, portal.on_stream) == ({"project": "Licensing/Portal"}, {"stream": "main"})
    assert (portal.build.where, portal.stages[0].where) == ({"environment": "DEV"}, {"environment": "TEST"})
    by_id = Application(project_id=7, stream_id=8, build=Build(environment_id=9), stages=(Stage(environment_id=10),))
    assert (by_id.what, by_id.on_stream) == ({"project_id": 7}, {"stream_id": 8})
    assert (by_id.build.where, by_id.stages[0].where) == ({"environment_id": 9}, {"environment_id": 10})
    assert (by_id.named, by_id.build.label, by_id.stages[0].label) == ("project 7", "environment 9", "env10")
    assert (portal.named, portal.build.label, portal.stages[0].label) == ("Licensing/Portal", "DEV", "TEST")
    step = UtilityStep(name="restart", project_id="11")
    assert (step.what, step.where) == ({"project_id": 11}, {})
    assert UtilityStep(name="restart", project="a/b", environment="X").where == {"environment": "X"}


def test_what_is_asked_for_is_in_the_operators_words_and_has_no_more_than_was_set(read: Read) -> None:
    portal = sound(
        read,
        """
portal:
  project: Licensing/Portal
  stream: main
  build:
    environment: DEV
    force: true
    inputs: {INPUT: "1.10", EMPTY: ""}
    flex_fields: {FF: x}
    related_tickets: [ABC-1]
    workflow_version: "1.0"
    package_name: PKG
    project_files: [{path: /a}, {path: /b, revision: 1515}]
  packages: [{name: PKG}, {name: OTHER, priority: 0}]
  stages:
    - environment: TEST
      name: acceptance
      instance_ids: [1, 2]
      change_tickets: [CHG1]
      inputs: {A: b}
      force: true
      exception_to_window: true
      workflow_version: "2.0"
      before: [{name: stop, project: Ops/Stop, instance_ids: [3], inputs: {SERVICE: x}, workflow_version: "3.0"}]
""",
    )
    assert portal.build.parameters == {
        "force_build": True,
        "inputs": {"INPUT": "1.10", "EMPTY": ""},
        "flex_fields": {"FF": "x"},
        "related_tickets": ["ABC-1"],
        "workflow_version_override": "1.0",
        "package_name": "PKG",
        "project_files": [{"path": "/a"}, {"path": "/b", "scmRevision": 1515}],
    }
    assert [package.detail(40001) for package in portal.packages] == [
        {"packageName": "PKG", "projectVersionId": 40001},
        {"packageName": "OTHER", "priority": 0, "projectVersionId": 40001},
    ]
    (stage,) = portal.stages
    assert stage.label == "acceptance"
    assert stage.parameters == {
        "instance_ids": [1, 2],
        "force_deploy": True,
        "exception_to_window": True,
        "workflow_version_override": "2.0",
        "inputs": {"A": "b"},
        "change_tickets": ["CHG1"],
    }
    assert stage.before[0].parameters == {
        "instance_ids": [3],
        "inputs": {"SERVICE": "x"},
        "workflow_version_override": "3.0",
    }
    # The operators take it as it is.
    BuildRequest.of(environment_id=1, stream_id=1, **portal.build.parameters)
    DeployRequest.of(environment_id=1, package_details=[p.detail(1) for p in portal.packages], **stage.parameters)
    ExecuteRequest.of(environment_id=1, **stage.before[0].parameters)
    assert Stage(environment="DEV").parameters == Build(environment="DEV").parameters == {}
    assert Package(name="A").detail("{{ x }}") == {"packageName": "A", "projectVersionId": "{{ x }}"}


def test_null_switches_the_offer_to_roll_back_off(read: Read) -> None:
    assert sound(read, SOUND + "  roll_back: null\n").roll_back is None
    named = sound(read, SOUND + "  roll_back: {approval: {users: [ada]}}\n").roll_back
    assert named == RollBack(approval=Approval(users=("ada",), hours=24))


def test_an_empty_approval_is_one_by_anybody(read: Read) -> None:
    portal = sound(read, SOUND.replace("{environment: TEST}", "{environment: TEST, approval: {}}"))
    assert portal.stages[0].approval == Approval()


def test_a_time_of_one_digit_is_written_out(read: Read) -> None:
    window = "{timezone: Europe/Berlin, opens: '4:00', closes: \"00:00\", days: [sat, sun]}"
    found = (
        sound(read, SOUND.replace("{environment: TEST}", f"{{environment: TEST, window: {window}}}")).stages[0].window
    )
    assert (found.opens, found.closes, found.outside) == ("04:00", "00:00", "wait")
    assert str(found.zone) == "Europe/Berlin"


def test_what_was_read_does_not_change(read: Read) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        sound(read, SOUND).stages[0].approval = Approval()


def test_reports_are_known_from_a_file_with_mistakes(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text(REPORTS)
    assert reports_known(tmp_path) == {
        "flexnet/entitlement",
        "flexnet/usage",
        "tokenflex/desktop_usage",
        "exago/tree",
        "exago/tree_changes",
    }
    (tmp_path / "reports.yaml").write_text(
        "exago: {reports: [{name: sales}]}\ncamunda_optimize: {reports: [{name: i}]}\n"
    )
    assert reports_known(tmp_path) == {"exago/tree", "exago/tree_changes", "exago/sales", "camunda_optimize/i"}
    (tmp_path / "reports.yaml").write_text("{}")
    assert reports_known(tmp_path) == frozenset()
    (tmp_path / "reports.yaml").write_text("flexnet:\n\treports: []\nexago: {removed: true}\n")
    assert reports_known(tmp_path) == {"flexnet/*"}


def test_without_a_file_no_promotion_is_configured(tmp_path: Path) -> None:
    assert read_applications(tmp_path) == {}
    (tmp_path / "promotions.yaml").write_text("# none yet\n")
    assert read_applications(tmp_path) == {}


def test_a_mistake_breaks_its_own_application_only(read: Read) -> None:
    found = read(
        SOUND
        + SOUND.replace("portal:", "twice:")
        + "  project: Other\n"
        + SOUND.replace("portal:", "field:")
        + "  nwer: wait\n"
        + SOUND.replace("portal:", "date:")
        + "  waiting_days: 2026-13-45\n"
        + "../up: {}\nempty:\n"
        + SOUND.replace("portal:", "again:")
        + SOUND.replace("portal:", "again:")
        + SOUND.replace("portal:", "last:")
    )
    broken = {name: str(error) for name, error in found.items() if isinstance(error, ConfigError)}
    assert list(found) == ["portal", "twice", "field", "date", "../up", "empty", "again", "last"]
    assert list(broken) == ["twice", "field", "date", "../up", "empty", "again"]
    for name, told in {
        "twice": "twice.project: given twice, first in line 10; keep one",
        "field": "field.nwer: unknown field; did you mean 'newer'?",
        "date": ":31: date.waiting_days: input should be a valid number",
        "../up": ":32: ../up: a name has letters, digits, '_' and '-' only",
        "empty": "empty.build: is missing; add it",
        "again": "again: given twice, first in line 35; keep one",
    }.items():
        assert told in broken[name]
        assert "promotions.yaml:" in broken[name]
        assert len(broken[name].splitlines()) == (2 if name == "empty" else 1)


def test_all_mistakes_of_an_application_are_told_at_once(read: Read) -> None:
    text = SOUND.replace("stream: main", "stream: [no]").replace("flexnet/entitlement", "flexnet/entitlment")
    assert len(str(read(text)["portal"]).splitlines()) == 2


@pytest.mark.parametrize("reports", [None, "", "flexnet: [\nexago:\n", "- flexnet\n"])
def test_a_mistake_in_reports_is_no_mistake_of_an_application(tmp_path: Path, reports: str | None) -> None:
    """It is told for its own file; a report of a source that can be read has to be there all the same."""
    if reports is not None:
        (tmp_path / "reports.yaml").write_text(reports)
    (tmp_path / "promotions.yaml").write_text(SOUND)
    assert isinstance(read_applications(tmp_path)["portal"], Application)


def test_a_report_of_a_sound_source_has_to_be_there_beside_a_broken_one(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text("flexnet: [\nexago:\n")
    (tmp_path / "promotions.yaml").write_text(SOUND.replace("exago/tree]", "exago/trees]"))
    told = str(read_applications(tmp_path)["portal"])
    assert "promotions.yaml:7: portal.after[1]: is not a report that reports.yaml configures; did you mean" in told


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"", "promotions.yaml:1: is empty; put sections into it, or {} where there is nothing to configure"),
        (b"[portal: [a\n", "promotions.yaml:1: not valid YAML: the bracket that opens in this line is not closed"),
        (b"- portal\n", "promotions.yaml:1: expected sections such as 'name:' at the top, found a list"),
        (b"portal\n", "promotions.yaml:1: expected sections such as 'name:' at the top, found a text"),
        (b"portal: \xff\n", "promotions.yaml: is not UTF-8 text, from byte 8 on; save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_as_a_whole(tmp_path: Path, written: bytes, told: str) -> None:
    (tmp_path / "promotions.yaml").write_bytes(written)
    with pytest.raises(ConfigError) as caught:
        read_applications(tmp_path)
    assert told in str(caught.value)


def test_a_file_that_may_not_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "promotions.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"promotions\.yaml: cannot be read"):
        read_applications(tmp_path)


def test_anchors_and_merges_can_be_used(read: Read) -> None:
    text = SOUND.replace("portal:", "portal: &base") + "other:\n  <<: *base\n  project: Other/One\n"
    assert sound(read, text, "other").stages == sound(read, text).stages
    assert sound(read, text, "other").project == "Other/One"


def test_a_name_that_yaml_takes_for_something_else_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("2026: {}\non: {users: [a]}\n")
    assert read_sections(Approval, file="x.yaml", folder=tmp_path) == {"2026": Approval(), "on": Approval(users=("a",))}


@given(st.one_of(st.text(), st.sampled_from(["None", " None", "  ", "a "]), st.integers(), st.booleans(), st.none()))
def test_what_is_a_text_here_is_one_to_the_operators(given: object) -> None:
    try:
        found = TypeAdapter(Text).validate_python(given)
    except ValidationError:
        return
    assert text("x", given) == text("x", found) == found
