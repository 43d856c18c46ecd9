"""What this machine tells by itself: settings, versions, configuration."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import combinations
from typing import TYPE_CHECKING

from nightshift import __version__
from nightshift.cli.check import mistakes_in_force
from nightshift.cli.doctor.finding import Finding, bad, ok, warn
from nightshift.settings import config_folder, lake_url

if TYPE_CHECKING:
    from nightshift.config.promotions import Application

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
            "has no headers as this process sees it: what a connection's extras have under headers, such as a "
            "gateway's key or a cookie, is shown to who may see connections",
            "Set AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES=headers in every process of Airflow, as airflow.env of init "
            "has it.",
        )
    else:
        yield ok("sensitive_var_conn_names", names)
    if conf.get("logging", "logging_level", fallback="INFO").upper() == "DEBUG":
        yield warn(
            "logging_level",
            "is DEBUG as this process sees it: Airflow then writes the value of each Variable that a task sets into "
            "the log of whoever runs the task. Token Flex tokens are sealed there, but not those of an access that "
            "was granted in an earlier version",
            "Grant such an access anew (Admin, Token Flex sign-in), or set AIRFLOW__LOGGING__LOGGING_LEVEL=INFO; "
            "delete the logs of before.",
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
    from nightshift.config.promotions import promotions_in_force

    for one, other, where in shared_stages(promotions_in_force(folder).applications):
        yield warn(
            "configuration",
            f"{one} and {other} bring the same project to {where}: neither waits for the other, and each takes what it "
            "brought for what runs there, and brings that back",
            "Look at promotions.yaml: one of them may have been copied. Let it have a project, an environment or "
            "packages of its own. Where both are meant to be, as for fixes of another stream, set on_failure: offer "
            "for these stages, and look in FlexDeploy what runs there before anything is brought back.",
        )


def shared_stages(applications: Mapping[str, Application]) -> Iterator[tuple[str, str, str]]:
    """Yield two applications with the stages to which both bring the same project, of whatever stream, as the file
    names it: a name and an id are two things here.
    """
    for (one, first), (other, second) in combinations(applications.items(), 2):
        packages = [{pack.name for pack in app.packages} for app in (first, second)]
        apart = all(packages) and packages[0].isdisjoint(packages[1])
        sources = [(app.connection, app.what) for app in (first, second)]
        if apart or sources[0] != sources[1]:
            continue
        there = [stage.where for stage in second.stages]
        if shared := [stage.label for stage in first.stages if stage.where in there]:
            yield one, other, ", ".join(shared)
