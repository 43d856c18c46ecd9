"""The page "Promotions": what runs where, what is underway, how it ended, and by whom."""

from __future__ import annotations

MOUNT = "/nightshift/promotions"
"""Where the page is, under the root of the Airflow API server."""


def image_path(application: str) -> str:
    """Return the path of an application's image, relative to the base of the Airflow UI, as markdown in the UI wants
    it.
    """
    return f"{MOUNT.removeprefix('/')}/{application}/versions.svg"
