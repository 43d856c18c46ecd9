"""What ``nightshift init`` puts into an Airflow project: which files, what becomes of each, and what they need of
Airflow.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nightshift.cli.schema import SCHEMAS
from nightshift.config.document import ConfigError, Document, load, read
from nightshift.config.promotions import Application, applications_in_force, promotion_dag_of
from nightshift.config.reports import POOL_SLOTS, Source, model_of
from nightshift.settings import PROMOTIONS, REPORTS
from nightshift.sources import SOURCES

DAGS = "nightshift_dags"
_NO_NIGHTS = ("configuration", "promotion", "nightshift_watch", "nightshift_maintenance")
SETTINGS = "airflow.env"
_OF_THE_PROJECT = ("AIRFLOW__CORE__LOAD_EXAMPLES", "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION")
"""Settings that are a project's own, whatever ours are."""
POOLS = "pools.json"
_WRITTEN = ".init.json"
_EMPTY = "{}\n"
"""What a file says that has no section."""
_NOTHING = re.compile(r"^(?:\{\s*\}|null|~)[ \t]*$", re.MULTILINE)
_PACKAGE = Path(__file__).resolve().parents[1]
_HEADS = {
    REPORTS: "# Which reports Nightshift brings home every night: a section a source.\n",
    PROMOTIONS: (
        "# Which applications are built and deployed when the reports of a night are there: promote_<name> is the DAG "
        "of each.\n"
    ),
}


class Fate(StrEnum):
    """What becomes of a file."""

    NEW = "new"
    SAME = "unchanged"
    UPDATED = "updated"
    EXTENDED = "extended"
    OVERWRITTEN = "overwritten"
    KEPT = "kept"


WRITES = frozenset({Fate.NEW, Fate.UPDATED, Fate.EXTENDED, Fate.OVERWRITTEN})


@dataclass(frozen=True)
class PlannedFile:
    """A file as it would be, and as it is; ``before`` is ``None`` where there is none."""

    path: Path
    text: str
    before: str | None
    fate: Fate

    @property
    def diff(self) -> str:
        """What is different, in the form of ``diff -u``."""
        old, new = (self.before or "").splitlines(keepends=True), self.text.splitlines(keepends=True)
        return "".join(difflib.unified_diff(old, new, str(self.path), f"{self.path} by nightshift"))


@dataclass(frozen=True)
class Needs:
    """What the configuration asks of Airflow.

    :param sections: of ``reports.yaml``, source → section as it stands
    :param applications: of ``promotions.yaml``, likewise
    """

    sections: Mapping[str, Mapping[str, Any]]
    applications: Mapping[str, Mapping[str, Any]]

    @property
    def pools(self) -> list[str]:
        """The pools, but Airflow's own."""
        named = {_value(section, model_of(source), "pool") for source, section in self.sections.items()}
        return sorted(named - {"default_pool"})

    @property
    def connections(self) -> list[tuple[str, str]]:
        """The connections: id and type."""
        found = [(_value(one, model_of(source), "connection"), source) for source, one in self.sections.items()]
        found += [(_value(one, Application, "connection"), "flexdeploy") for one in self.applications.values()]
        return list(dict.fromkeys(found))

    @property
    def templates(self) -> list[Path]:
        """The DAG files of what is configured, and the one that tells of mistakes."""
        rooms = "|".join(
            [
                "configuration",
                *(["watch", r"nights\.maintenance"] if self.sections else []),
                *self.sections,
                *(["promotion"] if self.applications else []),
            ]
        )
        wanted = re.compile(rf'\bnightshift\.({rooms})\b|nightly_dag\("({rooms})"')
        return [one for one in sorted(_templates().glob("*.py")) if wanted.search(one.read_text(encoding="utf-8"))]

    @property
    def dag_ids(self) -> list[str]:
        """The DAGs that run every night, keep a sign-in alive or promote, and are paused at first; each file but that
        of the promotions is named as its DAG.
        """
        nightly = [one.stem for one in self.templates if one.stem not in _NO_NIGHTS]
        return [*nightly, *map(promotion_dag_of, self.applications)]

    @property
    def examples(self) -> dict[str, list[str]]:
        """File → sections of it that are still as they were begun with."""
        begun = {
            REPORTS: [name for name, one in self.sections.items() if one == _begun_with(name)],
            PROMOTIONS: [name for name, one in self.applications.items() if one == _begun_with("promotion")],
        }
        return {file: names for file, names in begun.items() if names}


