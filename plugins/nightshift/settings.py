"""What a person sets: the folder with ``reports.yaml`` and ``promotions.yaml``, and where the lake is."""

from __future__ import annotations

from nightshift.config.document import ConfigError
from nightshift.config.reading import (
    NOTIFY,
    PROMOTIONS,
    REPORTS,
    config_folder,
    kept_folder,
    lake_url,
    read_section,
    read_sections,
)

__all__ = [
    "NOTIFY",
    "PROMOTIONS",
    "REPORTS",
    "ConfigError",
    "config_folder",
    "kept_folder",
    "lake_url",
    "read_section",
    "read_sections",
]
