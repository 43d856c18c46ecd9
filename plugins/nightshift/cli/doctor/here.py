"""What this machine tells by itself: settings, versions, configuration."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from nightshift import __version__
from nightshift.cli.check import mistakes_in_force
from nightshift.cli.doctor.finding import Finding, bad, ok, warn
from nightshift.settings import config_folder, lake_url

HEARTBEAT = 2
"""Seconds; with more, Airflow loses resumes of deferred tasks that end fast."""
_PACKAGES = ("apache-airflow-core", "apache-airflow-task-sdk", "deltalake", "obstore", "pyarrow")


def settings() -> Iterator[Finding]:
    """Look at the settings that a person gives."""
    for name, value in (("NIGHTSHIFT_CONFIG", str(config_folder())), ("NIGHTSHIFT_LAKE", lake_url())):
        if os.environ.get(name):
            yield ok(name, value)
        else:
            fix = f"Set {name} in every process of Airflow, and here."
            yield warn(name, f"is not set; in a checkout {value} counts", fix)
    from airflow.configuration import conf

    seconds = conf.getint("workers", "min_heartbeat_interval", fallback=5)
    if seconds > HEARTBEAT:
        yield warn(
            "min_heartbeat_interval",
            f"is {seconds} s as this process sees it: up to 3 of 10 deferred tasks that end fast fail",
            "Set AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL=1 in every process of Airflow, as airflow.env of init has "
            "it.",
        )
    else:
        yield ok("min_heartbeat_interval", f"{seconds} s")
    names = conf.get("core", "sensitive_var_conn_names", fallback="")
    if "headers" not in (name.strip().lower() for name in names.split(",")):
        yield warn(
            "sensitive_var_conn_names",
            "has no headers as this process sees it: what a connection's extras have under headers, such as a gateway's "
            "key or a cookie, is shown to who may see connections",
            "Set AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES=headers in every process of Airflow, as airflow.env of init has "
            "it.",
        )
    else:
        yield ok("sensitive_var_conn_names", names)
    if conf.get("logging", "logging_level", fallback="INFO").upper() == "DEBUG":
        yield warn(
            "logging_level",
            "is DEBUG as this process sees it: Airflow then writes the value of each Variable that a task sets into the "
            "log of whoever runs the task. Token Flex tokens are sealed there, but not those of an access that "
            "was granted in an earlier version",
            "Grant such an access anew (Admin, Token Flex sign-in), or set AIRFLOW__LOGGING__LOGGING_LEVEL=INFO; delete "
            "the logs of before.",
        )


def versions() -> Iterator[Finding]:
    """Tell what is installed here."""
    found = [f"nightshift {__version__}", f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} -")
    yield ok("versions", ", ".join(found))


def configuration() -> Iterator[Finding]:
    """Look for mistakes in the files, and for sections that are no longer there."""
    folder = config_folder()
    mistakes = mistakes_in_force()
    for one in mistakes:
        yield bad("configuration", one, "Correct the file.")
    if not mistakes:
        yield ok("configuration", f"nothing is wrong in {folder}")
