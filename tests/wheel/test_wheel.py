"""What an installed Nightshift is worth without its checkout: the wheel beside plain Airflow, in a folder of
strangers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.local.airflow import COMPONENTS, USER, free_port, session_members
from include.local.rest import Api, ApiError
from include.standins.flexnet import FlexNetStandIn
from nightshift.sources import ROOMS

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
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Installed:
    environment = ROOT / ".venvs" / "wheel"
    python = environment / "bin" / "python"
    subprocess.run([UV, "venv", "--quiet", "--clear", "--python", sys.executable, environment], check=True, timeout=120)
    for what in (["--require-hashes", "-r", ROOT / "requirements.lock"], ["--no-deps", wheel]):
        subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *what], check=True, timeout=300)
    [packages] = environment.glob("lib/python*/site-packages")
    lend_byte_code(Path(sysconfig.get_path("purelib")), packages)
    return Installed(python, a_strangers(tmp_path_factory.mktemp("project")))


def a_strangers(project: Path) -> Path:
    for name, text in FOREIGN.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    return project


def lend_byte_code(ours: Path, theirs: Path) -> None:
    """Give an environment the byte code that ours has of the same files: to compile Airflow takes a core for a while.
    Python itself looks whether it is of the file that lies beside it.
    """
    for folder in [theirs, *theirs.rglob("*/")]:
        code = ours / folder.relative_to(theirs) / "__pycache__"
        if code.is_dir():
            shutil.copytree(code, folder / "__pycache__", dirs_exist_ok=True)


def test_the_wheel_has_the_provider_and_nothing_of_the_project(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"nightshift"}
    assert "nightshift/py.typed" in names
    assert not [name for name in names if name.endswith(".pyc")]
    assert {name for name in names if name.startswith("nightshift/cli/dags/")} == {
        f"nightshift/cli/dags/{one.name}" for one in (ROOT / "dags").glob("*.py")
    }
    static = ROOT / "plugins" / "nightshift" / "board" / "static"
    assert {name for name in names if name.startswith("nightshift/board/static/")} == {
        f"nightshift/board/static/{one.name}" for one in static.iterdir()
    }
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
    "types": sorted(name for name, hook in manager.hooks.items() if hook and hook.package_name == "nightshift"),
    "errors": errors,
    "apps": sorted(one["url_prefix"] for one in info["fastapi_apps"]),
    "timetables": [str(one) for one in info.get("timetables", [])],
}))
""")
    assert told["types"] == sorted(ROOMS)
    assert told["errors"] == {}
    assert told["apps"] == ["/nightshift/board", "/nightshift/tokenflex"]
    assert any("NightTimetable" in one for one in told["timetables"])


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


@dataclass(frozen=True)
class Shell:
    """A person's shell in a project of their own, with the environment of their Airflow active."""

    folder: Path
    environment: dict[str, str]

    @property
    def api(self) -> Api:
        """Airflow's own API, signed in."""
        passwords = self.folder / "airflow" / "simple_auth_manager_passwords.json.generated"
        password = json.loads(passwords.read_text())[USER] if passwords.exists() else ""
        return Api(f"http://localhost:{self.environment['AIRFLOW__API__PORT']}", USER, password)

    def run(self, line: str) -> str:
        """Run a line; return what it says."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    @contextmanager
    def stays(self, line: str) -> Iterator[None]:
        """Run a line that does not end by itself, and end it with all that it started."""
        with (self.folder / "stays.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {line}"],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
        finally:
            for number in (15, 9):
                for pid in session_members(process.pid):
                    os.kill(pid, number)
                until = time.monotonic() + 10
                while session_members(process.pid) and time.monotonic() < until:
                    process.poll()
                    time.sleep(0.1)
            process.wait(timeout=10)


def until(true: Callable[[], bool], what: str, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except (ApiError, OSError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds:g} s")


@pytest.fixture
def shell(installed: Installed, tmp_path: Path) -> Shell:
    port = free_port()
    own = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "HOME": str(tmp_path),
        "PATH": os.pathsep.join([str(installed.python.parent), os.environ["PATH"]]),
        "PYTHONPATH": str(tmp_path),
        "FLEXNET_PASSWORD": "standin-flexnet",
    }
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    return Shell(a_strangers(tmp_path), {**kept, **own})


def commands(host: str) -> list[str]:
    """Return the commands of the installation page, for a stand-in."""
    page = (ROOT / "docs/install.md").read_text()
    lines = re.search(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1].splitlines()  # type: ignore[index]
    assert len(lines) <= 10
    assert lines.pop(0) == "pip install <checkout>", "what the fixture did, with the wheel"
    mine = {"https://acme.flexnetoperations.com": host, "'<producer user>'": "nightshift"}
    return [re.sub("|".join(map(re.escape, mine)), lambda found: mine[found[0]], line) for line in lines]


def test_the_commands_of_the_installation_page_bring_last_nights_report_home(shell: Shell) -> None:
    """``nightshift init``, the Test, a run, a DAG of a stranger's own and the pages, with a whole Airflow that has
    nothing of ours but the wheel.
    """
    with FlexNetStandIn() as vendor:
        init, settings, dags, migrate, add, test, standalone, unpause, trigger = commands(vendor.url)
        settings = f"{settings}; {dags}"
        shell.run(init)
        shell.run(f"{settings}; {migrate} && {add}")
        assert "Connection success!" in shell.run(f"{settings}; {test}")
        with shell.stays(standalone_with(shell, settings, standalone)):
            until(lambda: all(shell.api.health().get(one) == "healthy" for one in COMPONENTS), "Airflow is up")
            for dag_id in ("flexnet_reports", "mine"):
                until(lambda dag_id=dag_id: bool(shell.api.call("GET", f"/api/v2/dags/{dag_id}")), f"{dag_id} is there")
            errors = shell.api.call("GET", "/api/v2/importErrors")
            assert errors["total_entries"] == 0, errors
            shell.api.unpause("mine")
            run_id = shell.api.trigger("mine")
            shell.run(f"{settings}; {unpause} && {trigger}")
            assert shell.api.wait("mine", run_id)["state"] == "success"
            assert list((shell.folder / "lake/tables/flexnet/account").glob("night=2026-11-21/*.parquet"))
            night = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
            table = shell.folder / "lake/tables/flexnet/entitlement"
            until(lambda: bool(list(table.glob(f"night={night}/*.parquet"))), f"night {night} is published")
            pages = {page: status(shell.api, f"/nightshift/{page}") for page in ("board/api/overview", "tokenflex/")}
            assert pages == {"board/api/overview": (401, 200), "tokenflex/": (401, 200)}


def standalone_with(shell: Shell, settings: str, line: str) -> str:
    """Return a line whose process has the settings."""
    return f"bash -c {json.dumps(f'{settings}; exec {line}')}"


def status(api: Api, path: str) -> tuple[int, int]:
    """Return the status of a page for anybody, and for who is signed in."""

    def asked(headers: dict[str, str]) -> int:
        try:
            with urllib.request.urlopen(urllib.request.Request(api.url + path, headers=headers), timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)

    return asked({}), asked({"Authorization": f"Bearer {api.token()}"})
