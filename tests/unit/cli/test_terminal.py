"""What every command keeps to: exit codes, one sentence instead of a traceback, no secret, no control character."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from nightshift.cli.app import ended_with
from nightshift.cli.schema import SCHEMAS
from nightshift.cli.terminal import CannotTell, Exit, plain, telling
from nightshift.config.document import ConfigError
from nightshift.known_secrets import remember
from nightshift.lake.errors import UnfitStore
from nightshift.lake.store import Lake
from tests.published import publish_night
from tests.unit.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[3]
MAIN = "from nightshift.cli.app import main; main()"


def process(*words: str, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    arguments = [sys.executable, "-c", MAIN, *words]
    return subprocess.run(
        arguments, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120, check=False
    )


def test_the_process_ends_with_the_code_of_the_command_and_all_that_it_printed() -> None:
    schema = process("schema", "reports")
    assert (schema.returncode, schema.stdout.rstrip()[-1]) == (0, "}")
    assert process("config", "check", "/nowhere").returncode == Exit.WRONG
    assert process("no-such-command").returncode == 2


def test_a_terminal_without_our_signs_gets_others(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_night(lake, "flexnet/entitlement", "2026-11-20")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    shown = process("nights", "-n", "2", "--until", "2026-11-20")
    assert shown.returncode == Exit.FINE, shown.stderr
    assert "# published  . never" in shown.stdout
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    schema = process("schema", "reports").stdout
    assert json.loads(schema[schema.index("{\n") :]) == SCHEMAS["reports"]()


def test_a_reader_that_has_seen_enough_is_no_error_to_be_told() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = process("schema", "notify", stdout=writer)
    os.close(writer)
    assert ended.returncode == Exit.WRONG
    assert "nightshift: " not in ended.stderr


def test_a_result_that_cannot_be_written_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        ended = process("schema", "notify", stdout=full)
    assert ended.returncode == Exit.NOT_KNOWN
    told = ended.stderr.splitlines()[-1]
    assert told.startswith("nightshift: ")
    assert "No space left on device" in told


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (None, 0),
        (SystemExit(), 0),
        (SystemExit(4), 4),
        (SystemExit("no"), 1),
        (typer.Exit(3), 3),
        (KeyboardInterrupt(), Exit.NOT_KNOWN),
        (ZeroDivisionError("division by zero"), Exit.NOT_KNOWN),
        (BrokenPipeError(), Exit.WRONG),
    ],
)
def test_every_end_of_a_command_has_its_code(
    ends: BaseException | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        if ends is not None:
            raise ends

    assert ended_with(command) == code
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("reports.yaml:3: is wrong"), Exit.WRONG),
        (CannotTell("Airflow is away"), Exit.NOT_KNOWN),
        (UnfitStore("The lake cannot be written"), Exit.NOT_KNOWN),
        (ZeroDivisionError("division by zero"), Exit.NOT_KNOWN),
        (KeyboardInterrupt(), Exit.NOT_KNOWN),
    ],
)
def test_whatever_goes_wrong_is_one_sentence_and_a_code(
    error: BaseException, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, telling():
        raise error
    assert ended.value.exit_code == code
    told = capsys.readouterr().err
    assert told.startswith("nightshift: ")
    assert "Traceback" not in told


def test_no_secret_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    remember("hunter2-hunter2")
    with pytest.raises(typer.Exit), telling():
        raise RuntimeError("refused: hunter2-hunter2")
    assert "hunter2" not in capsys.readouterr().err


def test_what_would_move_the_cursor_or_turn_a_line_around_is_shown_as_what_it_is() -> None:
    assert plain("a\x1b[31mb\u202ec\x00") == "a\ufffd[31mb\ufffdc\ufffd"
    assert plain("two\nlines\tö") == "two\nlines\tö"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("doctor",),
        ("config", "check"),
        ("nights",),
        ("promotions",),
        ("jobs",),
        ("replay",),
        ("watch",),
        ("hold", "set"),
    ],
)
def test_every_command_helps(words: tuple[str, ...], run: Run) -> None:
    found = run(*words, "--help")
    assert found.exit_code == 0
    assert "Usage" in found.stdout


def test_what_is_logged_meanwhile_is_beside_the_result(monkeypatch: pytest.MonkeyPatch, lake: Lake, run: Run) -> None:
    """A warning of ours, and one of Airflow's, whose log goes where a result goes."""
    from nightshift.nights import index

    def read(*given: Any, **named: Any) -> Any:
        logging.getLogger("nightshift.nights").warning("the index is stale")
        logging.getLogger("airflow.something").warning("and Airflow says so, too")
        return found(*given, **named)

    found = index.read
    monkeypatch.setattr(index, "read", read)
    handler = logging.StreamHandler(sys.stdout)
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers, handler])
    told = run("nights", "--json")
    assert json.loads(told.stdout)["version"] == 1
    assert "warning: the index is stale" in told.stderr
    assert logging.getLogger("nightshift").propagate
