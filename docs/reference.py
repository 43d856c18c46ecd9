"""Write what follows from the models: the reference pages of the site, the JSON schemas, and the types of the board's
ES modules (``python -m docs.reference``).

With ``--check`` nothing is written; the exit code is 1 where a file is not as it would be written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.board_types import types_js
from docs.commands import commands
from nightshift.cli.schema import SCHEMAS, described
from nightshift.http.client_settings import ClientSettings
from nightshift.provider import get_provider_info
from nightshift.sources import VENDORS

DOCS = Path(__file__).resolve().parent
BOARD = DOCS.parent / "plugins" / "nightshift" / "board" / "static"
MADE = "<!-- Made from the models by `make docs`; changes here are overwritten. -->\n"
_KINDS = {"integer": "whole number", "number": "number", "boolean": "`true`, `false`", "string": "text"}
_TEXT = ["string", "number", "boolean"]
INTRODUCTIONS = {
    "reports": "Which reports come home every night: a section a source. A section that is not there is not fetched. "
    "One that begins with `x-` is read by nobody, a place for YAML anchors.",
    "promotions": "Which applications are built and deployed: a section an application, which becomes the DAG "
    "`promote_<name>`, and under `freezes` when nothing is brought to a stage. The file may be missing.",
    "notify": "Who is told of a night that is late, and of a promotion that waits: a section a channel. The file may be "
    "missing.",
}
REMOVED = (
    "A section that is taken out on purpose says so: `name: {removed: true}` in its place. Of a source or an application "
    "that is missing without it, the import error of `configuration.py` tells; the line can go once nothing tells of it."
)


def files() -> dict[Path, str]:
    """Return path → text of every file."""
    made: dict[Path, str] = {}
    for name, schema in SCHEMAS.items():
        made[DOCS / "schemas" / f"{name}.json"] = f"{json.dumps(schema(), indent=2, ensure_ascii=False)}\n"
        made[DOCS / "reference" / f"{name}.md"] = "".join(_configuration(name, schema()))
    made[DOCS / "reference" / "connections.md"] = "".join(_connections())
    made[DOCS / "reference" / "commands.md"] = "".join([MADE, *commands()])
    made[BOARD / "types.js"] = types_js()
    return made


def main() -> int:
    """Write them, or look whether they are as they would be written."""
    stale = {path: text for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text}
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)}: does not follow from the models; run: make docs")
        return int(bool(stale))
    for path, text in stale.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        print(path.relative_to(DOCS.parent))
    return 0


def _configuration(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"{MADE}\n# {name}.yaml\n\n{INTRODUCTIONS[name]}\n"
    yield f"\n{REMOVED}\n"
    yield f"\nAs a JSON schema, for editors: [{name}.json](../schemas/{name}.json), or `nightshift schema {name}`.\n"
    if sections := schema.get("properties"):
        yield "\n| section | model |\n| --- | --- |\n"
        yield from (f"| `{key}` | {', '.join(_words(one.get('else', one)))} |\n" for key, one in sections.items())
    for title, model in sorted(schema["$defs"].items(), key=lambda one: _rank(one[0], schema)):
        yield f"\n## {title}\n\n{model['description']}\n\n| key | type | default | what |\n| --- | --- | --- | --- |\n"
        for key, field in model["properties"].items():
            default = "**required**" if key in model.get("required", ()) else _default(field)
            # What is left out is null, which only has to be said where something else is the default.
            words = [word for word in _words(field) if word != "`null`" or field.get("default") is not None]
            yield f"| `{key}` | {_cell(', '.join(words))} | {_cell(default)} | {_cell(field['description'])} |\n"


def _rank(title: str, schema: Mapping[str, Any]) -> tuple[int, str]:
    """Sort what a file begins with first."""
    heads = [ref.get("else", {}) for ref in schema.get("properties", {}).values()]
    if isinstance(more := schema["additionalProperties"], dict):
        heads = [more["else"], *heads]
    first = [word for one in heads for word in _titles(one)]
    return (first.index(title) if title in first else len(first), title)


def _titles(field: Mapping[str, Any]) -> list[str]:
    if "$ref" in field:
        return [field["$ref"].rpartition("/")[2]]
    return [title for one in field.get("anyOf", ()) for title in _titles(one)]


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if default in (None, "", {}, []) or isinstance(default, dict):
        return ""
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)}`"


def _words(field: Mapping[str, Any]) -> list[str]:
    """Return what a value may be, in words."""
    if "$ref" in field:
        title = _titles(field)[0]
        return [f"[{title}](#{title.lower()})"]
    if "anyOf" in field:
        return list(dict.fromkeys(word for one in field["anyOf"] for word in _words(one)))
    if "enum" in field or "const" in field:
        return [f"`{'null' if one is None else one}`" for one in field.get("enum", [field.get("const")])]
    if isinstance(field.get("type"), list):
        # A text is written without quotes, too, so its schema has all of these.
        kinds = [one for one in field["type"] if field["type"][:3] != _TEXT or one not in _TEXT[1:]]
        return [word for kind in kinds for word in _words({**field, "type": kind})]
    kind = field.get("type")
    if kind == "array":
        inner = _words(field["items"]) if field.get("items") else []
        return [f"list of {' or '.join(inner) or 'values'}"]
    if kind == "object":
        more = field.get("additionalProperties")
        return [f"name: {' or '.join(_words(more))}" if isinstance(more, dict) and more else "names with values"]
    return [_bounded(_KINDS.get(kind or "", "any value"), field) if kind != "null" else "`null`"]


def _bounded(word: str, field: Mapping[str, Any]) -> str:
    bounds = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}"}
    found = [text.format(field[name]) for name, text in bounds.items() if name in field]
    return f"{word} {', '.join(found)}" if found else word


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _connections() -> Iterator[str]:
    yield f"{MADE}\n# Connections\n\nOne type a vendor, each with its own form under *Admin → Connections*; the default id is `<type>_default`.\n"
    yield "Extras are keys of the JSON in *Extra*, or fields of the form. A mistyped one is refused.\n"
    for one in get_provider_info()["connection-types"]:
        behaviour = one["ui-field-behaviour"]
        hidden, labels, examples = (behaviour.get(key, {}) for key in ("hidden-fields", "relabeling", "placeholders"))
        yield f"\n## {one['hook-name']}\n\nType `{one['connection-type']}`.\n\n| field | in the form | example |\n| --- | --- | --- |\n"
        for field in ("host", "port", "schema", "login", "password"):
            if field not in hidden:
                yield f"| `{field}` | {labels.get(field, field.capitalize())} | {_cell(examples.get(field, ''))} |\n"
        yield "\n| extra | in the form | values | what |\n| --- | --- | --- | --- |\n"
        for name, field in one["conn-fields"].items():
            values = ", ".join(_values(field["schema"]))
            yield f"| `{name}` | {field['label']} | {_cell(values)} | {_cell(field['description'])} |\n"
        if more := VENDORS[one["connection-type"]].more_extras:
            names = ", ".join(f"`{name}`" for name in sorted(more))
            yield f"\nNot in the form, for what is rarely needed: {names}; see [its page](../sources/{one['connection-type']}.md).\n"
    yield "\n## Extras of every type\n\n| extra | default | what |\n| --- | --- | --- |\n"
    told, plain = described(ClientSettings), ClientSettings()
    for name in ClientSettings.__struct_fields__:
        default = getattr(plain, name)
        yield f"| `{name}` | {f'`{json.dumps(default)}`' if default not in (None, {}) else ''} | {_cell(told[name])} |\n"


def _values(schema: Mapping[str, Any]) -> list[str]:
    if "enum" in schema:
        return [f"`{one}`" for one in schema["enum"] if one is not None]
    kinds = [kind for kind in schema["type"] if kind != "null"]
    default = [f"default `{schema['default']}`"] if schema.get("default") is not None else []
    return [word for kind in kinds for word in _words({**schema, "type": kind})] + default


if __name__ == "__main__":
    sys.exit(main())
