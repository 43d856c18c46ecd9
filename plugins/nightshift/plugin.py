"""The one Airflow plugin of Nightshift. Every Airflow process imports it, so it imports next to nothing itself: a page
is built when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import Timetable

from nightshift.nights.timetable import NightTimetable


class LazyApp:
    """An ASGI application that is imported and built at its first request.

    :param factory: dotted path of a module, a colon, and the name of a function without arguments that returns the
        application
    """

    def __init__(self, factory: str) -> None:
        self.factory = factory
        self._app: Callable[..., Awaitable[None]] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if self._app is None:
            module, _, name = self.factory.partition(":")
            self._app = getattr(import_module(module), name)()
        await self._app(scope, receive, send)


_BUNDLE = "nightshift/board/static/board.js"
_OURS = {"dag.tags.name": ["nightshift"]}
"""Pages of a DAG are for those with our tag. Airflow looks at it from 3.4 on; before, the pages say that it is none."""


class NightshiftPlugin(AirflowPlugin):
    """The pages of Nightshift in the Airflow UI, and the schedule of its nights."""

    name = "nightshift"
    timetables: ClassVar[list[type[Timetable]]] = [NightTimetable]
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "Token Flex sign-in",
            "url_prefix": "/nightshift/tokenflex",
            "app": LazyApp("nightshift.tokenflex.consent.app:create_app"),
        },
        {
            "name": "Nightshift",
            "url_prefix": "/nightshift/board",
            "app": LazyApp("nightshift.board.app:create_app"),
        },
    ]
    # Airflow takes a component by the name of its entry; the bundle is relative to the base of the UI.
    react_apps: ClassVar[list[dict[str, Any]]] = [
        {
            "name": "Nightshift",
            "bundle_url": _BUNDLE,
            "destination": "nav",
            "url_route": "nightshift",
            "nav_top_level": True,
            "icon": "nightshift/board/static/icon.svg",
            "icon_dark_mode": "nightshift/board/static/icon-dark.svg",
        },
        {
            "name": "Nightshift",
            "bundle_url": _BUNDLE,
            "destination": "dag",
            "url_route": "nightshift-dag",
            "applies_to": _OURS,
        },
        {
            "name": "Night",
            "bundle_url": _BUNDLE,
            "destination": "dag_run",
            "url_route": "nightshift-run",
            "applies_to": _OURS,
        },
        {"name": "Nightshift card", "bundle_url": _BUNDLE, "destination": "dashboard", "url_route": "nightshift-card"},
    ]
    # No url_route: the page opens in a tab of its own, because Autodesk's sign-in refuses frames.
    external_views: ClassVar[list[dict[str, Any]]] = [
        {"name": "Token Flex sign-in", "href": "nightshift/tokenflex/", "destination": "nav", "category": "admin"},
    ]
