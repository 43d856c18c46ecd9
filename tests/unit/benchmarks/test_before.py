from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.before import BEFORE, beside, checkout
from benchmarks.cases.csv import csv
from benchmarks.cases.paged import paged
from benchmarks.contest import Job, Run
from benchmarks.environments import ROOT, MissingPeer, environ_of
from benchmarks.measure import Cost
from benchmarks.rounds import Trial
from benchmarks.speed import proof
from benchmarks.summary import summarize

PAGED = paged(pages=100, page_rows=1000, large=False)


def trial(contender: str, seconds: float) -> Trial:
    def costs(each: float) -> tuple[Cost, ...]:
        return (Cost(wall=each, cpu=each, rss_mb=1), Cost(wall=each, cpu=each, rss_mb=1))

    return Trial(setup="fast", contender=contender, run=1, full=costs(seconds), small=costs(1.0))


def test_the_other_checkout_runs_its_own_code_in_every_setup_of_ours(tmp_path: Path) -> None:
    for case in (PAGED, csv(mb=1, large=True)):
        both = beside(case, tmp_path, "main")
        before = next(one for one in both.contenders if one.name == BEFORE)
        job = Job(origin="", settings={}, out=tmp_path)
        assert before.name == both.baseline
        assert all(str(tmp_path / "benchmarks") in " ".join(step.command_line(job, "{}")) for step in before.steps)
        assert all(one.contenders is None or {BEFORE, "nightshift"} <= one.contenders for one in both.setups)
    assert str(tmp_path / "plugins") in environ_of("nightshift", tmp_path, tmp_path)["PYTHONPATH"]


@pytest.mark.parametrize(("seconds", "met"), [(2.0, True), (3.0, True), (3.4, False)])
def test_what_became_slower_is_told(seconds: float, met: bool) -> None:
    both = beside(PAGED, ROOT, "main")
    trials = [trial("nightshift", seconds), trial(BEFORE, 3.0)]
    verdict = next(iter(both.verdicts(summarize(both, both.setups[0], trials))))
    assert verdict.met is met
    assert verdict.target == "not slower than main, fast"


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
def test_a_commit_is_checked_out_for_the_time_of_a_run(tmp_path: Path) -> None:
    with checkout(str(ROOT), tmp_path / "x") as there:
        assert there == ROOT.resolve()
    with checkout("HEAD", tmp_path / "before") as there:
        assert (there / "plugins" / "nightshift" / "plugin.py").is_file()
    assert not there.exists()
    with pytest.raises(MissingPeer, match="neither a checkout nor a commit"), checkout("no-such", tmp_path / "y"):
        pass
    known = subprocess.run(["git", "-C", str(ROOT), "worktree", "list"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in known.stdout


def test_a_proof_has_each_figure_beside_its_target() -> None:
    case = replace(PAGED, setups=PAGED.setups[:1])
    summaries = summarize(case, case.setups[0], [trial("nightshift", 3.0), trial("dlt", 40.0)])
    made = proof([Run(case, summaries, case.verdicts(summaries), False)], ["paged", "--proof"])
    assert made.command == "python -m benchmarks paged --proof"
    assert any(one.met is not None and "300,000" in one.target and "rows/s" in one.value for one in made.figures)
    assert all(len(row) == len(table.head) for table in made.tables for row in table.rows)
    assert report.table(case, case.setups[0], summaries).splitlines()[1].split()[0] == "contender"
