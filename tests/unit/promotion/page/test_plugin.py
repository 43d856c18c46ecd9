from __future__ import annotations

from nightshift.promotion.form import promotion_form
from nightshift.promotion.page import MOUNT, image_path


def test_the_menu_leads_to_the_page_in_a_tab_of_its_own() -> None:
    from nightshift.plugin import NightshiftPlugin

    (app,) = [one for one in NightshiftPlugin.fastapi_apps if one["name"] == "Promotions"]
    (view,) = [one for one in NightshiftPlugin.external_views if one["name"] == "Promotions"]
    assert app["url_prefix"] == MOUNT
    assert view == {
        "name": "Promotions", "href": f"{MOUNT.removeprefix('/')}/", "destination": "nav", "category": "browse",
    }  # fmt: skip


def test_the_form_shows_the_image() -> None:
    markdown = promotion_form("portal", ["DEV"])["version_id"].schema["description_md"]
    assert f"]({image_path('portal')})" in markdown
