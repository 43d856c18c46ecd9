"""All that is wrong with the configuration, and how it reaches Airflow: as an import error that begins with the
sentence that helps.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG

from nightshift.config.notify import channels_in_force
from nightshift.config.promotions import promotions_in_force
from nightshift.config.reports import mistakes_of_reports
from nightshift.known_secrets import hide
from nightshift.promotion.rules import people
from nightshift.settings import NOTIFY, PROMOTIONS, REPORTS, ConfigError, config_folder

_ALIKE = 0.75


class Mistake(Exception):
    """What is wrong with the configuration."""


class MistakenConfiguration(DAG):
    """A DAG that Airflow refuses, with the mistakes as its reason; there is none where there are none.

    Airflow writes the reason of a refused DAG as it is, and puts a traceback before that of a file which raises. Where
    the DAG would be taken all the same, it is there to be seen, and says the same.
    """

    def __init__(self, *, mistakes: str, **options: Any) -> None:
        super().__init__(
            "nightshift_configuration",
            schedule=None,
            start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
            catchup=False,
            tags=["nightshift", "mistake"],
            doc_md=f"```\n{mistakes}\n```",
            **options,
        )
        self.mistakes = mistakes

    def validate(self) -> None:
        """Refuse to be a DAG.

        :raises Mistake: always
        """
        raise Mistake(self.mistakes)


def all_mistakes(folder: Path | None = None) -> list[str]:
    """Return what is wrong with the configuration, the mistakes of each file together.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    """
    try:
        folder = folder or config_folder()
    except ConfigError as error:
        return [str(error)]
    found = mistakes_of_reports(folder)
    found += promotions_in_force(folder, rules=people.problems_of, freeze_rules=people.problems_of_freezes).mistakes
    channels_in_force(folder, mistakes=found)
    return list(dict.fromkeys(map(hide, (*found, *_strangers(folder)))))


def _strangers(folder: Path) -> list[str]:
    """Tell of files that look like ours and are not read."""
    ours = (REPORTS, PROMOTIONS, NOTIFY)
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
