"""``bin/setup`` with an interpreter that notes what it is asked for instead of installing it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = ("requirements.lock", "requirements-dev.lock", "requirements-setup.lock", "pyproject.toml")
INTERPRETER = """#!/bin/sh
case "$1 $2" in
  "-m venv")
    mkdir -p "$3/bin"; echo "venv by ${0##*/}" >>ledger
    [ ! -f die ] || { how=$(cat die); rm die; echo "Traceback: venv" >&2; kill $how $PPID; exit 1; }
    cp "$0" "$3/bin/python"
    printf '#!/bin/sh\\nfor one; do last=$one; done; echo "uv $last" >>ledger\\n' >"$3/bin/uv"; chmod +x "$3/bin/uv" ;;
  "-m pip") echo pip >>ledger ;;
  *) exec %s "$@" ;;
esac
"""
OTHER = '#!/bin/sh\necho "%s"\n'


class Checkout:
    """A folder with the script, locks of a line each, and interpreters of its own on the path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "bin").mkdir()
        shutil.copy(ROOT / "bin" / "setup", root / "bin")
        for name in FILES:
            (root / name).write_text(f"{name}==1\n")
        self.path = root / "path"
        self.path.mkdir()

    def interpreter(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def setup(self, *arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            ["/bin/sh", self.root / "bin" / "setup", *arguments],
            env={"PATH": f"{self.path}:/usr/bin:/bin", "HOME": str(self.root / "home"), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stderr + done.stdout

    def done(self) -> list[str]:
        """What has been done since it was asked last."""
        ledger = self.root / "ledger"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        ledger.unlink(missing_ok=True)
        return lines


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    for name in ("python3.12", "python3.13", "python3.14", "python3.11", "python3", "python"):
        made.interpreter(name, OTHER % "3.9.1 unfit")
    made.interpreter("python3.12", INTERPRETER % sys.executable)
    return made


WHOLE = ["venv by python3.12", "pip"]


def test_running_needs_the_smaller_lock_and_development_adds_to_it(checkout: Checkout) -> None:
    code, told = checkout.setup("run")
    assert code == 0, told
    assert checkout.done() == [*WHOLE, "uv requirements.lock", "uv ."]
    assert ".venv is ready for run" in told
    assert checkout.setup("run") == (0, "")
    assert checkout.done() == []
    assert checkout.setup()[0] == 0
    assert checkout.done() == ["uv requirements-dev.lock", "uv ."]
    assert [checkout.setup(level) for level in ("run", "dev")] == [(0, ""), (0, "")]
    assert checkout.done() == []


def test_a_new_lock_builds_anew_and_a_new_project_is_installed_alone(checkout: Checkout) -> None:
    checkout.setup("dev")
    checkout.done()
    (checkout.root / "pyproject.toml").write_text("another\n")
    checkout.setup("run")
    assert checkout.done() == ["uv ."]
    (checkout.root / "requirements.lock").write_text("another==2\n")
    checkout.setup("run", PYTHON="python3.12")
    assert checkout.done() == [*WHOLE, "uv requirements.lock", "uv ."]


def test_what_was_killed_begins_afresh(checkout: Checkout) -> None:
    (checkout.root / "die").write_text("-KILL")
    assert checkout.setup("run")[0] != 0
    assert (checkout.root / ".venv" / "bin").is_dir()
    assert checkout.done() == ["venv by python3.12"]
    code, told = checkout.setup("run")
    assert code == 0
    assert "was never finished" in told
    assert checkout.done() == [*WHOLE, "uv requirements.lock", "uv ."]


def test_what_is_interrupted_says_so_and_nothing_of_its_inside(checkout: Checkout) -> None:
    (checkout.root / "die").write_text("-INT")
    code, told = checkout.setup("run")
    assert code == 130
    assert "interrupted; the same command again begins afresh" in told
    assert "Traceback" not in told
    assert checkout.setup("run")[0] == 0


def test_a_venv_that_cannot_be_made_says_why(checkout: Checkout) -> None:
    (checkout.root / "die").write_text("-0")
    code, told = checkout.setup("run")
    assert code == 1
    assert "could not create .venv: Traceback: venv" in told


def test_a_named_interpreter_takes_the_place_of_another(checkout: Checkout) -> None:
    checkout.setup("run")
    checkout.done()
    checkout.interpreter(
        "python3.13",
        INTERPRETER.replace('"-m pip")', '"-c import os,"*) echo "3 13 elsewhere" ;;\n  "-m pip")') % sys.executable,
    )
    code, told = checkout.setup("run", PYTHON="python3.13")
    assert code == 0
    assert "it is built anew" in told
    assert checkout.done() == ["venv by python3.13", "pip", "uv requirements.lock", "uv ."]
    assert checkout.setup("run") == (0, "")


def test_an_interpreter_that_cannot_be_used_is_named(checkout: Checkout) -> None:
    code, told = checkout.setup("run", PYTHON="python3.11")
    assert (code, checkout.done()) == (1, [])
    assert "PYTHON=python3.11 is Python 3.9.1 and cannot be used: name an interpreter of Python 3.11" in told
    code, told = checkout.setup("run", PYTHON="/nowhere/python")
    assert code == 1
    assert "PYTHON=/nowhere/python cannot be used" in told


def test_all_that_was_found_is_said_where_nothing_fits(checkout: Checkout) -> None:
    checkout.interpreter("python3.12", OTHER % "3.10.2 unfit")
    code, told = checkout.setup("run")
    assert code == 1
    assert "needs Python 3.11, 3.12, 3.13 or 3.14; found: python3.12 3.10.2, python3.13 3.9.1" in told


def test_one_without_the_venv_module_says_how_to_get_it(checkout: Checkout) -> None:
    checkout.interpreter("python3.12", OTHER % "3.12.1 bare")
    code, told = checkout.setup("run")
    assert code == 1
    assert "python3.12 (3.12.1) has no venv module. On Debian or Ubuntu: apt-get install python3-venv" in told


def test_a_folder_that_cannot_be_written_says_what_to_do(checkout: Checkout) -> None:
    (checkout.root / ".cache").write_text("in the way")
    code, told = checkout.setup("run")
    assert (code, checkout.done()) == (1, [])
    assert f"cannot write in {checkout.root}" in told
    assert "Copy the checkout to a folder of your own" in told