@dataclass(frozen=True)
class Project:
    """An Airflow project, and what is put into it.

    :param dags: folder of the DAG files; ours go into a folder of their own in it
    :param config: folder of ``reports.yaml`` and ``promotions.yaml``
    :param lake: base URL of the lake; empty: as in the settings that are there, else ``lake`` beside the DAG files
    :param sources: to begin with; what ``reports.yaml`` has already stays
    :param applications: to begin with, likewise
    :param force: overwrite what somebody changed
    """

    dags: Path
    config: Path
    lake: str = ""
    sources: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    force: bool = False

    def plan(self) -> tuple[list[PlannedFile], Needs]:
        """Return all files, also those that stay as they are, and what they need.

        :raises ConfigError: a configuration file that is there cannot be read, or a folder has a name that no
            settings can have
        """
        reports = self._configuration(REPORTS, {one: starter(one) for one in self.sources})
        named = {one: starter("promotion").replace("NAME", one, 1) for one in self.applications}
        promotions = self._configuration(PROMOTIONS, named)
        needs = Needs({name: one for name, one in _sections(reports).items() if name in SOURCES}, _sections(promotions))
        files = [reports, *([promotions] if promotions.text else [])]
        files += [self._derived(f"{name}.schema.json", _json(make())) for name, make in SCHEMAS.items()]
        files.append(self._derived(SETTINGS, self._settings()))
        if needs.pools:
            about = {"slots": POOL_SLOTS, "description": "What the vendor takes at once", "include_deferred": True}
            files.append(self._derived(POOLS, _json(dict.fromkeys(needs.pools, about))))
        for one in needs.templates:
            files.append(self._derived(self.dags / DAGS / one.name, one.read_text(encoding="utf-8")))
        return files, needs

    def write(self, files: Iterable[PlannedFile]) -> None:
        """Write what is to be written, and note it, so that a later run tells it from what somebody changed."""
        noted = self._noted()
        for file in files:
            if file.fate in WRITES:
                file.path.parent.mkdir(parents=True, exist_ok=True)
                file.path.write_text(file.text, encoding="utf-8", newline="")
            if file.fate is not Fate.KEPT:
                noted[self._label(file.path)] = _digest(file.text)
        (self.config / _WRITTEN).write_text(_json(noted), encoding="utf-8")
        lake = self.dags.parent / "lake"
        if self._lake() == str(lake):
            # A lake that is elsewhere may be mounted there later.
            lake.mkdir(parents=True, exist_ok=True)

    def _configuration(self, name: str, starters: Mapping[str, str]) -> PlannedFile:
        """Plan a YAML file: sections are put at its end, and nothing that stands there is touched."""
        path = self.config / name
        document = load(path) if path.exists() else Document(path)
        if document.mistakes:
            raise ConfigError("\n".join(one for told in document.mistakes.values() for one in told))
        before = path.read_bytes().decode() if path.exists() else None
        missing = [section for section in starters if section not in document.sections]
        added = "\n".join(starters[section] for section in missing)
        if before is None:
            head = f"# yaml-language-server: $schema={Path(name).stem}.schema.json\n{_HEADS[name]}\n"
            nothing = f"{head}{_EMPTY}" if name == REPORTS else ""
            return PlannedFile(path, f"{head}{added}" if added else nothing, None, Fate.NEW)
        if not added:
            return PlannedFile(path, before, before, Fate.SAME)
        # "{}" says that there is nothing; with a section behind it the file would be no YAML.
        kept = before if document.sections else _NOTHING.sub("", before, count=1)
        text = f"{kept.rstrip()}\n\n{added}".lstrip("\r\n")
        text = re.sub(r"\r?\n", "\r\n", text) if "\r\n" in before else text
        planned = PlannedFile(path, text, before, Fate.EXTENDED)
        after = _document_of(planned)
        if after.mistakes or after.sections != [*document.sections, *missing]:
            raise ConfigError(
                f"{path}: {', '.join(missing)} cannot be put at its end as it stands. Nothing was changed. Write its "
                "sections one below the other, each with its name in the first column, and run it again."
            )
        return planned

    def _derived(self, name: str | Path, text: str) -> PlannedFile:
        """Plan a file that follows from the version of Nightshift and from the configuration."""
        path = self.config / name
        before = path.read_text(encoding="utf-8") if path.exists() else None
        if before is None:
            fate = Fate.NEW
        elif before == text:
            fate = Fate.SAME
        elif self._noted().get(self._label(path)) == _digest(before):
            fate = Fate.UPDATED
        else:
            fate = Fate.OVERWRITTEN if self.force else Fate.KEPT
        return PlannedFile(path, text, before, fate)

    def _settings(self) -> str:
        lake = self._lake()
        for named in (str(self.config), lake):
            if sign := re.search(r"[^\w%+,./:=@~-]", named):
                raise ConfigError(
                    f"{named!r} has {sign[0]!r} in it: shells, and containers that are given {SETTINGS}, each read "
                    "that in another way. Nothing was written. Put the project and its lake into a folder without "
                    "blanks, quotes and signs of the shell, and run this again there."
                )
        shared = _templates().parent / ("airflow.env" if _packed() else "deploy/airflow.env")
        blocks = re.findall(r"((?:^#.*\n)*)^(AIRFLOW__\w+=.*\n)", shared.read_text(encoding="utf-8"), re.M)
        ours = [about + line for about, line in blocks if not line.startswith(_OF_THE_PROJECT)]
        return (
            "# For every process of Airflow: API server, scheduler, DAG processor, triggerer, workers.\n"
            f"NIGHTSHIFT_CONFIG={self.config}\nNIGHTSHIFT_LAKE={lake}\n\n{''.join(ours)}"
        )

    def _lake(self) -> str:
        path = self.config / SETTINGS
        there = re.search(r"^NIGHTSHIFT_LAKE=(.+)$", path.read_text(encoding="utf-8"), re.M) if path.exists() else None
        return self.lake or (there[1] if there else str(self.dags.parent / "lake"))

    def _label(self, path: Path) -> str:
        return os.path.relpath(path, self.config)

    def _noted(self) -> dict[str, str]:
        path = self.config / _WRITTEN
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def dags_expected(sources: Mapping[str, Source]) -> list[str]:
    """Return the DAGs of these sources, and of the applications that count.

    :raises ConfigError: nobody says where the configuration is
    """
    found = [SOURCES[name].dag_id for name in sources]
    found += ["tokenflex_token"] if "tokenflex" in sources else []
    return [*found, *map(promotion_dag_of, applications_in_force())]


