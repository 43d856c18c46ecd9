"""What Airflow learns about the package: five connection types, each with a hook that it can make."""

from __future__ import annotations

from importlib import import_module

import pytest

from nightshift.provider import get_provider_info

TYPES = {entry["connection-type"]: entry for entry in get_provider_info()["connection-types"]}


def test_there_are_five_connection_types() -> None:
    assert set(TYPES) == {"flexnet", "tokenflex", "camunda_optimize", "exago", "flexdeploy"}


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
