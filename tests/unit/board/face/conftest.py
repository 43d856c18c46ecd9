"""The board in a real Chromium, inside of Airflow's own UI, which runs in this process."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic.json_schema import models_json_schema

from nightshift.board import models
from tests.unit.board.face import laid_nights, laid_operations, laid_promotions
from tests.unit.board.face.host import Host, Laid, Serving, in_front_of
from tests.unit.board.face.moments import LAST
from tests.unit.board.one_hidden import OneHidden

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PATIENCE = 30_000
ZONE = "Europe/Berlin"
STRICT = (Path(__file__).parent / "strict.js").read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a browser where there is none."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "open_page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.ui)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"))


@pytest.fixture(scope="session")
def airflow_ui() -> Any:
    """Airflow's API server as an ASGI application, with the plugin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"{OneHidden.__module__}.{OneHidden.__name__}")
        from airflow import settings
        from airflow.api_fastapi.app import create_app
        from airflow.models import import_all_models
        from airflow.models.base import Base

        import_all_models()
        Base.metadata.create_all(settings.engine)
        made = create_app(apps="core")
    for name in ("http.access", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return made


@pytest.fixture(scope="session")
def hosted(airflow_ui: Any) -> Iterator[Host]:
    laid = Laid()
    with Serving(in_front_of(airflow_ui, laid)) as url:
        yield Host(url, laid)


@pytest.fixture
def host(hosted: Host) -> Iterator[Host]:
    """Airflow's UI, in which the board has something of everything to show."""
    hosted.laid.clear()
    hosted.laid.answers.update(
        {
            "overview": laid_operations.overview(),
            "nights": laid_nights.grid(),
            f"nights/flexnet/entitlement/{LAST}": laid_nights.cell(),
            f"nights/tokenflex/desktop_usage/{LAST}": laid_nights.late_cell(),
            "promotions": laid_promotions.lanes(),
            "promotions/usage_portal": laid_promotions.time_line(),
            "figures": laid_promotions.figures(),
            "jobs": laid_operations.jobs(),
            "connections": laid_operations.connections(),
            "incidents": laid_operations.incidents(),
        }
    )
    return hosted


@dataclass
class Browser:
    """A browser, and the pages of it that have been used: in one of them Airflow's UI is there in half the time, for
    all of its scripts are compiled.

    :param free: the address that they are for → pages
    """

    chromium: Any
    free: dict[str, list[Any]] = field(default_factory=dict)

    def page(self, url: str, *, fresh: bool = False) -> Any:
        """Return a page.

        :param fresh: one that nobody has used
        """
        pages = self.free.get(url, [])
        if pages and not fresh:
            return pages.pop()
        context = self.chromium.new_context(base_url=url, timezone_id=ZONE, reduced_motion="reduce")
        context.add_init_script(f"({STRICT})({json.dumps(records())})")
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        return page

    def put_back(self, url: str, page: Any) -> None:
        """Clear a page of all that somebody has left in it, for the next one."""
        page.goto("about:blank")
        page.context.clear_cookies()
        left = {"origin": url, "storageTypes": "local_storage,session_storage,indexeddb"}
        page.context.new_cdp_session(page).send("Storage.clearDataForOrigin", left)
        self.free.setdefault(url, []).append(page)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module: as long as it is there, the event loop of its driver is, and no other."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield Browser(chromium)
        chromium.close()


OpenPage = Callable[..., Any]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a page for a person. After the test there must have been no error in it, no field that the models do not
    have, and no script that came as data.
    """
    opened: list[tuple[str, Any, bool]] = []
    errors: list[str] = []

    def asked(dialog: Any) -> None:
        errors.append(f"a script: {dialog.message}")
        dialog.dismiss()

    def failed(error: Any) -> None:
        errors.append(str(error))

    def told(said: Any) -> None:
        errors.extend(_of_weight(said))

    def page_of(
        url: str,
        name: str = "ada",
        *,
        role: str = "ADMIN",
        width: int = 1400,
        height: int = 950,
        dark: bool = False,
        zone: str | None = None,
        may_fail: bool = False,
        fresh: bool = False,
    ) -> Any:
        fresh = fresh or zone is not None
        page = browser.page(url, fresh=fresh)
        opened.append((url, page, fresh))
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light")
        if name:
            page.context.add_cookies([{"name": "_token", "value": token(name, role), "url": url}])
        if zone:
            page.add_init_script(f"localStorage.setItem('timezone', {json.dumps(json.dumps(zone))})")
        page.on("dialog", asked)
        if not may_fail:
            page.on("pageerror", failed)
            page.on("console", told)
        return page

    yield page_of
    for url, page, fresh in opened:
        for one in page.context.pages:
            errors.extend(one.evaluate("window.unknownFields ?? []"))
        if fresh or len(page.context.pages) > 1:
            page.context.close()
            continue
        for event, heard in (("dialog", asked), ("pageerror", failed), ("console", told)):
            with contextlib.suppress(KeyError):
                page.remove_listener(event, heard)
        browser.put_back(url, page)
    assert errors == []


def show(page: Any, query: str) -> Any:
    """Go to a view of the board: in a page that is there already without loading it anew, as a person does."""
    path = f"/plugin/nightshift?{query}"
    if "/plugin/nightshift" in page.url:
        page.evaluate("path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }", path)
    else:
        page.goto(path)
    return page


def _of_weight(said: Any) -> list[str]:
    mine = said.type == "error" and not said.text.startswith("Failed to load resource")
    return [said.text] if mine else []


def token(name: str, role: str) -> str:
    """Return what the browser of a person has in its cookie."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role)))


def records() -> list[str]:
    """Return the fields of the models whose keys are data, so that any key may be asked for."""
    answers = [one for one in vars(models).values() if isinstance(one, type) and issubclass(one, models.Answer)]
    _, schema = models_json_schema([(one, "serialization") for one in answers])
    fields = [item for one in schema["$defs"].values() for item in one.get("properties", {}).items()]
    return sorted({name for name, field in fields if "additionalProperties" in field})
