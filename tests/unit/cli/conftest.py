"""A project for commands: a configuration, an empty lake, a terminal that is wide enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nightshift.cli.app import app
from nightshift.lake.store import Lake

REPORTS = """\
flexnet:
  reports:
    - {name: entitlement, key: [id]}
    - {name: device, key: [id]}
"""
Run = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "reports.yaml").write_text(REPORTS)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(folder))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    return folder


@pytest.fixture
def lake(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    (tmp_path / "lake").mkdir()
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "300")

    def invoke(*words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, words, input=answer)

    return invoke
