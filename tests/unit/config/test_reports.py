"""What counts of ``reports.yaml``, and of what nobody knows what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nightshift.config.reports import sources_in_force

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
