"""The five metadata answers of section 3.4, in each of the shapes that the reference allows for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.standins.flexnet.asking import DEFAULT_RECORDS, MOST_DAYS, MOST_RECORDS, filter_keys
from include.standins.flexnet.fields import Field, Group
from include.standins.flexnet.switches import Metadata

Fields = tuple[Field, ...]

GLOBAL_FILTERS: Mapping[str, Mapping[str, Any]] = {
    "mode": {"type": "string", "default": "batch", "values": ["batch", "interactive"]},
    "format": {"type": "string", "default": "json", "values": ["json", "csv"]},
    "pastDays": {"type": "integer", "default": 1, "minimum": 1, "maximum": MOST_DAYS},
    "limitRecords": {"type": "integer", "default": DEFAULT_RECORDS, "minimum": 1, "maximum": MOST_RECORDS},
    "pageNumber": {"type": "integer", "default": 1, "minimum": 1},
    "dateFrom": {"type": "string", "default": "", "pattern": "yyyy-MM-dd"},
    "dateTo": {"type": "string", "default": "", "pattern": "yyyy-MM-dd"},
}


def report_types(reports: Mapping[str, tuple[Group, Fields]], shape: Metadata) -> Any:
    """Return what ``report-types`` has under ``data``."""
    match shape:
        case Metadata.SAMPLE:
            return {}
        case Metadata.LIST:
            return [
                {"name": name, "fields": _pairs(types(fields)), "filters": _pairs(filters(group, fields))}
                for name, (group, fields) in reports.items()
            ]
        case Metadata.SECTIONS:
            return {
                n: {"fields": types(fields), "filters": filters(group, fields)}
                for n, (group, fields) in reports.items()
            }
        case Metadata.PAIRS:
            return {name: _pairs(types(fields)) for name, (_, fields) in reports.items()}
        case Metadata.NESTED:
            return {name: _nested(group, fields) for name, (group, fields) in reports.items()}


def report_type(group: Group, fields: Fields, shape: Metadata) -> Any:
    """Return what ``report-types/{group}`` has under ``data``."""
    match shape:
        case Metadata.SAMPLE:
            return {}
        case Metadata.LIST:
            return _pairs(types(fields))
        case Metadata.SECTIONS:
            return types(fields)
        case Metadata.PAIRS:
            return {group.name: _pairs(types(fields))}
        case Metadata.NESTED:
            return {group.name: _nested(group, fields)}


def report_names(reports: Mapping[str, tuple[Group, Fields]], shape: Metadata) -> Any:
    """Return what ``report-names`` has under ``data``."""
    match shape:
        case Metadata.SAMPLE:
            return {}
        case Metadata.LIST:
            return list(reports)
        case Metadata.PAIRS:
            return {"names": list(reports)}
        case Metadata.SECTIONS | Metadata.NESTED:
            return {name: {"fields": len(fields)} for name, (_, fields) in reports.items()}


def report_filters(group: Group, fields: Fields, shape: Metadata) -> Any:
    """Return what ``report-filters/{group}`` has under ``data``."""
    found = filters(group, fields)
    match shape:
        case Metadata.SAMPLE:
            return {}
        case Metadata.LIST:
            return _pairs(found)
        case Metadata.SECTIONS:
            return found
        case Metadata.PAIRS:
            return {group.name: _pairs(found)}
        case Metadata.NESTED:
            return {name: {"type": kind} for name, kind in found.items()}


def global_filters(shape: Metadata) -> Any:
    """Return what ``global-filters`` has under ``data``."""
    match shape:
        case Metadata.SAMPLE:
            return {}
        case Metadata.LIST:
            return [{"name": name, **rule} for name, rule in GLOBAL_FILTERS.items()]
        case Metadata.PAIRS:
            return {"filters": [{"name": name, **rule} for name, rule in GLOBAL_FILTERS.items()]}
        case Metadata.SECTIONS | Metadata.NESTED:
            return GLOBAL_FILTERS


def types(fields: Fields) -> dict[str, str]:
    """Return field → type; an object's inner names follow it as ``A.B``."""
    found: dict[str, str] = {}
    for field in fields:
        found[field.name] = field.type
        found.update({f"{field.name}.{name}": kind for name, kind in (field.inner or {}).items()})
    return found


def filters(group: Group, fields: Fields) -> dict[str, str]:
    known = types(fields)
    keys = filter_keys(group, fields)
    return {key: known[field] for key, field in keys.items() if field in known}


def _nested(group: Group, fields: Fields) -> dict[str, Any]:
    keys = filter_keys(group, fields)
    return {
        name: {"type": kind, "filters": [key for key, field in keys.items() if field == name]}
        for name, kind in types(fields).items()
    }


def _pairs(found: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in found.items()]
