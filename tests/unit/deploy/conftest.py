from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yaml").read_text())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that compose reads, in a folder of their own, with secrets made."""
    shutil.copy(ROOT / "docker-compose.yaml", tmp_path)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copytree(ROOT / "include" / "config", tmp_path / "include" / "config")
    make_secrets(tmp_path)
    return tmp_path


def make_secrets(folder: Path) -> str:
    done = subprocess.run(["sh", str(folder / "deploy" / "secrets.sh")], check=True, capture_output=True, text=True)
    return done.stdout
