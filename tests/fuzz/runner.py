"""Gives inputs to targets under watch, by the number, and says what came of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.mutation import CANARY, mutated
from tests.fuzz.targets import TARGETS, Box, Skipped, Target, every_target
from tests.fuzz.watching import Watch

FAILURES = Path(".local/fuzz")
"""Where inputs are written that bring about what none may."""
CASES = Path(__file__).parent / "cases"
"""Inputs that once did, and are tried again each time: ``cases/<target>/<what>``."""


@dataclass
class Tally:
    """What came of the inputs of a target.

    :param failed: one line each: where it is kept, its seed, what was raised
    """

    name: str
    inputs: int = 0
    seconds: float = 0.0
    came: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.seconds += other.seconds
        self.came += other.came
        self.failed += [one for one in other.failed if one not in self.failed]


class Runner:
    """Runs inputs in this process, in a folder of its own; once a process, because its hook stays.

    :param keep: write failing inputs to :data:`FAILURES`
    """

    def __init__(self, *, keep: bool = True) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="nightshift-fuzz-")
        home = Path(self._home.name)
        self.box = Box(home)
        for name in ("spill", "lake"):
            (home / name).mkdir()
        self._before = tempfile.tempdir, os.environ.get("NIGHTSHIFT_LAKE"), os.environ.get("NIGHTSHIFT_KEPT")
        tempfile.tempdir = str(home / "spill")
        os.environ["NIGHTSHIFT_LAKE"], os.environ["NIGHTSHIFT_KEPT"] = str(home / "lake"), str(home / "kept")
        self.watch = Watch(home)
        self.watch.ports = self.box.ports
        self._keep = keep
        every_target()

    def close(self) -> None:
        """Put back what other code of this process reads: where files spill, the lake, what is kept."""
        tempfile.tempdir, lake, kept = self._before
        for name, value in (("NIGHTSHIFT_LAKE", lake), ("NIGHTSHIFT_KEPT", kept)):
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})
        self._home.cleanup()

    def bytes_of(self, target: Target, seed: int, first: int, count: int) -> Tally:
        """Run inputs of the byte fuzzer, by their numbers."""
        tally = Tally(target.name)
        for number in range(first, first + count):
            self.one(target, mutated(target.seeds, target.name, seed, number), tally, f"--seed {seed} number {number}")
            if len(tally.failed) >= 5:
                break
        return tally

    def made_of(self, target: Target, seed: int, count: int) -> Tally:
        """Run inputs that Hypothesis makes up."""
        tally = Tally(target.name)
        assert target.made is not None

        @hypothesis.seed(seed)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(target.made)
        def run(data: bytes) -> None:
            if len(tally.failed) < 5:
                self.one(target, data, tally, f"Hypothesis, seed {seed}")

        run()
        return tally

    def one(self, target: Target, data: bytes, tally: Tally, whence: str) -> None:
        """Run one input and count what came of it."""
        from nightshift.known_secrets import forget_all, remember

        forget_all()
        remember(CANARY)
        began = time.process_time()
        tally.inputs += 1
        try:
            self.watch.anywhere = target.anywhere
            with self.watch.one():
                came = target.take(data, self.box)
        except Skipped:
            came = "says nothing"
        except Exception as error:  # noqa: BLE001, RUF100 - whatever it is, it is what was looked for
            came = "FAILED"
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(last.filename).name}:{last.lineno}"
            kept = self._kept(target, data)
            what = f"{type(error).__name__} at {where}: {str(error)[:300]}"
            tally.failed.append(f"{target.name} ({whence}; again: --case {kept}): {what}")
        if self.box.folder != Path():
            shutil.rmtree(self.box.folder, ignore_errors=True)
            self.box.folder = Path()
        tally.came[came] += 1
        tally.seconds += time.process_time() - began

    def _kept(self, target: Target, data: bytes) -> str:
        name = f"{target.name}.{hashlib.sha256(data).hexdigest()[:12]}"
        if not self._keep:
            return name
        FAILURES.mkdir(parents=True, exist_ok=True)
        path = FAILURES / name
        path.write_bytes(data)
        return os.fspath(path)


def target_of(path: Path) -> Target:
    """Return the target that a kept input is for.

    :raises KeyError: there is none
    """
    targets = every_target()
    if path.parent.name in targets:
        return targets[path.parent.name]
    return targets[path.name.rpartition(".")[0]]


def shares(count: int, only: str = "") -> dict[str, tuple[int, int]]:
    """Return how many inputs each target gets: of the byte fuzzer, and of Hypothesis."""
    chosen = {name: one for name, one in every_target().items() if name.startswith(only)}
    whole = sum(one.share for one in chosen.values()) or 1.0
    found = {}
    for name, one in chosen.items():
        inputs = max(2, -int(-count * one.share / whole))
        made = inputs // 4 if one.made is not None and one.seeds else inputs if one.made is not None else 0
        found[name] = (inputs - made, made)
    return found


__all__ = ["CASES", "FAILURES", "TARGETS", "Runner", "Tally", "shares", "target_of"]
