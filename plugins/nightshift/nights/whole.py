"""Whether a night is whole: the vendor was asked for it when it was over.

With Force a night is fetched as far as it goes, and a zone that is corrected moves the end of the nights that are
there. What such a fetch brought is right as far as it goes; what came after it is missing until the night is fetched
again. How long a vendor takes to settle is no part of it: that is guessed, the end of a night is not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from nightshift.config.reports import source_in_force
from nightshift.fields import night_of
from nightshift.local_time import end_of, was_over
from nightshift.settings import REPORTS, ConfigError, config_folder
from nightshift.sources import SOURCES


def is_whole(night: str, began: datetime | None, zone: ZoneInfo | None) -> bool:
    """Say whether a night is whole.

    :param began: the moment of which it holds what the vendor had; ``None``: nobody knows, so it counts as whole
    :param zone: the zone whose midnight ends it; ``None``: nobody knows, so it counts as whole
    """
    return began is None or zone is None or was_over(night_of(night), zone, began)


def why_not_whole(night: str, began: datetime | None, zone: ZoneInfo | None) -> str:
    """Return why a night is not whole, last what to do; empty where it is. See :func:`is_whole`."""
    if began is None or zone is None or is_whole(night, began, zone):
        return ""
    ended = end_of(night_of(night), zone)
    return (
        f"it was fetched from {began.astimezone(UTC):%Y-%m-%d %H:%M} UTC on, and the night is over in {zone.key} at "
        f"{ended:%Y-%m-%d %H:%M} UTC; the run of the night brings it home whole after that"
    )


def zone_of(source: str) -> ZoneInfo | None:
    """Return the zone whose midnight ends the nights of a source, as ``reports.yaml`` has it now; ``None``: it does not
    have the source.
    """
    if source not in SOURCES:
        return None
    try:
        path = config_folder() / REPORTS
        stat = path.stat() if path.exists() else None
        return _zone(source, path.parent, *((stat.st_mtime_ns, stat.st_size) if stat else (0, 0)))
    except (ConfigError, OSError):
        return None


@lru_cache(maxsize=64)
def _zone(source: str, folder: Path, changed: int, size: int) -> ZoneInfo | None:
    """Return the zone of a source; read once as long as the file does not change."""
    section = source_in_force(source, folder=folder, counts_gone=True)
    return None if section is None else section.zone
