"""What counts: each section as it stands in its file, or, while a mistake is in it, as it stood when it was last right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from nightshift.config.document import Document, load
from nightshift.config.fitting import fit
from nightshift.config.kept import Kept
from nightshift.config.mistakes import ConfigError, Location, NoFileError, dotted

Model = TypeVar("Model", bound=BaseModel)
Rules = Callable[[Model], Iterable[tuple[Location, str]]]
"""Says what is wrong with a section that fits its model: places in it, and problems."""
AS_KEPT = "kept"
"""The validation context of a section that is kept: it was right in its own time, whatever else has changed since."""
GOES_ON = "\nUntil this is put right, all goes on as it was before."


class ConfigFile:
    """One configuration file, read once, and what was kept of it.

    ``mistakes`` has what is wrong with what was asked for so far, a text each.

    :param path: the file
    :param kept: the folder of all copies
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

    def told_gone(self, name: str) -> str:
        """Return what to say of a section that is gone."""
        return (
            f"{self.path}: {name}: is no longer here. What runs of it stands still, and nothing new begins. Put it back, or "
            f"confirm that it is gone: '{name}: {{removed: true}}', a line that can go once this is no longer told."
        )

    def told_unknown(self, name: str, problem: str) -> str:
        """Return what to say of a section that nothing reads: what is wrong with it as YAML, else ``problem``."""
        told = self.document.mistakes.get(name) if self.document else None
        return "\n".join(told) if told else self._at((name,), problem)

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

        :param name: the section
        :param model: the model that it has to fit
        :param context: what the validators of the model are given
        :param problem: what is wrong with the name
        :param rules: says what is wrong with a section that fits its model, and where in it
        :param counts_gone: where it is missing, what was kept counts all the same
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
                raise ConfigError(f"{self.path}:{self.document.lines[(name,)]}: {name}: {problem}")
            found = fit(self.document, name, model, context)
            if told := [self._at((name, *at), wrong) for at, wrong in (rules(found) if rules else ())]:
                raise ConfigError("\n".join(told))
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
        lines = self.document.lines if self.document else {}
        line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), 1)
        return f"{self.path}:{line}: {dotted(at)}: {problem}"

    def _as_kept(self, name: str, model: type[Model]) -> Model | None:
        copy = self._kept.get(name)
        try:
            return None if copy is None else fit(copy, name, model, AS_KEPT)
        except (ConfigError, KeyError):
            return None


def is_removed(value: Any) -> bool:
    """Whether a section says of itself that it is gone on purpose: ``name: {removed: true}``."""
    return isinstance(value, dict) and list(value) == ["removed"] and str(value["removed"]).lower() == "true"
