"""What counts: each section as it stands in its file, or, while a mistake is in it, as it stood when it was last right.

A DAG is made of its section each time that its file is parsed, in the DAG processor and again for each task. Where a
mistake left nothing to make it of, Airflow would take its tasks for removed, and their runs for done. So each section
is kept when it is read without a mistake, and counts again while there is one. A copy is a file of its own,
``<folder>/<file>/ <section>.yaml``, written whole or not at all; it holds what the section says, no comments, and no
secret, because none may stand in a section.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from nightshift.config.document import ConfigError, Document, Location, NoFileError, load
from nightshift.config.fitting import fit
from nightshift.config.scalars import Plain

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)
Rules = Callable[[Model], Iterable[tuple[Location, str]]]
"""Says what is wrong with a section that fits its model: places in it, and problems."""
AS_KEPT = "kept"
"""The validation context of a section that is kept: it was right in its own time, whatever else has changed since."""
GOES_ON = "\nUntil this is put right, all goes on as it was before."


class ConfigFile:
    """One configuration file, read once, and what was kept of it.

    ``mistakes`` has what is wrong with what was asked for so far, a text each.

    :param needed: whether it is a mistake that there is no such file, even where nothing was kept of one
    """

    def __init__(self, path: Path, kept: Path, *, needed: bool) -> None:
        self.path = path
        self.mistakes: list[str] = []
        self._kept = Kept(kept, path)
        self.document: Document | None = None
        try:
            self.document = load(path)
        except NoFileError as error:
            if needed or self._kept.names() or path.with_suffix(".yml").exists():
                self.mistakes.append(f"{error}{GOES_ON if self._kept.names() else ''}")
            else:
                self.document = Document(path)
        except ConfigError as error:
            self.mistakes.append(f"{error}{GOES_ON if self._kept.names() else ''}")

    @property
    def names(self) -> list[str]:
        """The sections of the file, in its order; where it cannot be read, those that were kept."""
        return self._kept.names() if self.document is None else self.document.sections

    @property
    def gone(self) -> list[str]:
        """Sections that were right once and are no longer there."""
        return [] if self.document is None else [one for one in self._kept.names() if one not in self.document.sections]

    def mistake_gone(self, name: str) -> str:
        """Return what to say of a section that is gone."""
        return (
            f"{self.path}: {name}: is no longer here. What runs of it stands still, and nothing new begins. Put it "
            f"back, or confirm that it is gone: '{name}: {{removed: true}}', a line that can go once this is no "
            "longer told."
        )

    def mistake_unknown(self, name: str, problem: str) -> str:
        """Return what to say of a section that nothing reads: what is wrong with it as YAML, else ``problem``."""
        mistakes = self.document.mistakes.get(name) if self.document else None
        return "\n".join(mistakes) if mistakes else self._at((name,), problem)

    def section(
        self,
        name: str,
        model: type[Model],
        *,
        context: Any = None,
        problem: str | None = None,
        rules: Rules[Model] | None = None,
        counts_gone: bool = False,
    ) -> Model | None:
        """Return a section that counts.

        :return: ``None`` where there is none, or none without a mistake
        """
        if self.document is None:
            return self._as_kept(name, model)
        if name not in self.document.sections:
            return self._as_kept(name, model) if counts_gone else None
        if is_removed(self.document.values.get(name)):
            self._kept.forget(name)
            return None
        try:
            if problem:
                raise ConfigError(self.mistake_unknown(name, problem))
            found = fit(self.document, name, model, context)
            if mistakes := [self._at((name, *at), wrong) for at, wrong in (rules(found) if rules else ())]:
                raise ConfigError("\n".join(mistakes))
        except ConfigError as error:
            kept = None if problem else self._as_kept(name, model)
            goes_on = "" if kept is None else f"\nUntil this is put right, {name} goes on as it was before."
            self.mistakes.append(f"{error}{goes_on}")
            return kept
        self._kept.put(name, self.document.values[name])
        return found

    def raw(self, name: str) -> Any:
        """Return the value of a section, of the file or kept, without a look at its model; ``None``: nobody knows."""
        if self.document is not None and name in self.document.values and name not in self.document.mistakes:
            return self.document.values[name]
        copy = self._kept.get(name)
        return None if copy is None else copy.values.get(name)

    def _at(self, at: Location, problem: str) -> str:
        return f"{(self.document or Document(self.path)).where(at)}: {problem}"

    def _as_kept(self, name: str, model: type[Model]) -> Model | None:
        copy = self._kept.get(name)
        try:
            return None if copy is None else fit(copy, name, model, AS_KEPT)
        except (ConfigError, KeyError):
            return None


def is_removed(value: Any) -> bool:
    """Whether a section says of itself that it is gone on purpose: ``name: {removed: true}``."""
    return isinstance(value, dict) and list(value) == ["removed"] and str(value["removed"]).lower() == "true"


class Kept:
    """What was kept of one file.

    :param path: the configuration file; files of another folder have copies of their own
    """

    def __init__(self, folder: Path, path: Path) -> None:
        place = hashlib.sha256(str(path.parent.resolve()).encode()).hexdigest()[:12]
        self.folder = folder / place / path.stem

    def names(self) -> list[str]:
        """Return the sections that are kept."""
        return sorted(file.stem for file in self.folder.glob("*.yaml"))

    def put(self, name: str, value: Any) -> None:
        """Keep a section; where that is not possible, say so and go on."""
        text = f"{_quoted(name)}: {_written(value)}\n"
        file = self._file(name)
        with contextlib.suppress(OSError, UnicodeError):
            if file.read_text(encoding="utf-8") == text:
                return
        new = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(text, encoding="utf-8")
            new.replace(file)
        except OSError as error:
            log.warning(
                "The good section %s could not be kept in %s (%s): a mistake in it would stop its DAG. Set "
                "NIGHTSHIFT_KEPT to a folder that every Airflow process can write to.",
                name,
                self.folder,
                error.strerror,
            )

    def get(self, name: str) -> Document | None:
        """Return the copy of a section, or ``None`` where there is none that can be read."""
        try:
            return load(self._file(name))
        except ConfigError:
            return None

    def forget(self, name: str) -> None:
        """Remove the copy of a section."""
        with contextlib.suppress(OSError):
            self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name.replace('/', '_')}.yaml"


def _written(value: Any) -> str:
    """Return a value as YAML that is read as this value again."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(name)}: {_written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, Plain) and not isinstance(value.value, str):
        return value
    return _quoted(value)


def _quoted(text: str) -> str:
    return '"' + "".join(one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08x}" for one in text) + '"'
