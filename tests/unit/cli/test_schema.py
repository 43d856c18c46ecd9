"""The JSON schemas: they take what the reader takes, and refuse what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from nightshift.cli.app import app
from nightshift.cli.schema import SCHEMAS, described
from nightshift.config.promotions import Application
from nightshift.config.reports import model_of
from nightshift.sources import SOURCES

ROOT = Path(__file__).resolve().parents[3]


def mistakes(file: str, text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMAS[file]())
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize("file", SCHEMAS)
def test_the_schema_is_one_and_takes_the_configuration_of_the_project(file: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[file]())
    assert mistakes(file, (ROOT / f"include/config/{file}.yaml").read_text()) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("reports", "exago:"),
        ("reports", "flexnet: {removed: true}"),
        ("reports", "x-mine: [1]\nflexnet: {reports: [{name: a, key: [b]}]}"),
        ("reports", "tokenflex: {contract: 110000917988, exports: [{name: a, category: [CLOUD_PRODUCT]}]}"),
        ("promotions", "a: {project_id: 1, stream: 1.10, build: {environment: DEV}, stages: [{environment: DEV}]}"),
        ("promotions", "a: {removed: true}"),
    ],
)
def test_what_the_reader_takes_is_taken(file: str, text: str) -> None:
    assert mistakes(file, text) == []


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("reports", "flexnet: {reports: [{name: a, kay: [b]}]}", "$.flexnet.reports[0]: Additional properties"),
        ("reports", "flexnet: {}", "$.flexnet: 'reports' is a required property"),
        ("reports", "sap: {}", "'sap' does not match"),
        ("reports", "flexnet: {reports: [{name: a, page_size: 2501}]}", "2501 is greater than the maximum of 2500"),
        ("promotions", "a: {build: {}, stages: []}", "$.a.stages: [] should be non-empty"),
    ],
)
def test_what_the_reader_refuses_is_refused(file: str, text: str, says: str) -> None:
    assert any(says in one for one in mistakes(file, text)), mistakes(file, text)


@pytest.mark.parametrize("file", SCHEMAS)
def test_every_key_says_what_it_means(file: str) -> None:
    made = SCHEMAS[file]()
    silent = [
        f"{name}.{field}"
        for name, one in made["$defs"].items()
        for field, about in one.get("properties", {}).items()
        if not about.get("description")
    ]
    assert silent == []


@pytest.mark.parametrize("model", [*map(model_of, SOURCES), Application])
def test_no_docstring_names_a_field_that_is_none(model: Any) -> None:
    assert set(described(model)) <= set(model.model_fields)


def test_the_command_prints_it() -> None:
    done = CliRunner().invoke(app, ["schema", "reports"])
    assert json.loads(done.output) == SCHEMAS["reports"]()
