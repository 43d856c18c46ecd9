"""What Airflow learns about the package: five connection types, each with a hook that it can make."""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator
from airflow.triggers.base import BaseTrigger

import nightshift
from nightshift.jobs.instance import JobLink
from nightshift.provider import get_provider_info
from nightshift.sources import ROOMS

TYPES = {entry["connection-type"]: entry for entry in get_provider_info()["connection-types"]}


def test_there_is_a_connection_type_a_room() -> None:
    assert list(TYPES) == list(ROOMS)


@pytest.mark.parametrize("name", sorted(TYPES))
def test_each_names_a_hook_of_its_own_type(name: str) -> None:
    module, _, attribute = TYPES[name]["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), attribute)
    assert (hook.conn_type, hook.default_conn_name) == (name, f"{name}_default")
    assert hook.conn_name_attr == f"{name}_conn_id"
    assert hook().conn_id == f"{name}_default"


def test_airflow_knows_them_from_the_installed_package() -> None:
    from airflow.providers_manager import ProvidersManager

    hooks = ProvidersManager().hooks
    assert {name: hooks[name].hook_class_name for name in TYPES} == {
        name: entry["hook-class-name"] for name, entry in TYPES.items()
    }


@pytest.mark.parametrize("name", sorted(TYPES))
def test_secrets_of_the_form_are_typed_as_passwords(name: str) -> None:
    for field, entry in TYPES[name]["conn-fields"].items():
        if field in {"token", "client_secret"}:
            assert entry["schema"]["format"] == "password", field


def test_the_description_fits_airflow_s_schema() -> None:
    import airflow

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)
    named = {one["integration-name"] for one in get_provider_info()["integrations"]}
    for kind in KINDS:
        assert {one["integration-name"] for one in get_provider_info()[kind]} <= named


KINDS = {"hooks": BaseHook, "operators": BaseOperator, "sensors": BaseSensorOperator, "triggers": BaseTrigger}


def _defined(kind: type) -> set[str]:
    """Modules of the package that define a class of a kind."""
    found = set()
    for info in pkgutil.walk_packages(nightshift.__path__, "nightshift."):
        if info.name.startswith(
            "nightshift.auth_managers."
        ):  # their bases are of providers that are not installed here
            continue
        module = import_module(info.name)
        own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
        if any(issubclass(one, kind) for one in own):
            found.add(info.name)
    return found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_description_is_complete(kind: str) -> None:
    told = {module for one in get_provider_info()[kind] for module in one["python-modules"]}
    defined = _defined(KINDS[kind])
    if kind == "operators":
        defined -= _defined(BaseSensorOperator)
    if kind == "hooks":
        # What a vendor's hook is put together from has no connection of its own.
        assert told <= defined
        assert {TYPES[name]["hook-class-name"].rpartition(".")[0] for name in TYPES} <= told
        return
    assert told == defined


def test_extra_links_are_told() -> None:
    told = get_provider_info()["extra-links"]
    for name in told:
        import_module(name.rpartition(".")[0])
    assert set(told) == {f"{one.__module__}.{one.__qualname__}" for one in (JobLink, *JobLink.__subclasses__())}
