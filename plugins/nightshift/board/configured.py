"""What counts of the configuration, read anew only when its files, or what was kept of them, have changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from nightshift.board.models import BoardPart, Trouble
from nightshift.config.freezes import FREEZES, FreezeRules
from nightshift.config.in_force import Kept
from nightshift.config.promotions import Application, promotions_in_force
from nightshift.config.reports import Source, mistakes_of_reports, sources_in_force
from nightshift.promotion.rules import people
from nightshift.settings import PROMOTIONS, REPORTS, ConfigError, config_folder, kept_folder
from nightshift.sources import SOURCES


@dataclass(frozen=True)
class Configured:
    """The sources of reports and the applications.

    :param applications: by name, those that are gone as well, whose runs go on; ``None``: it has a mistake, and nothing
        counts of it
    :param mistakes: application, or ``freezes`` → what is wrong with it; for those who may see it
    :param freezes: those that count
    :param troubles: what is wrong with no single application
    """

    sources: Mapping[str, Source] = field(default_factory=dict)
    applications: Mapping[str, Application | None] = field(default_factory=dict)
    mistakes: Mapping[str, str] = field(default_factory=dict)
    freezes: FreezeRules = field(default_factory=FreezeRules)
    troubles: tuple[Trouble, ...] = ()

    def reports(self, sources: set[str] | None = None) -> dict[str, tuple[str, ...]]:
        """Return source → its reports, of some sources only where they are given."""
        return {name: tuple(one.groups) for name, one in self.sources.items() if sources is None or name in sources}

    def waiting_for(self, source: str, report: str) -> tuple[str, ...]:
        """Return the applications that wait for a report."""
        name = f"{source}/{report}"
        return tuple(one for one, found in self.applications.items() if found is not None and name in found.after)

    def troubles_for(self, applications: Collection[str], *, sees_all: bool) -> tuple[Trouble, ...]:
        """Return what is wrong with the configuration, for a person.

        :param applications: those that the person may see; what is wrong with another is not told
        :param sees_all: whether these are all; only then it is told what is wrong with the freezes, which name any
        """
        mine = [text for name, text in self.mistakes.items() if name in applications or (sees_all and name == FREEZES)]
        return (*self.troubles, *(Trouble(part=BoardPart.CONFIGURATION, of=PROMOTIONS, text=text) for text in mine))


def dag_of(source: str) -> str:
    """Return the id of a source's DAG."""
    return SOURCES[source].dag_id


def configured() -> Configured:
    """Return what the configuration says now. Never raises: what is wrong with it is in ``troubles``."""
    try:
        folder = config_folder()
        files = [one for name in (REPORTS, PROMOTIONS) for one in (folder / name, *_kept(folder / name))]
        return _read(folder, tuple((file, *_changed(file)) for file in files))
    except (ConfigError, OSError) as error:
        return Configured(troubles=(Trouble(part=BoardPart.CONFIGURATION, text=str(error)),))


def _kept(path: Path) -> list[Path]:
    folder = Kept(kept_folder(), path).folder
    return sorted(folder.glob("*.yaml"))


def _changed(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=2)
def _read(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> Configured:
    promotions = promotions_in_force(
        folder, rules=people.problems_of, freeze_rules=people.problems_of_freezes, with_gone=True
    )
    mistakes = [(REPORTS, text) for text in mistakes_of_reports(folder)]
    mistakes += [(PROMOTIONS, text) for text in promotions.unreadable]
    return Configured(
        sources_in_force(folder).sources,
        {name: promotions.applications.get(name) for name in promotions.names},
        promotions.wrong,
        promotions.freezes,
        tuple(Trouble(part=BoardPart.CONFIGURATION, of=of, text=text) for of, text in mistakes),
    )