def starter(room: str) -> str:
    """Return the lines that a source, or an application (``promotion``), begins with."""
    return (_PACKAGE / room / "starter.yaml").read_text(encoding="utf-8")


def _begun_with(room: str) -> Any:
    (section,) = read(_PACKAGE / room / "starter.yaml", starter(room)).values.values()
    return section or {}


def _packed() -> bool:
    return (_PACKAGE / "cli" / "dags").is_dir()


def _templates() -> Path:
    """Return the folder of the DAG files: in a wheel beside this module, in a checkout its own ``dags``."""
    return _PACKAGE / "cli" / "dags" if _packed() else _PACKAGE.parents[1] / "dags"


def _document_of(file: PlannedFile) -> Document:
    try:
        return read(file.path, file.text.removeprefix("\ufeff")) if file.text.strip() else Document(file.path)
    except ConfigError:
        return Document(file.path)


def _sections(file: PlannedFile) -> dict[str, Mapping[str, Any]]:
    sections = {name: one or {} for name, one in _document_of(file).values.items()}
    return {name: one for name, one in sections.items() if isinstance(one, Mapping) and "removed" not in one}


def _value(section: Mapping[str, Any], model: Any, name: str) -> str:
    return str(section.get(name) or model.model_fields[name].default)


def _json(value: Any) -> str:
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
