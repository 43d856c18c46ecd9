"""What the board serves besides its answers: the files of the front end, and a page for hosts that cannot show it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

STATIC = files(__package__).joinpath("static")


class Fresh(StaticFiles):
    """Files that a browser asks about each time: modules of two versions must not meet in one page."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Answer with a file."""
        found = super().file_response(*arguments, **options)
        found.headers["cache-control"] = "no-cache"
        found.headers["x-content-type-options"] = "nosniff"
        return found


def static_files() -> Fresh:
    """Return the files of the front end. They hold no data, and are for everybody, as those of Airflow's own UI."""
    return Fresh(directory=str(STATIC))


def page() -> Response:
    """Show the page for hosts without Airflow's UI: where the board is."""
    text = STATIC.joinpath("index.html").read_bytes()
    policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    return Response(text, media_type="text/html", headers={"content-security-policy": policy})
