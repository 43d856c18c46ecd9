"""What counts of ``reports.yaml``, and of what nobody knows what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nightshift.config.reports import mistakes_of_reports, sources_in_force
from nightshift.nights.flow import nightly_dag
from nightshift.sources import SOURCES

GOOD = "flexnet: {reports: [{name: usage}]}\n"
BAD = "flexnet: {reports: [{nmae: usage}]}\n"
GONE = "flexnet: is no longer here"


@pytest.mark.parametrize(
    ("text", "is_kept", "sources", "removed", "unknown"),
    [
        (GOOD, True, ["flexnet"], set(), {}),
        (GOOD, False, ["flexnet"], set(), {}),
        (BAD, True, ["flexnet"], set(), {}),
        (BAD, False, [], set(), {"flexnet": "reports.yaml:1: flexnet"}),
        ("exago: {}\n" + BAD, False, ["exago"], set(), {"flexnet": "reports.yaml:2: flexnet"}),
        ("exago: {}\n", True, ["exago"], set(), {"flexnet": GONE}),
        ("exago: {}\n", False, ["exago"], set(), {}),
        ("flexnet: {removed: true}\n", True, [], {"flexnet"}, {}),
        ("flexnet: {removed: true}\n", False, [], {"flexnet"}, {}),
        # It is told for itself, and flexnet is meant.
        ("flexnett: {reports: [{name: usage}]}\n", True, ["flexnet"], set(), {}),
        ("- flexnet\n", True, ["flexnet"], set(), {}),
        ("- flexnet\n", False, [], set(), {"reports.yaml": "reports.yaml:"}),
        (None, True, ["flexnet"], set(), {}),
        (None, False, [], set(), {"reports.yaml": "reports.yaml"}),
    ],
)
def test_what_counts_and_what_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, is_kept: bool, sources, removed, unknown
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    file = tmp_path / "reports.yaml"
    file.write_text(GOOD)
    sources_in_force(tmp_path)
    if not is_kept:
        shutil.rmtree(tmp_path / "kept")
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    found = sources_in_force(tmp_path)
    assert (sorted(found.sources), found.removed, sorted(found.unknown)) == (sources, removed, sorted(unknown))
    assert all(words in found.unknown[name] and "\n" not in found.unknown[name] for name, words in unknown.items())
    assert bool(found.broken) is (text is None or text == "- flexnet\n")
    assert ("there is no section acme" in found.why_unknown("acme")) is not bool(found.broken)


NAMED = {
    "flexnet": "flexnet: {{reports: [{{name: {}}}]}}",
    "camunda_optimize": "camunda_optimize: {{reports: [{{name: {}, report_id: abc}}]}}",
    "exago": "exago: {{reports: [{{name: {}, path: Sales}}]}}",
    "tokenflex": "tokenflex: {{contract: '1', exports: [{{name: {}, category: DESKTOP_PRODUCT, fields: [usageDate]}}]}}",
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["night", "Night", "extract", "publish", "request", "changes"])
def test_a_name_that_the_dag_has_itself_is_a_mistake_and_every_other_a_task_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, name: str
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(tmp_path))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text(NAMED[source].format(name))
    dag, mistakes = nightly_dag(source, doc_md=None), mistakes_of_reports()
    if name == "night":
        assert dag is None
        assert "'night' is the name of the first task of the DAG" in mistakes[0]
        assert "give the report another name" in mistakes[0]
    else:
        assert mistakes == []
        assert dag is not None
        assert name in dag.task_group.children


@pytest.mark.parametrize("start", ["9999-12-31", "0001-01-01", "2201-01-01"])
def test_a_day_that_nothing_can_reckon_with_is_refused(tmp_path: Path, start: str) -> None:
    (tmp_path / "reports.yaml").write_text(f"flexnet: {{start: {start}, reports: [{{name: a}}]}}")
    assert "flexnet.start: is not a day of the years 1900 to 2200" in mistakes_of_reports(tmp_path)[0]
