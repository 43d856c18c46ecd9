from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from nightshift.tokenflex.consent import MOUNT

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = f"""
import json, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "plugins")!r}]
import tests.conftest
from airflow import plugins_manager
import airflow.sdk, http
before = set(sys.modules)
plugins, errors = plugins_manager._get_plugins()
LIGHT = (
    "nightshift.plugin", "nightshift.local_time", "nightshift.nights", "nightshift.fields", "nightshift.nights.timetable",
)
# Airflow's timetables import some of the models of its API themselves.
heavy = (
    "nightshift.", "aiohttp", "fastapi",
    "airflow.api_fastapi.app", "airflow.api_fastapi.core_api.app", "airflow.providers.http",
)
print(json.dumps({{
    "plugins": [one.name for one in plugins if one.name == "nightshift"],
    "errors": errors,
    "heavy": sorted(n for n in set(sys.modules) - before if n.startswith(heavy) and n not in LIGHT),
    "http": sys.modules["http"] is http,
    "info": [one for one in plugins_manager.get_plugin_info() if one["name"] == "nightshift"],
}}, default=str))
"""


def test_airflow_loads_one_cheap_plugin_and_nothing_else_of_the_folder() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=ROOT)
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["plugins"], told["errors"], told["heavy"], told["http"]) == (["nightshift"], {}, [], True)
    (info,) = told["info"]
    (view,) = [one for one in info["external_views"] if one["name"] == "Token Flex sign-in"]
    (app,) = [one for one in info["fastapi_apps"] if one["name"] == "Token Flex sign-in"]
    assert view["href"] == f"{MOUNT.removeprefix('/')}/"
    assert (view["destination"], view["category"], view.get("url_route")) == ("nav", "admin", None)
    assert app["url_prefix"] == MOUNT
