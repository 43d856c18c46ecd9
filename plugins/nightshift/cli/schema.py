"""JSON schemas of ``reports.yaml``, ``promotions.yaml`` and ``notify.yaml``, made from the models that read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from nightshift.config.freezes import FREEZES, Freeze
from nightshift.config.notify import Channel
from nightshift.config.promotions import Application
from nightshift.config.reports import model_of
from nightshift.sources import SOURCES

_REMOVED = {
    "type": "object",
    "properties": {"removed": {"const": True}},
    "required": ["removed"],
    "additionalProperties": False,
    "description": "Confirms that this is gone on purpose.",
}
_PARAM = re.compile(r"^ *:param (\w+):((?:.|\n)*?)(?=^ *:(?:param|return|raises)\b|\Z)", re.MULTILINE)


def described(model: type) -> dict[str, str]:
    """Return field → what it means, as the docstrings of a model and of its bases say."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        found |= {name: _words(text) for name, text in _PARAM.findall(base.__dict__.get("__doc__") or "")}
    return found


def summary(model: type[BaseModel]) -> str:
    """Return what a model stands for: its docstring before the parameters."""
    return _words(cleandoc(model.__doc__ or "").partition("\n\n:param")[0])


def _words(text: str) -> str:
    plain = re.sub(r":\w+:`~?([^`]+)`", r"``\1``", text)
    return " ".join(plain.replace("``", "`").split())


class _AsWritten(GenerateJsonSchema):
    """Describes fields in the words of the docstrings; a text needs no quotes in our files."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        made = super().model_schema(schema)
        model = schema["cls"]
        told = described(model)
        made["description"] = summary(model)
        for name, field in made.get("properties", {}).items():
            field.pop("title", None)
            if name in told:
                field["description"] = told[name]
        return made

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """Put ``null`` beside the type, so that a value that does not fit is told by what it breaks."""
        made = super().nullable_schema(schema)
        told = [one for one in made.get("anyOf", ()) if one != {"type": "null"}]
        if len(told) != 1 or "type" not in told[0]:
            return made
        (one,), kinds = told, told[0]["type"]
        named = {"enum": [*one["enum"], None]} if "enum" in one else {}
        return {**one, **named, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}

    def str_schema(self, schema: Any) -> dict[str, Any]:
        return {**super().str_schema(schema), "type": ["string", "number", "boolean"]}


def reports_schema() -> dict[str, Any]:
    """Return the schema of ``reports.yaml``."""
    models = {name: model_of(name) for name in SOURCES}
    references, shared = _definitions(models)
    return {
        **_head("reports.yaml: which reports come home every night"),
        "type": "object",
        "properties": {name: _unless_removed(references[name], model) for name, model in models.items()},
        "patternProperties": {"^x-": {"description": "Read by nobody; a place for anchors."}},
        "additionalProperties": False,
        **shared,
    }


def promotions_schema() -> dict[str, Any]:
    """Return the schema of ``promotions.yaml``."""
    references, shared = _definitions({"application": Application, FREEZES: Freeze})
    return {
        **_head("promotions.yaml: which applications are built and deployed after which reports"),
        "type": ["object", "null"],
        "properties": {
            FREEZES: {
                "type": "array",
                "items": references[FREEZES],
                "description": "When nothing is brought to a stage; no application can be called so.",
            }
        },
        "additionalProperties": _unless_removed(references["application"], Application),
        **shared,
    }


def notify_schema() -> dict[str, Any]:
    """Return the schema of ``notify.yaml``."""
    references, shared = _definitions({"channel": Channel})
    return {
        **_head("notify.yaml: who is told of a night that is late, and through what"),
        "type": ["object", "null"],
        "additionalProperties": _unless_removed(references["channel"], Channel),
        **shared,
    }


def _head(title: str) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}


def _unless_removed(reference: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    may_be_bare = not any(field.is_required() for field in model.model_fields.values())
    return {
        "if": {"type": "object", "required": ["removed"]},
        "then": _REMOVED,
        "else": {"anyOf": [reference, {"type": "null"}]} if may_be_bare else reference,
    }


def _definitions(models: Mapping[str, type[BaseModel]]) -> tuple[dict[str, Any], dict[str, Any]]:
    made, shared = models_json_schema([(one, "validation") for one in models.values()], schema_generator=_AsWritten)
    return {name: made[(one, "validation")] for name, one in models.items()}, {"$defs": shared["$defs"]}


SCHEMAS = {"reports": reports_schema, "promotions": promotions_schema, "notify": notify_schema}
"""File, without its ending → its schema."""
