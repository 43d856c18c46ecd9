"""What a person sets: the folder with ``reports.yaml`` and ``promotions.yaml``, and where the lake is.

A file is read whole, but each section is validated when its own DAG asks for it, so that a mistake in one source breaks
no other DAG. Every mistake is told with file, line, field and the nearest valid value.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

# In a checkout the provider lies in ``plugins/`` beside the project's own ``include/`` and ``lake``; installed, it has no project.
_CHECKOUT = Path(__file__).resolve().parents[2] if Path(__file__).resolve().parents[1].name == "plugins" else None
Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]
# The parser in C is about ten times as fast; PyYAML can be built without it.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ConfigError(ValueError):
    """One or more mistakes in a configuration file; the text has a line for each: ``file:line: field: what to do``."""


class _NoFileError(ConfigError):
    """There is no such file."""


def config_folder() -> Path:
    """Return the folder of ``reports.yaml`` and ``promotions.yaml``: ``NIGHTSHIFT_CONFIG``, else that of the checkout.

    :raises ConfigError: the setting is missing, and the package is installed, not run from a checkout
    """
    return Path(_setting("NIGHTSHIFT_CONFIG", "include/config", "the folder with reports.yaml and promotions.yaml"))


def lake_url() -> str:
    """Return the base URL of the lake: ``NIGHTSHIFT_LAKE``, else the folder ``lake`` of the checkout.

    :raises ConfigError: the setting is missing, and the package is installed, not run from a checkout
    """
    return _setting("NIGHTSHIFT_LAKE", "lake", "the base URL of the lake: a folder, s3://bucket/prefix, gs://…, az://…")


def _setting(name: str, in_checkout: str, meaning: str) -> str:
    if value := os.environ.get(name):
        return value
    if _CHECKOUT is None:
        raise ConfigError(
            f"{name} is not set. Set it, in the environment of every Airflow process and worker, to {meaning}."
        )
    return str(_CHECKOUT / in_checkout)


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
    document = _load((folder or config_folder()) / file)
    for mistake in document.twice.values():
        raise ConfigError(mistake[0])
    data = document.values()
    return _fit(document, name, model, data[name]) if name in data else None


def read_sections(
    model: type[Model],
    *,
    file: str,
    folder: Path | None = None,
    name_problem: Callable[[str], str | None] | None = None,
    context: Any = None,
) -> dict[str, Model | ConfigError]:
    """Read a configuration file whose top-level sections are all of one kind.

    The file is read and parsed once. A section that does not fit becomes its error, and all others are read.

    :param model: the Pydantic model that each section has to fit
    :param file: name of the file in the configuration folder
    :param folder: the configuration folder; default :func:`config_folder`
    :param name_problem: says what is wrong with the name of a section, or ``None``
    :param context: what the validators of the model are given as Pydantic's validation context
    :return: the sections by their names, in the order of the file; nothing where there is no such file
    :raises ConfigError: the file cannot be read, or is not YAML
    """
    try:
        document = _load((folder or config_folder()) / file)
    except _NoFileError:
        return {}
    found: dict[str, Model | ConfigError] = {}
    for name in document.sections:
        try:
            if name in document.twice:
                raise ConfigError("\n".join(document.twice[name]))
            if name_problem and (problem := name_problem(name)):
                raise ConfigError(f"{document.path}:{document.lines[(name,)]}: {name}: {problem}")
            found[name] = _fit(document, name, model, document.value(name), context)
        except ConfigError as error:
            found[name] = error
    return found


def read_unchecked(file: str, *, folder: Path | None = None) -> dict[Any, Any]:
    """Read a configuration file as it stands, for a look at parts of it that another reader will validate.

    :param file: name of the file in the configuration folder
    :param folder: the configuration folder; default :func:`config_folder`
    :raises ConfigError: the file cannot be read, or is not YAML
    """
    return _load((folder or config_folder()) / file).values()


def nearest(word: str, valid: Collection[str], *, few: bool = False) -> str:
    """Return what to add to a mistake: the valid word that is most like it, else all.

    :param word: what was found
    :param valid: what may be there
    :param few: where none is like it, name no more than a few
    """
    near = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    shown = sorted(valid)
    return f"; valid: {', '.join(shown[:10] if few else shown)}{' …' if few and len(shown) > 10 else ''}"


@dataclass(frozen=True)
class _Document:
    """A file that was parsed once.

    :param path: the file
    :param loader: what makes values of nodes
    :param root: the whole
    :param sections: top-level keys as they are written → their values
    :param lines: place → line
    :param twice: top-level key → mistakes about keys below it that are given twice
    """

    path: Path
    loader: yaml.SafeLoader
    root: yaml.Node | None
    sections: dict[str, yaml.Node] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    twice: dict[str, list[str]] = field(default_factory=dict)

    def values(self) -> dict[Any, Any]:
        """Return the values of the whole file."""
        return {} if self.root is None else self._made(self.root)

    def value(self, name: str) -> Any:
        """Return the value of one section."""
        return self._made(self.sections[name])

    def note(self, node: yaml.Node, at: Location) -> None:
        """Note the line of every value, and each key that is given twice (YAML would silently keep the last)."""
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                below = (*at, str(key.value))
                line = key.start_mark.line + 1
                if below in self.lines:
                    first = f"given twice, first in line {self.lines[below]}; keep one"
                    self.twice.setdefault(str(below[0]), []).append(f"{self.path}:{line}: {_dotted(below)}: {first}")
                    continue
                self.lines[below] = line
                self.note(value, below)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.note(value, (*at, index))

    def _made(self, node: yaml.Node) -> Any:
        try:
            return self.loader.construct_document(node)
        except yaml.YAMLError as error:
            raise _not_yaml(self.path, error) from None
        except ValueError as error:
            raise ConfigError(f"{self.path}:{node.start_mark.line + 1}: not a value that YAML knows: {error}") from None


def _load(path: Path) -> _Document:
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
    except OSError as error:
        kind = _NoFileError if isinstance(error, FileNotFoundError) else ConfigError
        raise kind(
            f"{path}: cannot be read ({error.strerror}). Set NIGHTSHIFT_CONFIG to the folder that holds it."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text, from byte {error.start} on; save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    document = _Document(path, loader, root)
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == "tag:yaml.org,2002:null"):
        return _Document(path, loader, None)
    if not isinstance(root, yaml.MappingNode):
        found = "list" if isinstance(root, yaml.SequenceNode) else "text"
        raise ConfigError(f"{path}:1: expected sections such as 'name:' at the top, found a {found}")
    try:
        document.note(root, ())
    except RecursionError:
        raise ConfigError(f"{path}: an alias (*name) stands inside of its own anchor (&name); write it out") from None
    document.sections.update({str(key.value): value for key, value in root.value})
    return document


def _not_yaml(path: Path, error: yaml.YAMLError) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}" if mark else ""
    return ConfigError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or error}")


def _fit(document: _Document, name: str, model: type[Model], value: Any, context: Any = None) -> Model:
    try:
        return model.model_validate({} if value is None else value, context=context)
    except ValidationError as error:
        found = error.errors()
        deepest = [one for one in found if not any(_is_inside(other["loc"], one["loc"]) for other in found)]
        told = [_explain(document.path, document.lines, name, model, dict(one)) for one in deepest]
        raise ConfigError("\n".join(told)) from None


def _is_inside(inner: Location, outer: Location) -> bool:
    """Whether a mistake lies inside another one, which it then only causes."""
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _explain(
    path: Path, lines: Mapping[Location, int], section: str, model: type[BaseModel], found: dict[str, Any]
) -> str:
    at: Location = (section, *found["loc"])
    # What Pydantic says of a key of a dict: its place is that of the dict, because YAML may have changed the key.
    is_name = at[-1] == "[key]"
    at = at[:-2] if is_name else at
    line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), 1)
    where = f"{path}:{line}: {_dotted(at)}{': a name in it' if is_name else ''}"
    match found["type"]:
        case "extra_forbidden":
            valid = _field_names(model, tuple(found["loc"])[:-1])
            return f"{where}: unknown field{nearest(str(at[-1]), valid)}"
        case "missing":
            return f"{where}: is missing; add it"
        case "literal_error" | "enum":
            valid = [word.strip(" '") for word in found["ctx"]["expected"].replace(" or ", ",").split(",")]
            return f"{where}: {found['input']!r} is not valid{nearest(str(found['input']), valid)}"
        case "tuple_type" | "list_type":
            return f"{where}: must be a list, a line with '- ' for each (found {found['input']!r:.80})"
        case "too_short":
            return f"{where}: must have at least {found['ctx']['min_length']}, a line with '- ' for each"
        case "model_type" | "dict_type":
            return f"{where}: must be names with their values, 'name: value' a line (found {found['input']!r:.80})"
        case "value_error" if isinstance(found["input"], Mapping):
            return f"{where}: {_lowered(found['msg'])}"
        case _:
            return f"{where}: {_lowered(found['msg'])} (found {found['input']!r:.80})"


def _lowered(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message if message[1:2].isupper() else f"{message[:1].lower()}{message[1:]}"


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
