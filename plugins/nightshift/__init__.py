"""Nightshift: nightly vendor reports and application promotions for Apache Airflow."""

from __future__ import annotations

__version__ = "0.1.0"
