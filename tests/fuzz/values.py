"""Texts and JSON values as vendors write them, and as none should: by the type of the column that they are for."""

from __future__ import annotations

import json
from functools import cache

from hypothesis import strategies as st

KINDS = ("string", "int64", "float64", "bool", "decimal(38,4)", "decimal(9,2)", "decimal(3,3)", "date", "timestamp")
ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu")

WHOLE = st.one_of(
    st.integers(-99, 99),
    st.integers(-(1 << 90), 1 << 90),
    st.sampled_from([(1 << 53) - 1, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, -(1 << 63), -(1 << 63) - 1, 1 << 64]),
)
NUMBERS = st.one_of(
    WHOLE.map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[+-]?0{0,2}[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.sampled_from(
        [
            "1e309",
            "-1e-400",
            "1e99999",
            "1.",
            ".5",
            "-.5",
            "1,5",
            "1.234,56",
            "1 000",
            "1\u00a0000",
            "1'000",
            "\uff11\uff12",
        ]
    ),
)
MOMENTS = st.one_of(
    st.from_regex(
        r"(0001|0000|1582|1970|2026|2037|2038|9999)-(01|02|03|10|12)-(01|28|29|30|31)"
        r"([Tt ](00|02|03|12|23|24)(:(00|30|59)(:(00|59|60)([.,][0-9]{1,9})?)?)? ?(Z|z|UTC|[+-](00|02|23)(:?(00|30))?)?)?",
        fullmatch=True,
    ),
    st.datetimes().map(str),
    st.dates().map(str),
    st.integers(-(10**17), 10**17).map(str),
    st.sampled_from(["21.11.2026", "11/21/2026", "20261121", "2026-W47-6", "2026-325", "now", "1795219200"]),
)
ODD = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            *("true", "FALSE", "True", "1", "0", "", " ", " 1", "1 ", "nan", "-inf", "Infinity", "0x10", "1_0", "null"),
            *("\u0661", "\ufeff1", "\0", "e\u0301", "\U0001f600", "007", "-0", "-00.0", "+1", "2026-11-21 "),
        ]
    ),
)


@cache
def texts_of(kind: str) -> st.SearchStrategy[str]:
    """Return texts that a column of this type may have to read, most of them of the type."""
    if kind in ("date", "timestamp"):
        return st.one_of(MOMENTS, MOMENTS, MOMENTS, NUMBERS, ODD)
    if kind == "bool":
        return st.one_of(st.sampled_from(["true", "false", "1", "0", "TRUE"]), ODD)
    if kind in ("string", "json"):
        return st.one_of(ODD, NUMBERS, MOMENTS)
    return st.one_of(NUMBERS, NUMBERS, NUMBERS, ODD)


JSON_NUMBERS = st.one_of(
    WHOLE.map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.integers(-(10**14), 10**14).map(str),
    st.sampled_from(["1e309", "-0", "-0.0", "0e0", "1E+2", "12.0", "1.50", "100000000000", "99999999999"]),
)
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


WORDS = st.sampled_from(["null", "null", "true", "false"])
_WHOLE = st.integers(-(1 << 60), 1 << 60).map(str)
_USUAL = {
    "string": st.text(max_size=6).map(json.dumps),
    "float64": st.floats(allow_nan=False, allow_infinity=False).map(repr) | _WHOLE,
    "bool": st.sampled_from(["true", "false"]),
    "date": st.dates().map(lambda day: f'"{day}"'),
    "timestamp": st.datetimes().map(lambda at: f'"{at.isoformat()}Z"') | st.integers(10**11, 10**13).map(str),
    "json": NESTED.map(json.dumps),
}


@cache
def json_texts(kind: str) -> st.SearchStrategy[str]:
    """Return the JSON texts of one value for a column of this type, as none should be, too."""
    as_is, escaped = (
        texts_of(kind).map(lambda text, plain=plain: json.dumps(text, ensure_ascii=plain)) for plain in (False, True)
    )
    nested = (NESTED.map(lambda value: json.dumps(value, separators=(",", ":"))), NESTED.map(json.dumps))
    return st.one_of(as_is, escaped, JSON_NUMBERS, JSON_NUMBERS, WORDS, *nested)


@cache
def likely_json(kind: str) -> st.SearchStrategy[str]:
    """Return the JSON texts of a value as a vendor would send it in a column of this type, now and then of another."""
    usual = _USUAL.get(kind, _WHOLE)
    return st.one_of(*[usual] * 8, st.just("null"), json_texts(kind))
