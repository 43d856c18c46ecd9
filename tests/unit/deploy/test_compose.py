from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.local.airflow import shared_settings
from include.local.vendors import standin_connections
from include.standins.process import ports_from
from nightshift.sources import VENDORS

ONE_SHOT = {"init", "standins-connections"}
STANDINS = {"standins", "standins-connections"}
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}
REFERENCE = re.compile(r"\$\{(\w+)(:-|:\?)?[^}]*\}")
KEYS = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY")
MADE = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "FERNET_KEY", "JWT_SECRET", "API_SECRET_KEY", "ADMIN_PASSWORD"}


@pytest.fixture
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return compose["services"]


def image_of(service: dict[str, Any]) -> str:
    """The image's own default, where a variable may put another in its place."""
    found = re.fullmatch(r"\$\{\w+:-(.+)\}", service["image"])
    return found[1] if found else service["image"]


def test_all_parts_are_there(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", *AIRFLOW, *ONE_SHOT, *STANDINS}
    assert {name for name, service in services.items() if service.get("profiles")} == STANDINS


def test_each_service_says_whether_it_is_well(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} == ONE_SHOT
    for service in services.values():
        assert set(service.get("healthcheck", {"test": 1, "interval": 1, "timeout": 1, "retries": 1})) >= {
            "test",
            "interval",
            "timeout",
            "retries",
        }


def test_each_service_comes_back_and_one_shots_do_not(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name


def test_no_service_is_root_or_may_become_it(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["user"].split(":")[0] not in ("", "0", "root"), name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["init"] is True, name


def test_images_are_pinned(services: dict[str, Any], root: Path) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    for name, service in services.items():
        image, _, tag = image_of(service).partition(":")
        if image == "nightshift":
            assert tag == version, name
        else:
            assert re.match(r"\d+\.\d+(\.\d+)?-", tag), f"{name}: {image}:{tag}"


def test_the_image_is_built_once(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "build" in service] == ["init"]


def test_ports_are_on_loopback_only(services: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(ports) == ["api-server"]
    assert all(port.startswith("127.0.0.1:") for port in ports["api-server"])


def test_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    secret = re.compile(r"password|secret|_key$|fernet", re.IGNORECASE)
    seen = 0
    for service in compose["services"].values():
        for name, value in (service.get("environment") or {}).items():
            if secret.search(name) and value:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
                seen += 1
            for user, password in re.findall(r"//(\w*):([^@]+)@", str(value)):
                assert password.startswith("${"), f"{name}: {user}"
    assert seen > 8


def test_every_variable_has_a_default_or_is_made(root: Path) -> None:
    found = REFERENCE.findall((root / "docker-compose.yaml").read_text())
    assert {name for name, kind in found if kind == ":?"} == MADE
    assert not [name for name, kind in found if not kind]
    assert not MADE & {name for name, kind in found if kind == ":-"}


def test_all_of_airflow_shares_one_environment(compose: dict[str, Any], services: dict[str, Any]) -> None:
    for name in AIRFLOW | ONE_SHOT:
        assert services[name]["env_file"] == ["deploy/airflow.env", ".env"], name
        differing = dict(services[name]["environment"].items() ^ compose["x-environment"].items())
        assert set(differing) <= {"ADMIN_PASSWORD", "DUMB_INIT_SETSID", "FORWARDED_ALLOW_IPS", *KEYS}, name
    assert not set(compose["x-environment"]) & set(shared_settings())


def test_each_service_has_the_keys_that_it_needs_and_no_other(services: dict[str, Any]) -> None:
    fernet, jwt, api = (frozenset({key}) for key in KEYS)
    needed = {
        "api-server": fernet | jwt | api,
        "scheduler": fernet | jwt,
        "triggerer": fernet,
        "dag-processor": fernet,
        "init": fernet | api,
        "standins-connections": fernet,
    }
    for name, service in services.items():
        environment = service.get("environment") or {}
        assert {key for key in KEYS if environment.get(key)} == needed.get(name, frozenset()), name
        if "env_file" in service:
            # .env reaches the service whole: what stands there as it is must not.
            given = {key for key in MADE if environment.get(key) != ""}
            assert given == ({"ADMIN_PASSWORD"} if name == "init" else set()), name


def test_a_tls_proxy_makes_cookies_secure(services: dict[str, Any]) -> None:
    assert services["api-server"]["command"] == "api-server --proxy-headers"


def test_no_service_writes_outside_of_its_volumes(services: dict[str, Any], root: Path) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert any(place.startswith("/tmp") for place in service["tmpfs"]), name
    # Airflow refuses to start where it cannot write this file and it is missing.
    assert "touch /opt/airflow/airflow.cfg" in (root / "Dockerfile").read_text()


def test_no_password_is_on_a_command_line(services: dict[str, Any], root: Path) -> None:
    told = [str(service.get("command", "")) for service in services.values()]
    for text in (*told, (root / "deploy" / "init.sh").read_text()):
        assert "--password" not in text
        assert not re.search(r"\$\{?(\w*PASSWORD|\w*SECRET)", text.replace("$$REDISCLI_AUTH", "")), text


def test_airflow_waits_for_init_and_init_for_its_database(services: dict[str, Any]) -> None:
    for name in (AIRFLOW | STANDINS) - {"standins-connections"}:
        assert services[name]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}, name
    assert services["standins-connections"]["depends_on"]["standins"]["condition"] == "service_healthy"
    assert services["init"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }


def test_volumes_are_named_and_used(compose: dict[str, Any], services: dict[str, Any]) -> None:
    mounted = {
        re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", v).split(":")[0] for s in services.values() for v in s.get("volumes", [])
    }
    assert mounted == {*compose["volumes"], "./include/config"}


def test_files_that_it_names_exist(compose: dict[str, Any], services: dict[str, Any], root: Path) -> None:
    words = " ".join(str(service.get("command", "")) for service in services.values())
    named = re.findall(r"deploy/[\w.]+", words)
    assert len(named) == 1
    assert all((root / file).is_file() for file in named)
    module, _, name = compose["x-environment"]["AIRFLOW__CORE__AUTH_MANAGER"].rpartition(".")
    assert f"import {name}\n" in (root / (module.replace(".", "/") + ".py")).read_text()
    ours = root / "plugins" / "nightshift" / "auth_managers" / "fab.py"
    assert f"class {name}(FabAuthManager)" in ours.read_text()
    assert "FabAuthManager" in name


def test_the_stand_ins_connections_lead_to_the_stand_ins(services: dict[str, Any], root: Path) -> None:
    (first,) = re.findall(r"--host standins --first-port (\d+)", services["standins"]["command"])
    (made, file) = re.findall(
        r"(python -m include.local.vendors .*) > (\S+)", services["standins-connections"]["command"]
    )[0]
    assert services["standins"]["hostname"] == "standins"
    assert made.split()[-2:] == ["standins", first]
    environ = {**os.environ, "PYTHONPATH": f"{root / 'plugins'}{os.pathsep}{root}"}
    told = subprocess.run(
        [sys.executable, *made.split()[1:]], cwd=root, env=environ, text=True, capture_output=True, check=True
    )
    found = json.loads(told.stdout)
    assert found == standin_connections(ports_from(int(first)), host="standins")
    assert {fields["conn_type"] for fields in found.values()} == set(VENDORS)
    assert f"connections import {file}" in services["standins-connections"]["command"]
    assert (
        re.findall(r"--ready-file (\S+)", services["standins"]["command"])[0]
        in services["standins"]["healthcheck"]["test"]
    )


TOOLS = [["docker", "compose"], ["docker-compose"]]


@pytest.fixture(params=TOOLS, ids=" ".join)
def config(request: pytest.FixtureRequest, checkout: Path):
    tool = request.param
    if not shutil.which(tool[0]) or subprocess.run([*tool, "version"], capture_output=True).returncode:
        pytest.skip(f"`{' '.join(tool)}` is not installed")

    def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_CONFIG") if name in os.environ}
        return subprocess.run(
            [*tool, "--profile", "standins", "config", *options],
            cwd=checkout,
            env={**kept, **environment},
            text=True,
            capture_output=True,
            check=False,
        )

    return run


def test_compose_takes_the_file(config, services: dict[str, Any]) -> None:
    done = config()
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(services)


def test_airflow_gets_its_settings_and_a_person_s_connections(config, checkout: Path) -> None:
    with (checkout / ".env").open("a") as file:
        file.write('AIRFLOW_CONN_FLEXNET_DEFAULT={"conn_type": "flexnet", "password": "plain"}\n')
        file.write('AIRFLOW_CONN_MY_AWS=\'{"conn_type": "aws"}\'\nNIGHTSHIFT_LAKE=s3://my_aws@bucket/nightshift\n')
    shell = '{"conn_type": "exago"}'
    done = config(AIRFLOW_CONN_EXAGO_DEFAULT=shell)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["services"]
    for name in AIRFLOW:
        environment = found[name]["environment"]
        assert environment.items() >= shared_settings().items(), name
        assert json.loads(environment["AIRFLOW_CONN_FLEXNET_DEFAULT"])["password"] == "plain"
        assert environment["AIRFLOW_CONN_MY_AWS"] == '{"conn_type": "aws"}'
        assert environment["AIRFLOW_CONN_EXAGO_DEFAULT"] == shell
        assert environment["AIRFLOW_CONN_CAMUNDA_OPTIMIZE_DEFAULT"] is None
        assert environment["NIGHTSHIFT_LAKE"] == "s3://my_aws@bucket/nightshift"
        assert not environment["ADMIN_PASSWORD"]
    assert found["init"]["environment"]["ADMIN_PASSWORD"]


def test_without_secrets_it_says_how_to_make_them(config, checkout: Path) -> None:
    (checkout / ".env").write_text("")
    done = config("-q")
    assert done.returncode != 0
    assert "run deploy/secrets.sh first" in done.stderr
