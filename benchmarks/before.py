"""Another checkout of Nightshift as a contender in the same run: whether something is slower than it was before."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.contest import Case, Contender, Role, Verdict
from benchmarks.environments import ROOT, MissingPeer
from benchmarks.summary import Summary

BEFORE = "before"
NOT_SLOWER = 0.97
"""Of the speed before: what two runs of one commit differ by on a quiet machine."""


@contextmanager
def checkout(named: str, folder: Path) -> Iterator[Path]:
    """Give a checkout, which runs on this one's environment.

    :param named: a folder that is one, or a commit, of which one is made for the time of the block
    :param folder: where to make it
    :raises MissingPeer: there is no such commit
    """
    if (Path(named) / "plugins" / "nightshift").is_dir():
        yield Path(named).resolve()
        return
    if shutil.which("git") is None:
        raise MissingPeer(f"{named} cannot be checked out: there is no git on this machine")
    made = subprocess.run(
        ["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(folder), named],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise MissingPeer(f"{named} is neither a checkout nor a commit: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(folder)], check=True)


def beside(case: Case, root: Path, named: str) -> Case:
    """Return a case in which our contender of another checkout is the baseline, and ours alone is judged.

    :param named: what that checkout is called in the verdict
    """
    ours = next(one for one in case.contenders if one.role is Role.OURS)
    before = Contender(name=BEFORE, role=Role.PEER, steps=tuple(replace(step, root=root) for step in ours.steps))
    setups = tuple(
        replace(one, contenders=one.contenders | {BEFORE}) if one.contenders and ours.name in one.contenders else one
        for one in case.setups
    )
    contenders = (ours, before, *(one for one in case.contenders if one is not ours))

    def verdicts(summaries: Sequence[Summary]) -> list[Verdict]:
        found = [one for one in summaries if one.contender == ours.name and not one.step and one.cpu_ratio]
        return [
            Verdict(
                target=f"not slower than {named}, {one.setup}",
                seen=f"{one.ratio or 0:.2f} x, {one.cpu_ratio:.2f} x by processor",
                met=(one.cpu_ratio or 0) >= NOT_SLOWER,
            )
            for one in found
        ]

    return replace(case, baseline=BEFORE, contenders=contenders, setups=setups, verdicts=verdicts)
