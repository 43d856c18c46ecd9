"""The types of the board's answers for its ES modules, as JSDoc, made from the models that the routes answer with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from nightshift.board import models

HEAD = (
    "/**\n * The answers of the board's routes. Made from nightshift/board/models by `make docs`; changes here are "
    "overwritten.\n */\n"
)
_KINDS = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


def types_js() -> str:
    """Return the text of ``board/static/types.js``."""
    answers = [
        one
        for _, one in inspect.getmembers(models, inspect.isclass)
        if issubclass(one, models.Answer) and one is not models.Answer
    ]
    _, schema = models_json_schema([(one, "serialization") for one in answers])
    return HEAD + "".join(_typedef(name, one) for name, one in schema["$defs"].items()) + "\nexport {};\n"


def _typedef(name: str, schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"\n/** @typedef {{{_type(schema)}}} {name} */\n"
    fields = "".join(f" * @property {{{_type(one)}}} {field}\n" for field, one in schema.get("properties", {}).items())
    return f"\n/**\n * @typedef {{object}} {name}\n{fields} */\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(f'"{one}"' for one in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"Array<{_type(schema.get('items', {}))}>"
    if schema.get("type") == "object":
        more = schema.get("additionalProperties")
        return f"Record<string, {_type(more) if isinstance(more, Mapping) else 'any'}>"
    return _KINDS.get(schema.get("type", ""), "any")
