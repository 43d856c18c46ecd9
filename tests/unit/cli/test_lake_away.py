"""A lake whose folder is not there is away, not new: no command makes it, or says that all is well."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.cli.project import Project
from tests.unit.cli.conftest import Run

COMMANDS = [
    ("watch",),
    ("nights",),
    ("nights", "rebuild-index"),
    ("promotions",),
    ("replay", "flexnet", "--from", "2026-11-20"),
    ("hold", "list"),
    ("hold", "set", "--all", "--reason", "a freeze", "--yes"),
]


@pytest.fixture
def away(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "not" / "mounted"
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(folder))
    return folder


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_lake_that_is_away_could_not_be_looked_at(run: Run, away: Path, words: tuple[str, ...]) -> None:
    found = run(*words)
    assert found.exit_code == 3, found.output
    assert f"there is no folder {away}" in found.stderr
    assert not away.exists()


def test_a_new_project_has_its_lake(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NIGHTSHIFT_LAKE", raising=False)
    project = Project(tmp_path / "dags", tmp_path / "config/nightshift", sources=("flexnet",))
    project.write(project.plan()[0])
    assert (tmp_path / "lake").is_dir()


def test_the_doctor_finds_that_it_is_away(run: Run, away: Path) -> None:
    found = run("doctor", "--no-airflow")
    assert found.exit_code == 1
    assert f"there is no folder {away}" in found.stdout.replace("\n", "")
    assert not away.exists()
