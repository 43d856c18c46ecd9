"""What is in the repository says nothing of the machine that it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OF_A_MACHINE = re.compile(rb"/(?:work|root)/\w|/(?:home|Users)/\w|[A-Z]:\\Users\\")


def test_no_file_holds_a_path_of_the_machine_that_made_it() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    names = [name for name in listed.stdout.decode().split("\0") if (ROOT / name).is_file()]
    assert len(names) > 1000
    assert [name for name in names if OF_A_MACHINE.search((ROOT / name).read_bytes())] == []
