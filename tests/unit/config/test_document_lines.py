"""The lines of a file are those of YAML, whatever ends them, and nothing that is wrong with a file is but a mistake."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nightshift.config.document import ConfigError, lines_of, load
from nightshift.config.reports import mistakes_of_reports
from nightshift.nights.flow import nightly_dag
from tests.unit.config.test_document import document

ENDS = ["\n", "\x85", "\u2028", "\u2029"]
GOOD = """camunda_optimize:
  connection: camunda_optimize_default
  reports: [{name: invoices, report_id: abc}]
flexnet:
  connection: flexnet_default
  reports: [{name: entitlement}]
"""


@pytest.mark.parametrize("end", ENDS)
def test_a_quoted_text_at_the_end_may_go_over_lines(tmp_path: Path, end: str) -> None:
    found = document(tmp_path, f'a:\n  x: "one{end}{end}two"\n')
    assert (found.values, found.mistakes) == ({"a": {"x": yaml.safe_load(f'"one{end}{end}two"')}}, {})


@pytest.mark.parametrize("end", ENDS)
def test_a_mistake_is_told_with_the_line_of_the_parser(tmp_path: Path, end: str) -> None:
    swallows = document(tmp_path, f'a: "x{end}{end}y"\nb: "one\nc:\n  y: two"\n')
    assert swallows.mistakes["b"] == [
        f"{tmp_path}/x.yaml:4: b: the quote that opens here goes on over 'c' in line 5; close it"
    ]
    broken = document(tmp_path, f'a: "x{end}{end}y"\nb: [1\nc: 2\nd: "{end}"\n')
    assert broken.values == {"a": yaml.safe_load(f'"x{end}{end}y"'), "c": "2", "d": yaml.safe_load(f'"{end}"')}
    assert broken.mistakes["b"][0].startswith(f"{tmp_path}/x.yaml:4: ")


@given(st.text(st.sampled_from([*ENDS, *"ab:'\"#- \t[]{},&*!|>\x00\x0b\x0c\x1c\ufeff"]), max_size=40))
def test_whatever_is_written_is_read_or_told(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.yaml"
        file.write_text(text, encoding="utf-8")
        told = ""
        try:
            load(file)
        except ConfigError as error:
            told = str(error)
    assert "does not know" not in told


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text(GOOD)
    return tmp_path / "reports.yaml"


def dags() -> list[str | None]:
    return [dag and dag.dag_id for dag in (nightly_dag(one, doc_md=None) for one in ("flexnet", "camunda_optimize"))]


def test_what_nobody_has_thought_of_leaves_what_was_kept(
    reports: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert dags() == ["flexnet_reports", "camunda_reports"]

    def odd(text: str) -> list[str]:
        if "# odd" in text:
            raise ZeroDivisionError("of a library")
        return lines_of(text)

    monkeypatch.setattr("nightshift.config.document.lines_of", odd)
    reports.write_text(f"{GOOD}# odd\n")
    assert dags() == ["flexnet_reports", "camunda_reports"]
    assert "Traceback" in caplog.text
    told = "\n".join(mistakes_of_reports())
    assert "a reason that Nightshift does not know (ZeroDivisionError: of a library). Undo the last change" in told
    assert "all goes on as it was before" in told


@pytest.mark.parametrize("end", ENDS[1:])
def test_no_dag_stands_still_for_a_separator(reports: Path, end: str) -> None:
    reports.write_text(GOOD.replace("{name: entitlement}", f'{{name: entitlement, key: ["a{end}{end}b"]}}'))
    assert dags() == ["flexnet_reports", "camunda_reports"]
