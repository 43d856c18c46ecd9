"""The last good configuration, section by section, so that a mistake does not end what runs.

A DAG is made of its section each time that its file is parsed, in the DAG processor and again for each task. Where a
mistake left nothing to make it of, Airflow would take its tasks for removed, and their runs for done. So each section is
kept when it is read without a mistake, and counts again while there is one. A copy is a file of its own, ``<folder>/<file>/
<section>.yaml``, written whole or not at all; it holds what the section says, no comments, and no secret, because none may
stand in a section.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path
from typing import Any

from nightshift.config.document import Document, load
from nightshift.config.mistakes import ConfigError
from nightshift.config.written import Plain

log = logging.getLogger(__name__)


class Kept:
    """What was kept of one file.

    :param folder: the folder of all copies
    :param path: the configuration file; files of another folder have copies of their own
    """

    def __init__(self, folder: Path, path: Path) -> None:
        place = hashlib.sha256(str(path.parent.resolve()).encode()).hexdigest()[:12]
        self.folder = folder / place / path.stem

    def names(self) -> list[str]:
        """Return the sections that are kept."""
        return sorted(file.stem for file in self.folder.glob("*.yaml"))

    def has(self, name: str) -> bool:
        """Return whether a section is kept."""
        return self._file(name).exists()

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
                "The good section %s could not be kept in %s (%s): a mistake in it would stop its DAG. Set NIGHTSHIFT_KEPT to a "
                "folder that every Airflow process can write to.", name, self.folder, error.strerror,
            )  # fmt: skip

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
