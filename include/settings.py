"""What a person sets: the folder with ``reports.yaml`` and ``promotions.yaml``, and where the lake is.

A file is read whole, but each section is validated when its own DAG asks for it, so that a mistake in one source breaks
no other DAG. Every mistake is told with file, line, field and the nearest valid value.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

ROOT = Path(__file__).resolve().parents[1]
Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


class ConfigError(ValueError):
    """One or more mistakes in a configuration file; the text has a line for each: ``file:line: field: what to do``."""


def config_folder() -> Path:
    """Return the folder of ``reports.yaml`` and ``promotions.yaml``: ``NIGHTSHIFT_CONFIG``, else the project's own."""
    return Path(os.environ.get("NIGHTSHIFT_CONFIG") or ROOT / "include" / "config")


def lake_url() -> str:
    """Return the base URL of the lake: ``NIGHTSHIFT_LAKE``, else the folder ``lake`` of the project."""
    return os.environ.get("NIGHTSHIFT_LAKE") or str(ROOT / "lake")


def read_section(
    name: str, model: type[Model], *, file: str = "reports.yaml", folder: Path | None = None
) -> Model | None:
    """Read one top-level section of a configuration file.

    :param name: the section, for instance ``flexnet``
    :param model: the Pydantic model that the section has to fit
    :param file: name of the file in the configuration folder
    :param folder: the configuration folder; default :func:`config_folder`
    :return: the section, or ``None`` where the file has no such section: that source is not configured
    :raises ConfigError: the file cannot be read, is not YAML, or the section does not fit; each mistake with its line
    """
    path = (folder or config_folder()) / file
    data, lines = _load(path)
    if data is None or name not in data:
        return None
    section = {} if data[name] is None else data[name]
    try:
        return model.model_validate(section)
    except ValidationError as error:
        found = error.errors()
        deepest = [one for one in found if not any(_is_inside(other["loc"], one["loc"]) for other in found)]
        told = [_explain(path, lines, name, model, dict(one)) for one in deepest]
        raise ConfigError("\n".join(told)) from None


def _is_inside(inner: Location, outer: Location) -> bool:
    """Whether a mistake lies inside another one, which it then only causes."""
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _load(path: Path) -> tuple[dict[str, Any] | None, dict[Location, int]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). Set NIGHTSHIFT_CONFIG to the folder that holds it."
        ) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Location, int] = {}
        if node is not None:
            _walk(node, (), lines, path)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}:1: expected sections such as 'flexnet:' at the top, found {type(data).__name__}")
    return data, lines


def _walk(node: yaml.Node, at: Location, lines: dict[Location, int], path: Path) -> None:
    """Note the line of every value, and refuse a key that is given twice (YAML would silently keep the last)."""
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*at, str(key.value))
            if below in lines:
                raise ConfigError(
                    f"{path}:{key.start_mark.line + 1}: {_dotted(below)}: given twice, first in line {lines[below]}; keep one"
                )
            lines[below] = key.start_mark.line + 1
            _walk(value, below, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*at, index), lines, path)


def _explain(
    path: Path, lines: Mapping[Location, int], section: str, model: type[BaseModel], found: dict[str, Any]
) -> str:
    at: Location = (section, *found["loc"])
    line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), 1)
    where = f"{path}:{line}: {_dotted(at)}"
    match found["type"]:
        case "extra_forbidden":
            valid = _field_names(model, tuple(found["loc"])[:-1])
            return f"{where}: unknown field{_nearest(str(at[-1]), valid)}"
        case "missing":
            return f"{where}: is missing; add it"
        case "literal_error" | "enum":
            valid = [word.strip(" '") for word in found["ctx"]["expected"].replace(" or ", ",").split(",")]
            return f"{where}: {found['input']!r} is not valid{_nearest(str(found['input']), valid)}"
        case _:
            message = str(found["msg"]).removeprefix("Value error, ")
            return f"{where}: {message[:1].lower()}{message[1:]} (found {found['input']!r:.80})"


def _nearest(word: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; valid: {', '.join(sorted(valid))}"


def _field_names(model: Any, loc: Location) -> list[str]:
    """Names of the fields that are valid at ``loc`` below ``model``."""
    for step in loc:
        candidates = [inner for inner in _models(model) if isinstance(step, int) or step in inner.model_fields]
        if not candidates:
            continue
        model = candidates[0].model_fields[step].annotation if isinstance(step, str) else candidates[0]
    return [name for inner in _models(model) for name in inner.model_fields]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, list, tuple, dict) or get_args(annotation):
        return [inner for part in get_args(annotation) for inner in _models(part)]
    return []


def _dotted(at: Location) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at).lstrip(".")
