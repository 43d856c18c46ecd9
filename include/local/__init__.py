"""The whole mission on one machine: stand-in vendors, an embedded Airflow in a home of its own, and last night's run
with its progress and summary.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".local"
"""Where the embedded Airflow of `make run` lives."""
