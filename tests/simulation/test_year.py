"""A small year, counted: the last nights ask the store for no more than the tenth did."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = ["-m", "benchmarks.year", "--bare", "--nights", "30", "--reports", "2", "--applications", "1"]
LIMITED = ("begin", "close", "publish")


@pytest.mark.skipif(shutil.which("cc") is None, reason="the clock of the year is made by a C compiler")
def test_a_later_night_asks_the_store_as_often_as_the_tenth() -> None:
    path = os.pathsep.join([str(ROOT / "plugins"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *COMMAND],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert "promotions of one night, at most: 1 " in done.stdout, done.stderr[-4000:]
    found = dict(re.findall(r"^(?:met|MISSED) +(\w+): requests: ([0-9.]+) ", done.stdout, re.MULTILINE))
    assert found.keys() >= set(LIMITED), done.stdout
    assert all(float(found[what]) <= 1.3 for what in LIMITED), found
