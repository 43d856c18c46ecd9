"""A sixth vendor is five places: all else reads what its room says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from nightshift.sources import ROOMS

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "tests" / "sixth_vendor"
REPORTS = "acme: {reports: [{name: orders, key: [id], checks: {not_empty: true}}]}\n"


def added(project: Path) -> list[str]:
    """Add the vendor to a copy of the project; return the places."""
    places = {
        "plugins/nightshift/acme": TEMPLATE / "room",
        "include/standins/acme": TEMPLATE / "standin",
        "dags/acme_reports.py": TEMPLATE / "acme_reports.py",
    }
    for place, source in places.items():
        (shutil.copytree if source.is_dir() else shutil.copy)(source, project / place)
    edits = {
        "plugins/nightshift/sources.py": ('"flexdeploy")', '"flexdeploy", "acme")'),
        "pyproject.toml": ('"nightshift.flexdeploy"]', '"nightshift.flexdeploy", "nightshift.acme"]'),
    }
    for place, (before, after) in edits.items():
        text = (project / place).read_text()
        assert before in text, place
        (project / place).write_text(text.replace(before, after, 1))
    return [*places, *edits]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project")
    for name in ("plugins", "include", "dags", "deploy"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    assert len(added(copy)) <= 5
    config = copy / "include" / "config"
    shutil.rmtree(config)
    config.mkdir()
    (config / "reports.yaml").write_text(REPORTS)
    return copy


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (project / "plugins", project, ROOT)))
    lake = project / "lake"
    environ = {
        **os.environ,
        "PYTHONPATH": path,
        "NIGHTSHIFT_LAKE": str(lake),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
    }
    return subprocess.run(
        [sys.executable, *command], cwd=project, env=environ, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def mission(project: Path) -> dict[str, Any]:
    done = run(project, "-m", "tests.sixth_vendor.mission", str(project), str(project / "lake"))
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["provider"].startswith(str(project))
    return found


def test_its_section_is_read_and_its_dag_declared(mission: dict[str, Any]) -> None:
    assert mission["reports"] == ["orders"]
    assert mission["import_errors"] == {}
    assert mission["tasks"] == ["night", "orders.extract", "orders.publish"]


def test_airflow_knows_its_connection_type_and_form(mission: dict[str, Any]) -> None:
    assert mission["types"] == [*ROOMS, "acme"]
    assert mission["form"] == ["page_size", "timeout", "proxy", "verify", "requests_per_minute"]


def test_a_night_comes_home_from_a_real_socket(mission: dict[str, Any]) -> None:
    assert mission["states"] == ["success", "success", ""]
    assert [(one["day"], one["size"], one["page"]) for one in mission["asked"]] == [
        ("2026-11-21", "100", number) for number in ("1", "2", "3")
    ]
    assert mission["rows"] == 250


def test_the_command_begins_a_project_with_it(project: Path, tmp_path: Path) -> None:
    options = ("--source", "acme", "--dags", str(tmp_path / "dags"), "--config", str(tmp_path / "config"))
    done = run(project, "-c", "from nightshift.cli.app import app; app()", "init", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acme:" in (tmp_path / "config" / "reports.yaml").read_text()


def test_its_places_are_those_that_the_page_names(project: Path) -> None:
    page = (ROOT / "docs/new-vendor.md").read_text().partition("`tests/sixth_vendor/`")[0]
    told = [one.rstrip("/").replace("<vendor>", "acme") for one in re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)]
    assert told == [
        "plugins/nightshift/acme",
        "plugins/nightshift/sources.py",
        "dags/acme_reports.py",
        "include/standins/acme",
        "pyproject.toml",
    ]
    assert all((project / one).exists() for one in told)


def test_tables_are_none_of_its_business_without_a_word_in_the_contract(project: Path) -> None:
    lint = ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
    clean = run(project, *lint)
    assert clean.returncode == 0, clean.stdout
    stray = project / "plugins/nightshift/acme/stray.py"
    stray.write_text("import deltalake\n")
    found = run(project, *lint)
    stray.unlink()
    assert found.returncode == 1
    assert "nightshift.acme is not allowed to import deltalake" in found.stdout


def test_the_import_contract_names_every_room() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (independent,) = [one["modules"] for one in contracts if one["type"] == "independence"]
    assert independent == [f"nightshift.{room}" for room in ROOMS]
