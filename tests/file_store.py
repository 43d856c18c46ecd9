"""A state store of Airflow that outlives the process."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote


class FileStore(MutableMapping[str, Any]):
    """A state store in a folder, one file a key, each written whole: it outlives a process that is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def attempt(self) -> str:
        """The attempt that may write, whichever process it runs in; empty before the first."""
        try:
            return (self.folder / ".attempt").read_text()
        except FileNotFoundError:
            return ""

    @attempt.setter
    def attempt(self, given: str) -> None:
        part = self.folder / f".{uuid.uuid4().hex}"
        part.write_text(given)
        part.rename(self.folder / ".attempt")

    def _path(self, key: str) -> Path:
        return self.folder / quote(key, safe="")

    def __getitem__(self, key: str) -> Any:
        try:
            return json.loads(self._path(key).read_text())
        except FileNotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        part = self._path(key).with_name(f".{uuid.uuid4().hex}")
        part.write_text(json.dumps(value))
        part.rename(self._path(key))

    def __delitem__(self, key: str) -> None:
        try:
            self._path(key).unlink()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return (unquote(path.name) for path in sorted(self.folder.iterdir()) if not path.name.startswith("."))

    def __len__(self) -> int:
        return sum(1 for _ in self)
