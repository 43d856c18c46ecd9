"""What a process of the fuzzer does: a lot of inputs of one target."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import tests.conftest  # noqa: F401 - a home of its own for Airflow, no setting of the user's
from tests.fuzz.runner import Runner, Tally
from tests.fuzz.targets import every_target

_runner: Runner | None = None


def begin() -> None:
    """Make the runner of this process, whose hook stays."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - what tasks log
    global _runner
    _runner = Runner()


def own() -> Runner:
    """Return the runner of this process."""
    assert _runner is not None
    return _runner


def lot(seed: int, name: str, first: int, count: int, made: bool) -> Tally:
    """Run inputs of a target: of Hypothesis, or of the byte fuzzer by their numbers."""
    runner, target = own(), every_target()[name]
    return runner.made_of(target, seed + first, count) if made else runner.bytes_of(target, seed, first, count)
