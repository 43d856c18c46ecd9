"""Where the configuration and the lake are, and how a configuration file is read.

A file is read whole, but each section is validated when its own DAG asks for it, so that a mistake in one source breaks
no other DAG. Every mistake is told with file, line, field and the nearest valid value.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from nightshift.config.document import ConfigError, NoFileError, load
from nightshift.config.fitting import fit
from nightshift.config.in_force import ConfigFile, is_removed
from nightshift.lake.store import Lake

# In a checkout the provider lies in ``plugins/`` beside the project's own ``include/``; installed, it has no project.
_CHECKOUT = Path(__file__).resolve().parents[3] if Path(__file__).resolve().parents[2].name == "plugins" else None
REPORTS, PROMOTIONS, NOTIFY = "reports.yaml", "promotions.yaml", "notify.yaml"
Model = TypeVar("Model", bound=BaseModel)


def config_folder() -> Path:
    """Return the folder of ``reports.yaml`` and ``promotions.yaml``: ``NIGHTSHIFT_CONFIG``, else that of the checkout.

    :raises ConfigError: the setting is missing, and the package is installed, not run from a checkout
    """
    return Path(_setting("NIGHTSHIFT_CONFIG", "include/config", "the folder with reports.yaml and promotions.yaml"))


def lake_url() -> str:
    """Return the base URL of the lake: ``NIGHTSHIFT_LAKE``, else the folder ``lake`` of the checkout.

    :raises ConfigError: the setting is missing, and the package is installed, not run from a checkout
    """
    return _setting("NIGHTSHIFT_LAKE", "lake", "the base URL of the lake: a folder, s3://bucket/prefix, gs://…, az://…")


def kept_folder() -> Path:
    """Return the folder where the last good configuration is kept: ``NIGHTSHIFT_KEPT``, else ``configuration`` in the
    lake.

    A lake that is no folder is too far away for the parsing of a DAG file; then, and where ``NIGHTSHIFT_LAKE`` names no
    lake, it is ``nightshift`` in Airflow's home.
    """
    if value := os.environ.get("NIGHTSHIFT_KEPT"):
        return Path(value)
    try:
        lake = Lake.from_url(lake_url()).folder
    except ValueError:
        lake = None
    if lake is not None:
        return lake / "configuration"
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / "nightshift"


def _setting(name: str, in_checkout: str, meaning: str) -> str:
    if value := os.environ.get(name):
        return value
    if _CHECKOUT is None:
        raise ConfigError(
            f"{name} is not set. Set it, in the environment of every Airflow process and worker, to {meaning}."
        )
    return str(_CHECKOUT / in_checkout)


def read_section(name: str, model: type[Model], *, folder: Path | None = None) -> Model | None:
    """Read a section of ``reports.yaml`` as it stands.

    :param name: the section, for instance ``flexnet``
    :param model: the Pydantic model that the section has to fit
    :param folder: the configuration folder; default :func:`config_folder`
    :return: the section, or ``None`` where the file has no such section: that source is not configured
    :raises ConfigError: the file cannot be read, is not YAML, or the section does not fit; each mistake with its line
    """
    document = load((folder or config_folder()) / REPORTS)
    if name not in document.sections or is_removed(document.values.get(name)):
        return None
    return fit(document, name, model)


def read_sections(
    model: type[Model],
    *,
    file: str,
    folder: Path | None = None,
    name_problem: Callable[[str], str | None] | None = None,
    context: Any = None,
    but: str | None = None,
) -> dict[str, Model | ConfigError]:
    """Read a configuration file whose top-level sections are all of one kind, as it stands.

    The file is read and parsed once. A section that does not fit becomes its error, and all others are read.

    :param model: the Pydantic model that each section has to fit
    :param file: name of the file in the configuration folder
    :param folder: the configuration folder; default :func:`config_folder`
    :param name_problem: says what is wrong with the name of a section, or ``None``
    :param context: what the validators of the model are given as Pydantic's validation context
    :param but: a section of another kind
    :return: the sections by their names, in the order of the file; nothing where there is no such file
    :raises ConfigError: the file cannot be read, or is not YAML
    """
    try:
        document = load((folder or config_folder()) / file)
    except NoFileError:
        return {}
    found: dict[str, Model | ConfigError] = {}
    for name in document.sections:
        if name == but or is_removed(document.values.get(name)):
            continue
        try:
            if name_problem and name not in document.mistakes and (problem := name_problem(name)):
                raise ConfigError(f"{document.path}:{document.lines[(name,)]}: {name}: {problem}")
            found[name] = fit(document, name, model, context)
        except ConfigError as error:
            found[name] = error
    return found


def open_file(file: str, *, folder: Path | None = None) -> ConfigFile:
    """Open a configuration file for what counts of it; what is wrong with it is in its ``mistakes``.

    :param file: name of the file in the configuration folder
    :param folder: the configuration folder; default :func:`config_folder`
    """
    return ConfigFile((folder or config_folder()) / file, kept_folder(), needed=file == REPORTS)
