"""A few cases of the crash matrix on a whole cluster: of a fresh seed, in CI of one that stays."""

from __future__ import annotations

import os
import random
import subprocess

import pytest

from include.local import ROOT
from include.local.cluster.environment import cluster_python
from include.local.cluster.stores import missing

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]
CHEAP = ("task", "freeze", "postgresql", "redis", "s3")
"""Victims that are back within seconds, which those are not that load Airflow anew."""
STEADY = 11
"""Seed where nobody is there to look at a failure; all others are for `make crash` and people."""


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_what_is_struck_at_its_points_ends_as_if_nothing_had_been() -> None:
    seed = STEADY if os.environ.get("CI") else random.SystemRandom().randrange(1_000_000)
    arguments = ["--seed", str(seed), "--count", "4", "--small", "--flow", "flexnet", "--flow", "camunda_optimize"]
    for victim in CHEAP:
        arguments += ["--only", victim]
    done = subprocess.run(
        [cluster_python(), "-m", "tests.cluster", *arguments, "--seconds", "600", "--slots", "6"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": "plugins:."},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, f"make crash ARGS='{' '.join(arguments)}'\n{done.stdout[-6000:]}"
