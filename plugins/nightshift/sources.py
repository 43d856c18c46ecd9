"""The one list of vendors: what they are is said in each room's ``source.py``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from nightshift.vendor import ReportSource, Vendor

ROOMS = ("flexnet", "tokenflex", "camunda_optimize", "exago", "flexdeploy")


def _vendor(room: str) -> Vendor:
    found: Vendor = getattr(import_module(f"nightshift.{room}.source"), room.upper())
    return found


VENDORS: Mapping[str, Vendor] = {room: _vendor(room) for room in ROOMS}
"""Connection type → vendor."""
SOURCES: Mapping[str, ReportSource] = {name: vendor.reports for name, vendor in VENDORS.items() if vendor.reports}
"""Connection type → what brings its reports home; also the sections of ``reports.yaml``."""
