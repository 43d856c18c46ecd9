from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.local.airflow import shared_settings

OF_CELERY = ("CELERY", "CELERY_BROKER_TRANSPORT_OPTIONS")


@pytest.fixture(scope="module")
def values(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "deploy" / "values.yaml").read_text())


@pytest.fixture(scope="module")
def known_settings() -> set[str]:
    """Names of all settings of the installed Airflow, as environment variables."""
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    folder = next(iter(spec.submodule_search_locations or []))
    described = yaml.load((Path(folder) / "config_templates" / "config.yml").read_text(), yaml.CSafeLoader)
    return {
        f"AIRFLOW__{section}__{option}".upper() for section, found in described.items() for option in found["options"]
    }


def test_every_setting_exists(values: dict[str, Any], compose: dict[str, Any], known_settings: set[str]) -> None:
    named = {*shared_settings(), *(one["name"] for one in values["env"]), *compose["x-environment"]}
    settings = {name for name in named if name.startswith("AIRFLOW__")}
    assert len(settings) > 15
    assert {name for name in settings - known_settings if name.split("__")[1] not in OF_CELERY} == set()


def test_the_settings_come_from_the_one_file(values: dict[str, Any], root: Path) -> None:
    text = (root / "deploy" / "values.yaml").read_text()
    sources = yaml.safe_load(values["extraEnvFrom"])
    assert sources[0] == {"configMapRef": {"name": "nightshift-settings"}}
    assert "configmap nightshift-settings --from-env-file=deploy/airflow.env" in text
    assert not {one["name"] for one in values["env"]} & set(shared_settings())


def test_what_it_names_is_made_by_its_instructions(values: dict[str, Any], root: Path) -> None:
    text = (root / "deploy" / "values.yaml").read_text()
    made = set(re.findall(r"create (?:configmap|secret generic) ([\w-]+)", text))
    sources = yaml.safe_load(values["extraEnvFrom"])
    named = {
        *(next(iter(source.values()))["name"] for source in sources),
        *(volume["configMap"]["name"] for volume in values["volumes"]),
        *(values[key] for key in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")),
        values["data"]["metadataSecretName"],
    }
    assert named == made
    assert {mount["name"] for mount in values["volumeMounts"]} == {volume["name"] for volume in values["volumes"]}
    environment = {one["name"]: one["value"] for one in values["env"]}
    assert environment["NIGHTSHIFT_CONFIG"] == values["volumeMounts"][0]["mountPath"]
    for file in re.findall(r"deploy/[\w-]+\.(?:sh|env)", text):
        assert (root / file).is_file(), file


def test_it_runs_what_compose_runs(values: dict[str, Any], compose: dict[str, Any]) -> None:
    environment = {one["name"]: one["value"] for one in values["env"]}
    assert environment["AIRFLOW__CORE__AUTH_MANAGER"] == compose["x-environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    assert compose["services"]["worker"]["image"].endswith(f":-nightshift:{values['images']['airflow']['tag']}}}")
    base = compose["services"]["init"]["build"]["args"]["AIRFLOW_IMAGE"]
    assert f"apache/airflow:{values['airflowVersion']}-" in base


def test_no_password_of_the_chart_is_left(values: dict[str, Any]) -> None:
    assert values["postgresql"]["enabled"] is False
    assert values["redis"]["enabled"] is False
    assert values["createUserJob"]["defaultUser"]["enabled"] is False
