"""Every setting that a message names exists: a person who follows an advice gets further."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from nightshift.config.fitting import _models
from nightshift.config.promotions import Application
from nightshift.config.reports import model_of
from nightshift.http.client_settings import SHARED_EXTRAS
from nightshift.provider import get_provider_info
from nightshift.sources import SOURCES

PROVIDER = Path(__file__).resolve().parents[3] / "plugins" / "nightshift"
WORD = re.compile(r"(?<![\w/.{-])[a-z]+(?:_[a-z]+)+(?![\w/-])")
OTHERS = {
    "google_cloud_platform": "a connection type of Airflow",
    "tokenflex_token": "a DAG",
    "nightshift_maintenance": "a DAG",
    "nightshift_watch": "a DAG",
    "three_legged": "a value of the extra auth",
    "two_legged": "a value of the extra auth",
    "project_version_id": "a parameter of the deploy operator",
    "start_time": "a value of window.outside",
    "with_folders": "a parameter of the folder operators",
    "timestamp_ntz": "a type of Spark",
    "timestamp_tz": "a type of Spark",
}
"""Words of messages that look like a setting and are something else."""


def fields_of(model: Any, seen: set[Any]) -> set[str]:
    """Names of all fields of a model and of the models in it."""
    if model in seen:
        return set()
    seen.add(model)
    inner = [one for field in model.model_fields.values() for one in _models(field.annotation)]
    return set(model.model_fields).union(*(fields_of(one, seen) for one in inner))


@pytest.fixture(scope="module")
def settings() -> set[str]:
    """Every key of both files, and every extra of a connection."""
    found = set(SHARED_EXTRAS)
    for model in (*map(model_of, SOURCES), Application):
        found |= fields_of(model, set())
    for kind in get_provider_info()["connection-types"]:
        module, _, name = kind["hook-class-name"].rpartition(".")
        found |= getattr(import_module(module), name).own_extras
    return found


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module that are sentences, docstrings left out, with their lines."""
    tree = ast.parse(path.read_text())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
            and " " in node.value
        ):
            yield node.lineno, node.value


def test_every_setting_that_a_message_names_exists(settings: set[str]) -> None:
    named: dict[str, str] = {}
    for path in sorted(PROVIDER.rglob("*.py")):
        for line, text in sentences(path):
            named |= {word: f"{path.relative_to(PROVIDER)}:{line}" for word in WORD.findall(text)}
    assert {"data_key", "night_column", "requests_per_minute", "settle_hours"} <= set(named)
    assert {word: where for word, where in named.items() if word not in settings and word not in OTHERS} == {}
    assert set(OTHERS) & settings == set()


@pytest.mark.parametrize(
    "word", ["charset", "delimiter", "quote", "pool", "verify", "proxy", "token", "mode", "key", "types", "checks"]
)
def test_so_do_the_settings_that_are_one_word(settings: set[str], word: str) -> None:
    assert word in settings
