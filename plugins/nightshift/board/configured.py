"""What the configuration says, read anew only when its files have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from nightshift.board.models import BoardPart, Trouble
from nightshift.config.freezes import FreezeRules
from nightshift.config.promotions import Application, promotions_in_force, read_applications
from nightshift.config.reports import Source, mistakes_of_reports, source_in_force
from nightshift.settings import PROMOTIONS, REPORTS, ConfigError, config_folder
from nightshift.sources import SOURCES


@dataclass(frozen=True)
class Configured:
    """The sources of reports and the applications.

    :param applications: by name; one with a mistake is its error
    :param freezes: those that count
    """

    sources: Mapping[str, Source] = field(default_factory=dict)
    applications: Mapping[str, Application | ConfigError] = field(default_factory=dict)
    freezes: FreezeRules = field(default_factory=FreezeRules)
    troubles: tuple[Trouble, ...] = ()

    def reports(self, sources: set[str] | None = None) -> dict[str, tuple[str, ...]]:
        """Return source → its reports, of some sources only where they are given."""
        return {name: tuple(one.groups) for name, one in self.sources.items() if sources is None or name in sources}

    def waiting_for(self, source: str, report: str) -> tuple[str, ...]:
        """Return the applications that wait for a report."""
        name = f"{source}/{report}"
        return tuple(
            one for one, found in self.applications.items() if isinstance(found, Application) and name in found.after
        )


def dag_of(source: str) -> str:
    """Return the id of a source's DAG."""
    return SOURCES[source].dag_id


def configured() -> Configured:
    """Return what the configuration says now. Never raises: what is wrong with it is in ``troubles``."""
    try:
        folder = config_folder()
        return _read(folder, _changed(folder / REPORTS), _changed(folder / PROMOTIONS))
    except (ConfigError, OSError) as error:
        return Configured(troubles=(Trouble(part=BoardPart.CONFIGURATION, text=str(error)),))


def _changed(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=2)
def _read(folder: Path, reports: tuple[int, int], promotions: tuple[int, int]) -> Configured:
    sources = {name: found for name in SOURCES if (found := source_in_force(name, folder=folder)) is not None}
    mistakes = [(REPORTS, text) for text in mistakes_of_reports(folder)]
    applications: dict[str, Application | ConfigError] = {}
    try:
        applications = read_applications(folder)
    except ConfigError as error:
        mistakes.append((PROMOTIONS, str(error)))
    troubles = tuple(Trouble(part=BoardPart.CONFIGURATION, of=of, text=text) for of, text in mistakes)
    return Configured(sources, applications, promotions_in_force(folder).freezes, troubles)
