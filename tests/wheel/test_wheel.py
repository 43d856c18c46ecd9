"""What an installed Nightshift is worth without its checkout: the wheel beside plain Airflow, in a folder of strangers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from include.standins.flexnet import FlexNetStandIn

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"

pytestmark = pytest.mark.airflow

FOREIGN = {
    # A project of somebody else's, with names that are ours in a checkout.
    "include/__init__.py": "raise RuntimeError('nightshift imported the include of a stranger')\n",
    "dags/mine.py": """
from airflow.sdk import DAG
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.nights.publish import PublishNightOperator

with DAG("mine", schedule=None):
    extract = FlexNetExtractOperator(task_id="extract", report="account", night="2026-11-21", mode="interactive")
    PublishNightOperator(task_id="publish", extract=extract.output, spec={}, source="flexnet", report="account")
""",
}


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a project that knows nothing of ours."""

    python: Path
    project: Path

    def run(self, code: str, **environment: str) -> Any:
        """Run code there; return what its last line says as JSON."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        home = self.project / "airflow"
        done = subprocess.run(
            [self.python, "-c", code],
            cwd=self.project,
            env={
                **kept,
                "HOME": str(self.project),
                "PYTHONPATH": str(self.project),
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__DAGS_FOLDER": str(self.project / "dags"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", out, ROOT],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True, timeout=120)
    for what in (["--require-hashes", "-r", ROOT / "requirements.lock"], ["--no-deps", wheel]):
        subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *what], check=True, timeout=300)
    project = folder / "project"
    for name, text in FOREIGN.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    return Installed(python, project)


def test_the_wheel_has_the_provider_and_nothing_of_the_project(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"nightshift"}
    assert "nightshift/py.typed" in names
    entry_points = next(name for name in names if name.endswith("entry_points.txt"))
    told = zipfile.ZipFile(wheel).read(entry_points).decode()
    assert "nightshift.provider:get_provider_info" in told
    assert "nightshift.plugin:NightshiftPlugin" in told


def test_airflow_knows_forms_pages_and_timetable(installed: Installed) -> None:
    told = installed.run("""
import json
from airflow import plugins_manager
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
plugins, errors = plugins_manager._get_plugins()
(info,) = [one for one in plugins_manager.get_plugin_info() if one["name"] == "nightshift"]
print(json.dumps({
    "types": sorted(name for name in manager.hooks if manager.hooks[name] and manager.hooks[name].package_name == "nightshift"),
    "errors": errors,
    "apps": sorted(one["url_prefix"] for one in info["fastapi_apps"]),
    "timetables": [str(one) for one in info.get("timetables", [])],
}))
""")
    assert told["types"] == ["camunda_optimize", "exago", "flexdeploy", "flexnet", "tokenflex"]
    assert told["errors"] == {}
    assert told["apps"] == ["/nightshift/promotions", "/nightshift/tokenflex"]
    assert any("NightTimetable" in one for one in told["timetables"])


def test_its_pages_are_served_to_who_is_signed_in_only(installed: Installed) -> None:
    told = installed.run(
        """
import json, subprocess, sys
subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_app
with TestClient(create_app(apps="all")) as client:
    print(json.dumps({page: client.get(f"/nightshift/{page}/").status_code for page in ("tokenflex", "promotions")}))
""",
        NIGHTSHIFT_LAKE=str(installed.project / "lake"),
        NIGHTSHIFT_CONFIG=str(installed.project),
    )
    assert told == {"tokenflex": 401, "promotions": 401}


def test_without_a_lake_or_a_configuration_the_error_says_what_to_set(installed: Installed) -> None:
    told = installed.run("""
import json
from nightshift.settings import ConfigError, config_folder, lake_url
said = []
for ask in (config_folder, lake_url):
    try:
        said.append(str(ask()))
    except ConfigError as error:
        said.append(str(error))
print(json.dumps(said))
""")
    for text, name in zip(told, ("NIGHTSHIFT_CONFIG", "NIGHTSHIFT_LAKE"), strict=True):
        assert text.startswith(f"{name} is not set. Set it"), text


def test_a_dag_of_a_stranger_brings_a_report_home(installed: Installed) -> None:
    """An operator in a DAG that has nothing of ours but the wheel, and the Test button, against a vendor on a socket."""
    with FlexNetStandIn() as vendor:
        connection = {"conn_type": "flexnet", "host": vendor.url, "login": "nightshift", "password": "standin-flexnet"}
        told = installed.run(
            """
import json, logging
from nightshift.flexnet.hook import FlexNetHook
tested = FlexNetHook("flexnet_default").test_connection()
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
assert not bag.import_errors, bag.import_errors
run = bag.dags["mine"].test()
from nightshift.lake.store import Lake
from nightshift.lake.tables import night_rows
import os
rows = night_rows(Lake.from_url(os.environ["NIGHTSHIFT_LAKE"]), "flexnet", "account")
print(json.dumps({"tested": tested, "state": str(run.state), "rows": rows}))
""",
            NIGHTSHIFT_LAKE=str(installed.project / "lake"),
            AIRFLOW_CONN_FLEXNET_DEFAULT=json.dumps(connection),
        )
        assert told["tested"][0] is True, told
        assert told["state"] == "success"
        assert told["rows"]["2026-11-21"] > 0
