"""A section of a file against its model: the model, or each mistake with file, line, field and the nearest valid
value.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, ValidationError

from nightshift.config.document import ConfigError, Document, Location
from nightshift.config.scalars import Plain, with_whole_numbers
from nightshift.fields import nearest

Model = TypeVar("Model", bound=BaseModel)
_ADVICE = {
    "schedule": "nights are fixed: a run a night, begun at the midnight that ends it; settle_hours says how long "
    "after it the vendor is left alone",
    "password": "use the Airflow connection",
}
"""Fields that do not exist and are looked for → what there is instead."""


def fit(document: Document, name: str, model: type[Model], context: Any = None) -> Model:
    """Return a section as its model.

    :param context: what the validators of the model are given as Pydantic's validation context
    :raises ConfigError: it does not fit; each mistake with its line
    """
    value = document.value(name)
    while True:
        try:
            return model.model_validate({} if value is None else value, context=context)
        except ValidationError as error:
            found = error.errors()
            if (written_out := _written_out(value, found)) is None:
                deepest = [one for one in found if not any(_is_inside(other["loc"], one["loc"]) for other in found)]
                explained = (_explain(document, name, model, dict(one)) for one in deepest)
                raise ConfigError("\n".join(explained)) from None
            value = written_out


def _written_out(value: Any, mistakes: Sequence[Any]) -> Any:
    """Return a section in which whole numbers that are written with an exponent stand with their digits; ``None``:
    no such mistake.
    """
    changed = None
    for mistake in mistakes:
        if (
            mistake["type"] == "int_parsing"
            and (digits := with_whole_numbers(mistake["input"])) is not mistake["input"]
        ):
            changed = copy.deepcopy(value) if changed is None else changed
            *above, last = mistake["loc"]
            place = changed
            for step in above:
                place = place[step]
            place[last] = digits
    return changed


def _is_inside(inner: Location, outer: Location) -> bool:
    """Whether a mistake lies inside another one, which it then only causes."""
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _explain(document: Document, section: str, model: type[BaseModel], found: dict[str, Any]) -> str:
    at: Location = (section, *found["loc"])
    # What Pydantic says of a key of a dict: its place is that of the dict.
    is_name = at[-1] == "[key]"
    at = at[:-2] if is_name else at
    at = _shortened(at, document.lines, found["type"])
    where = f"{document.where(at)}{': a name in it' if is_name else ''}"
    match found["type"]:
        case "extra_forbidden":
            if (advice := _ADVICE.get(str(at[-1]))) is not None:
                return f"{where}: unknown field; {advice}"
            return f"{where}: unknown field{nearest(str(at[-1]), _field_names(model, tuple(found['loc'])[:-1]))}"
        case "missing":
            return f"{where}: is missing; add it"
        case "literal_error" | "enum":
            valid = [word.strip(" '") for word in found["ctx"]["expected"].replace(" or ", ",").split(",")]
            return f"{where}: {str(found['input'])!r} is not valid{nearest(str(found['input']), valid)}"
        case "tuple_type" | "list_type":
            return f"{where}: must be a list, a line with '- ' for each (found {_shown(found['input'])})"
        case "too_short":
            return f"{where}: must have at least {found['ctx']['min_length']}, a line with '- ' for each"
        case "model_type" | "dict_type":
            wanted = f"{where}: must be names with their values, 'name: value' a line"
            # A text in the place of a whole channel may be its address, with a secret in it.
            return wanted if len(at) == 1 else f"{wanted} (found {_shown(found['input'])})"
        case "value_error" if isinstance(found["input"], Mapping):
            return f"{where}: {_lowered(found['msg'])}"
        case _:
            return f"{where}: {_lowered(found['msg'])} (found {_shown(found['input'])})"


def _shown(given: Any) -> str:
    """Return a value as it stands in the file, cut."""
    return str(given) if isinstance(given, Plain) and not isinstance(given.value, str) else f"{given!r:.80}"


def _shortened(at: Location, lines: Mapping[Location, int], kind: str) -> Location:
    """Return a place without what Pydantic adds for the members of a union (``bool``, ``tuple[str, ...]``)."""
    if kind in ("missing", "extra_forbidden") or at in lines:
        return at
    return next((at[:n] for n in range(len(at), 1, -1) if at[:n] in lines), at)


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
    return [field.alias or name for inner in _models(model) for name, field in inner.model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _models(annotation.model_fields["root"].annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, list, tuple, dict) or get_args(annotation):
        return [inner for part in get_args(annotation) for inner in _models(part)]
    return []
