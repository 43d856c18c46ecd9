from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def pins(file: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)(?:\[\w+\])?==([^\s;\\]+)", file.read_text(), re.MULTILINE)
    return {name.lower(): version for name, version in found}


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    return (root / "Dockerfile").read_text()


def test_the_base_is_the_official_image_of_the_airflow_that_is_tested(dockerfile: str, compose, root: Path) -> None:
    base = f"apache/airflow:{pins(root / 'requirements.txt')['apache-airflow']}-python3.12"
    assert f"ARG AIRFLOW_IMAGE={base}\n" in dockerfile
    assert compose["services"]["init"]["build"]["args"]["AIRFLOW_IMAGE"] == f"${{AIRFLOW_IMAGE:-{base}}}"


def test_the_image_adds_the_versions_that_are_tested(root: Path) -> None:
    asked, locked = pins(root / "requirements-image.txt"), pins(root / "requirements-image.lock")
    tested = pins(root / "requirements-dev.lock")
    assert asked.items() <= locked.items()
    assert locked.items() <= tested.items()


def test_every_requirement_is_in_the_image_or_added(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=~ ]", one)[0].lower() for one in project["dependencies"]}
    of_airflow = {
        "apache-airflow",
        "apache-airflow-providers-http",
        "apache-airflow-providers-standard",
        *("aiohttp", "pendulum", "pydantic", "python-dateutil", "pyyaml", "rich", "typer"),
    }
    assert needed - of_airflow <= set(pins(root / "requirements-image.txt"))


def test_every_locked_file_has_a_hash(root: Path) -> None:
    blocks = re.split(r"^(?=\S)", (root / "requirements-image.lock").read_text(), flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


def test_what_is_copied_exists_and_reaches_the_build(dockerfile: str, root: Path) -> None:
    let_in = [line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert {"dags", "deploy", "include", "plugins", "pyproject.toml", "requirements-image.lock"} <= set(let_in)
    assert all((root / name).exists() for name in let_in)
    assert "USER root" not in dockerfile


def pools(root: Path, config: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root), "NIGHTSHIFT_CONFIG": str(config)}
    return subprocess.run(
        [sys.executable, str(root / "deploy" / "pools.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_init_makes_the_pools_that_the_configuration_names(root: Path, tmp_path: Path) -> None:
    shipped = (root / "include" / "config" / "reports.yaml").read_text()
    (tmp_path / "reports.yaml").write_text(shipped.replace("pool: tokenflex_exports", "pool: of_my_own"))
    done = pools(root, tmp_path)
    assert (done.returncode, done.stdout) == (0, "of_my_own 50\n")


def test_a_mistake_in_the_configuration_is_told_and_does_not_stop_init(root: Path, tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text("flexnet:\n  reprots: []\n")
    done = pools(root, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "reports.yaml:2: flexnet.reprots: unknown field; did you mean 'reports'?" in done.stderr
