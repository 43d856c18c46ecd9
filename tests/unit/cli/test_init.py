"""``nightshift init`` as a person runs it: in a folder, with options, again, and after somebody changed a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nightshift.cli.app import app
from nightshift.cli.doctor.finding import Level
from nightshift.cli.doctor.here import settings
from nightshift.cli.project import Fate, Project, starter
from nightshift.config.document import load
from nightshift.config.promotions import Application, read_applications
from nightshift.config.reports import model_of
from nightshift.configuration import all_mistakes
from nightshift.settings import read_section
from nightshift.sources import SOURCES

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NIGHTSHIFT_CONFIG", "NIGHTSHIFT_LAKE", "AIRFLOW__CORE__DAGS_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    monkeypatch.setenv("COLUMNS", "300")
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return project


def init(*options: str) -> Result:
    return CliRunner().invoke(app, ["init", *options])


def contents(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def everything() -> list[str]:
    return [*(word for name in SOURCES for word in ("--source", name)), "--application", "portal"]


def test_every_starter_is_without_a_mistake(in_a_project: Path) -> None:
    assert init(*everything()).exit_code == 0
    config = in_a_project / "config/nightshift"
    for name in SOURCES:
        assert read_section(name, model_of(name), folder=config) is not None, name
    assert isinstance(read_applications(config)["portal"], Application)
    assert all_mistakes(config) == []


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("AIRFLOW_HOME", "elsewhere", True),
        ("AIRFLOW_HOME", ".", False),
        ("AIRFLOW__CORE__DAGS_FOLDER", "dags", False),
    ],
)
def test_a_dag_folder_that_is_not_airflows_own_is_named(
    variable: str, value: str, told: bool, in_a_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(in_a_project / value))
    line = f"export AIRFLOW__CORE__DAGS_FOLDER={in_a_project / 'dags'}"
    assert (line in init("--source", "flexnet").stdout) is told


def test_the_dag_files_are_those_of_the_checkout_and_no_more_than_asked_for(in_a_project: Path) -> None:
    init(*everything())
    written = contents(in_a_project / "dags/nightshift_dags")
    assert written == {one.name: one.read_text() for one in (ROOT / "dags").glob("*.py")}


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (
            ["-s", "flexnet"],
            {"configuration.py", "nightshift_maintenance.py", "nightshift_watch.py", "flexnet_reports.py"},
        ),
        (
            ["-s", "tokenflex"],
            {
                "configuration.py",
                "nightshift_maintenance.py",
                "nightshift_watch.py",
                "tokenflex_exports.py",
                "tokenflex_token.py",
            },
        ),
        (
            ["-s", "camunda_optimize"],
            {"configuration.py", "nightshift_maintenance.py", "nightshift_watch.py", "camunda_reports.py"},
        ),
        (
            ["-s", "exago", "-a", "portal"],
            {
                "configuration.py",
                "nightshift_maintenance.py",
                "nightshift_watch.py",
                "exago_catalog.py",
                "promotion.py",
            },
        ),
    ],
)
def test_only_what_was_chosen_is_there(in_a_project: Path, options: list[str], files: set[str]) -> None:
    done = init(*options)
    assert done.exit_code == 0, done.output
    assert set(contents(in_a_project / "dags/nightshift_dags")) == files
    assert (in_a_project / "config/nightshift/promotions.yaml").exists() is ("-a" in options)
    assert (in_a_project / "config/nightshift/pools.json").exists() is ("tokenflex" in options)


def test_a_lake_is_written_as_it_is_meant_or_refused(in_a_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(in_a_project))
    refused = init("-s", "flexnet", "--lake", "s3:/bucket/lake")
    assert refused.exit_code == 2
    assert "write s3://" in refused.output
    assert contents(in_a_project) == {}
    settings = in_a_project / "config/nightshift/airflow.env"
    for given, written in [("~/lake", f"{in_a_project}/lake"), ("s3://my_aws@bucket/x", "s3://my_aws@bucket/x")]:
        assert init("-s", "flexnet", "--lake", given).exit_code == 0
        assert f"NIGHTSHIFT_LAKE={written}\n" in settings.read_text()


def test_names_are_those_that_were_written(in_a_project: Path) -> None:
    config = in_a_project / "config/nightshift"
    config.mkdir(parents=True)
    (config / "reports.yaml").write_text(
        "flexnet: {connection: 007, pool: 1_0, reports: [{name: a}]}\nexago: {connection: 0x10, pool: on}\n"
    )
    done = init()
    assert "airflow connections add 007 " in done.stdout
    assert "airflow connections add 0x10 " in done.stdout
    assert list(json.loads((config / "pools.json").read_text())) == ["1_0", "on"]


@pytest.mark.parametrize(
    ("before", "begins"),
    [
        (b"{}\n", b"# "),
        (b"# nothing yet\n{}\n", b"# nothing yet\n"),
        (
            b"\xef\xbb\xbfflexnet:\r\n  reports: [{name: a}]\r\n",
            b"\xef\xbb\xbfflexnet:\r\n  reports: [{name: a}]\r\n\r\n",
        ),
    ],
)
def test_a_source_is_put_behind_what_is_there_with_its_line_ends(
    in_a_project: Path, before: bytes, begins: bytes
) -> None:
    file = in_a_project / "config/nightshift/reports.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(before)
    assert init("-s", "exago").exit_code == 0
    after = file.read_bytes()
    assert after.startswith(begins)
    assert after.count(b"\n") == after.count(b"\r\n") or b"\r" not in before
    assert all_mistakes(file.parent) == []
    assert "exago" in load(file).sections
    assert init("-s", "exago").exit_code == 0
    assert file.read_bytes() == after


@pytest.mark.parametrize("before", ["{flexnet: {reports: [{name: a}]}}\n", "flexnet: {reports: [{name: a}]}\n...\n"])
def test_where_no_source_can_be_put_behind_nothing_is_changed(in_a_project: Path, before: str) -> None:
    file = in_a_project / "config/nightshift/reports.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(before)
    done = init("-s", "exago")
    assert done.exit_code == 1
    assert "exago cannot be put at its end as it stands. Nothing was changed." in done.output
    assert contents(in_a_project) == {"config/nightshift/reports.yaml": before}


def test_a_second_run_changes_nothing(in_a_project: Path) -> None:
    init(*everything())
    before = contents(in_a_project)
    done = init(*everything())
    assert contents(in_a_project) == before
    told = [line for line in done.output.splitlines() if re.search(r"\.(yaml|py) *$", line)]
    assert {line.split()[0] for line in told} == {"unchanged"}
    assert init().exit_code == 0, "the configuration says which sources there are"
    assert contents(in_a_project) == before


def test_another_source_comes_after_what_stands_there(in_a_project: Path) -> None:
    init("-s", "flexnet", "--lake", "s3://bucket/prefix")
    reports = in_a_project / "config/nightshift/reports.yaml"
    reports.write_text(reports.read_text().replace("timezone: UTC", "timezone: Europe/Berlin"))
    mine = reports.read_text()
    assert init("-s", "flexnet", "-s", "exago").exit_code == 0
    assert reports.read_text() == f"{mine.rstrip()}\n\n{starter('exago')}"
    settings = (in_a_project / "config/nightshift/airflow.env").read_text()
    assert "\nNIGHTSHIFT_LAKE=s3://bucket/prefix\n" in settings


def test_what_somebody_changed_is_kept_and_shown_until_it_is_forced(in_a_project: Path) -> None:
    init("-s", "flexnet")
    dag = in_a_project / "dags/nightshift_dags/flexnet_reports.py"
    template = dag.read_text()
    dag.write_text(f"{template}# mine\n")
    kept = init()
    assert kept.exit_code == 0
    assert "-# mine" in kept.output
    assert "--force" in kept.output
    assert dag.read_text() == f"{template}# mine\n"
    assert init("--force").exit_code == 0
    assert dag.read_text() == template


def test_what_nobody_changed_follows_a_newer_version(in_a_project: Path) -> None:
    project = Project(in_a_project / "dags", in_a_project / "config", sources=("flexnet",))
    files, _ = project.plan()
    dag = next(one for one in files if one.path.name == "flexnet_reports.py")
    older = type(dag)(dag.path, "# of an older version\n", None, Fate.NEW)
    project.write([one if one is not dag else older for one in files])
    again, _ = project.plan()
    assert {one.path.name: one.fate for one in again if one.fate is not Fate.SAME} == {dag.path.name: Fate.UPDATED}
    project.write(again)
    assert dag.path.read_text() == dag.text


def test_a_dry_run_writes_nothing(in_a_project: Path) -> None:
    done = init("-s", "flexnet", "--dry-run")
    assert done.exit_code == 0
    assert contents(in_a_project) == {}
    assert "would be new" in done.output


def test_a_broken_configuration_is_told_with_its_line_and_left_alone(in_a_project: Path) -> None:
    init("-s", "flexnet")
    reports = in_a_project / "config/nightshift/reports.yaml"
    reports.write_text("flexnet: [\n")
    before = contents(in_a_project)
    done = init("-s", "exago")
    assert done.exit_code == 1
    assert "reports.yaml:2: not valid YAML" in done.output
    assert contents(in_a_project) == before


def test_a_project_has_every_setting_that_the_doctor_looks_for(
    in_a_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(*everything())
    for name in re.findall(r"^AIRFLOW__\w+", (ROOT / "deploy/airflow.env").read_text(), re.MULTILINE):
        monkeypatch.delenv(name, raising=False)
    text = (in_a_project / "config/nightshift/airflow.env").read_text()
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        monkeypatch.setenv(name, value)
    assert [one.about for one in settings() if one.level is not Level.OK] == []


def test_whether_examples_are_shown_and_dags_begin_paused_is_the_projects(in_a_project: Path) -> None:
    init(*everything())
    ours = set(re.findall(r"^AIRFLOW__\w+", (ROOT / "deploy/airflow.env").read_text(), re.MULTILINE))
    text = (in_a_project / "config/nightshift/airflow.env").read_text()
    assert ours - set(re.findall(r"^AIRFLOW__\w+", text, re.MULTILINE)) == {
        "AIRFLOW__CORE__LOAD_EXAMPLES",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",
    }


def test_a_project_may_be_moved(in_a_project: Path) -> None:
    init("-s", "flexnet")
    moved = in_a_project.rename(in_a_project.with_name("moved"))
    files, _ = Project(moved / "dags", moved / "config/nightshift", lake=str(in_a_project / "lake")).plan()
    assert {one.path.name: one.fate for one in files if one.fate is not Fate.SAME} == {"airflow.env": Fate.UPDATED}


@pytest.mark.parametrize("sign", [" ", "'", "$", "#", "`", ";", "*"])
def test_a_folder_that_the_settings_cannot_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    place = tmp_path / f"a{sign}b"
    place.mkdir()
    monkeypatch.chdir(place)
    done = init("-s", "flexnet")
    assert (done.exit_code, contents(place)) == (1, {})
    assert f"a{sign}b" in "".join(done.output.split("\n"))
    assert "into a folder without blanks" in " ".join(done.output.split())


def test_a_place_where_nothing_can_be_written_is_told(in_a_project: Path) -> None:
    (in_a_project / "dags").write_text("a file where the folder should be")
    done = init("-s", "flexnet")
    assert done.exit_code == 1
    assert done.output.startswith("nightshift: ")
    assert str(in_a_project / "dags") in done.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "name at least one of flexnet"),
        (["-a", "a b"], "a name has letters"),
        (["-s", "sap"], "'sap' is not one of"),
    ],
)
def test_what_cannot_be_done_says_what_can(options: list[str], says: str) -> None:
    done = init(*options)
    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())


def test_the_steps_name_connections_and_pools_and_hold_no_secret() -> None:
    out = init(*everything()).output
    for name in (*SOURCES, "flexdeploy"):
        assert f"airflow connections add {name}_default --conn-type {name} --conn-host https://" in out
    assert "airflow pools import" in out
    assert "airflow dags unpause tokenflex_exports" in out


def test_the_steps_begin_what_promotes_as_well(in_a_project: Path) -> None:
    out = init("-a", "portal").output
    assert f"{in_a_project}/config/nightshift/promotions.yaml  # portal" in out
    assert out.rstrip().endswith("airflow dags unpause promote_portal")
    promotions = in_a_project / "config/nightshift/promotions.yaml"
    promotions.write_text(promotions.read_text().replace("Folder/Project", "Licensing/Portal"))
    again = init().output
    assert "examples" not in again, "it is ours now"
    assert "airflow dags unpause promote_portal" in again


def test_a_project_may_begin_with_an_application_alone(in_a_project: Path) -> None:
    config = in_a_project / "config/nightshift"
    init("-a", "portal")
    assert all_mistakes(config) == []
    assert init("-s", "exago").exit_code == 0
    assert all_mistakes(config) == []
    assert read_section("exago", model_of("exago"), folder=config) is not None


def test_the_steps_say_that_a_person_grants_access_before_token_flex_lets_us_in() -> None:
    out = init("-s", "flexnet", "-s", "tokenflex").output
    others, _, after = out.partition("Admin, Token Flex sign-in")
    assert "connections test flexnet_default" in others
    assert "connections test tokenflex_default" not in others
    assert "connections test tokenflex_default" in after
    assert "sign-in" not in init("-s", "exago", "--config", "other", "--dags", "other/dags").output
