"""The one list of sources of reports; what counts of each in ``reports.yaml``, and all that is wrong with the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from airflow.sdk import get_parsing_context

from nightshift.config.exago import Exago
from nightshift.config.in_force import ConfigFile, Rules
from nightshift.config.mistakes import ConfigError, nearest
from nightshift.config.promotions import applications_in_force
from nightshift.config.reports import CamundaOptimize, FlexNet, Source
from nightshift.config.tokenflex import TokenFlex
from nightshift.promotion import people
from nightshift.settings import PROMOTIONS, REPORTS, config_folder, open_file
from nightshift.tokenflex.configured import problems_of

Model = TypeVar("Model", bound=Source)
SOURCES: Mapping[str, type[Source]] = {
    "flexnet": FlexNet,
    "tokenflex": TokenFlex,
    "camunda_optimize": CamundaOptimize,
    "exago": Exago,
}
"""The sections of ``reports.yaml`` and their models."""
RULES: Mapping[str, Rules[Any]] = {"tokenflex": problems_of}
"""What a vendor's own rules say of a section that fits its model: places and problems."""
_ALIKE = 0.75


def source_in_force(name: str, model: type[Model], *, folder: Path | None = None) -> Model | None:
    """Return a section of ``reports.yaml`` that counts: as it stands, or, while a mistake is in it, as it stood before.

    The mistake itself is told by ``dags/configuration.py``, so that it ends nothing that runs.

    :param name: the source, for instance ``flexnet``
    :param model: its model
    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :return: ``None``: the source is not configured, or never was without a mistake
    """
    return _section(open_file(REPORTS, folder=folder), name, model)


def in_task() -> bool:
    """Return whether a DAG file is parsed for a task that begins: it needs its DAG, also where its section is gone since."""
    return bool(get_parsing_context().dag_id)


def _section(file: ConfigFile, name: str, model: type[Model]) -> Model | None:
    counts_gone = in_task() or any(_meant(unknown) == name for unknown in _unknown(file))
    return file.section(name, model, rules=RULES.get(name), counts_gone=counts_gone)


def _unknown(file: ConfigFile) -> list[str]:
    """Return the sections that are no source; one that begins with ``x-`` is there for its anchors."""
    return (
        [] if file.document is None else [one for one in file.names if one not in SOURCES and not one.startswith("x-")]
    )


def _meant(unknown: str) -> str | None:
    return next(iter(difflib.get_close_matches(unknown, SOURCES, n=1, cutoff=0.5)), None)


def all_mistakes(folder: Path | None = None) -> list[str]:
    """Return what is wrong with the configuration, the mistakes of each file together.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    """
    try:
        folder = folder or config_folder()
    except ConfigError as error:
        return [str(error)]
    reports = open_file(REPORTS, folder=folder)
    for name, model in SOURCES.items():
        _section(reports, name, model)
    for name in _unknown(reports):
        reports.mistakes.insert(0, reports.told_unknown(name, f"is not a source of reports{nearest(name, SOURCES)}"))
    meant = {_meant(name) for name in _unknown(reports)}
    found = [*reports.mistakes, *(reports.told_gone(name) for name in reports.gone if name not in meant)]
    applications_in_force(folder, mistakes=found, rules=people.problems_of)
    return list(dict.fromkeys([*found, *_strangers(folder)]))


def _strangers(folder: Path) -> list[str]:
    """Tell of files that look like ours and are not read."""
    ours = (REPORTS, PROMOTIONS)
    names = sorted(one.name for one in folder.glob("*.y*ml") if one.name not in ours) if folder.is_dir() else []
    found = []
    for name in names:
        near = difflib.get_close_matches(name.lower(), ours, n=1, cutoff=_ALIKE)
        # Where the file of that name is missing, its own mistake says so.
        if near and (folder / near[0]).exists():
            found.append(f"{folder / name}: is not read, {near[0]} is; put what it says there, and remove it")
        elif near and name != f"{Path(near[0]).stem}.yml":
            found.append(f"{folder / name}: is not read; rename it to {near[0]}")
    return found
