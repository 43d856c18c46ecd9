"""Loaded by each Python of the cluster when it starts: lets processes stand at named points."""

from __future__ import annotations

import os

if "NIGHTSHIFT_POINTS" in os.environ:
    from tests.cluster.points import install

    install()
