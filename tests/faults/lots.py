"""What a process of the matrix does: a part of the meetings of one operator."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from functools import cache

import tests.conftest  # noqa: F401 - a home of its own for Airflow, no setting of the user's
from tests.faults.matrix import Broken, Ended, World, meet, meetings, undisturbed
from tests.faults.scenes import SCENES, Scene

PARTS = 12
"""Into how many lots the meetings of an operator are divided."""


def quietly() -> None:
    """Say nothing of what the tasks log."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - what tasks log


@cache
def _known(name: str) -> tuple[Scene, World]:
    scene = next(one for one in SCENES if one.name == name)
    return scene, undisturbed(scene)


def lot(name: str, part: int) -> tuple[list[Ended], list[str]]:
    """Return how the meetings of this part ended, and a line for each that is not as it should be."""
    scene, truth = _known(name)
    cells: list[Ended] = []
    broken: list[str] = []
    for number, (trouble, length, call) in enumerate(meetings(scene)):
        if number % PARTS == part:
            where = f"{name}, {trouble.name} {length} at {call.route if call else 'any call'}"
            try:
                cells.append(meet(scene, trouble, length, call, truth))
            except Broken as wrong:
                broken.append(f"{where}: {wrong}")
            except Exception as error:  # noqa: BLE001, RUF100 - a line of the report, not its end
                broken.append(f"{where}: the harness: {type(error).__name__}: {str(error)[:300]}")
    return cells, broken
