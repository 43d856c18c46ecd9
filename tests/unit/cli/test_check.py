"""``nightshift config check`` as a pipeline runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Run


def test_what_is_right_is_told_and_nothing_is_written(config: Path, run: Run, tmp_path: Path) -> None:
    found = run("config", "check")
    assert (found.exit_code, found.stdout) == (0, f"{config}: nothing is wrong\n")
    assert json.loads(run("config", "check", "--json").stdout) == {
        "version": 1,
        "ok": True,
        "files": [str(config / "reports.yaml")],
        "mistakes": [],
    }
    assert not (tmp_path / "kept").exists()


def test_each_mistake_has_file_line_field_and_the_nearest_name(config: Path, run: Run) -> None:
    (config / "reports.yaml").write_text("flexnet:\n  reports:\n    - {nmae: device}\nflexnett: {}\n")
    (config / "promotions.yaml").write_text(
        "portal:\n  project: A/B\n  after: [flexnet/devise]\n  stages: [{name: D}]\n"
    )
    found = run("config", "check", "--json")
    assert found.exit_code == 1
    mistakes = json.loads(found.stdout)["mistakes"]
    places = {(Path(one["file"]).name, one["line"], one["field"]) for one in mistakes}
    assert ("reports.yaml", 3, "flexnet.reports[0].nmae") in places
    assert ("reports.yaml", 4, "flexnett") in places
    assert any("did you mean 'name'?" in one["text"] for one in mistakes)
    assert any(one["file"].endswith("promotions.yaml") for one in mistakes)
    shown = run("config", "check").stdout.splitlines()
    assert len(shown) == len(mistakes)


def test_a_folder_without_files_is_a_mistake_with_a_sentence(run: Run, tmp_path: Path) -> None:
    found = run("config", "check", str(tmp_path / "nowhere"))
    assert found.exit_code == 1
    assert "reports.yaml" in found.stdout
    assert "Traceback" not in found.output
