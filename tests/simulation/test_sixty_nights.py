"""Sixty nights with a look-back, a third of them incomplete, through Airflow's own asset manager and scheduler code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.airflow


def test_each_complete_night_is_promoted_once_and_nothing_is_left_waiting(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.sixty_nights", str(tmp_path), "7"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert len(seen["complete"]) == 40
    assert seen["promoted"]["promote_portal"] == seen["complete"]
    assert set(seen["complete"]) == set(seen["promoted"]["promote_dashboard"])
    assert seen["most"] == 1
    assert set(seen["others"]) <= {"skipped"}
    assert seen["pending"] == 0
    assert seen["partitions"] >= 80
    assert seen["together"] > 20
