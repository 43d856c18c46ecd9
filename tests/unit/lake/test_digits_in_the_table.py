"""What the vendor's digits say is what the table says, whatever the order of nights, or the value is named and nothing
changes.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.lake.errors import CastError
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import land_night, read_table

NUMBERS = st.one_of(
    st.integers(-9, 9).map(str),
    st.integers(-(1 << 70), 1 << 70).map(str),
    st.floats(-1e6, 1e6).map(json.dumps),
    st.floats(allow_nan=False, allow_infinity=False).map(json.dumps),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["9007199254740993", "9223372036854775808", "1e400", "1e-400", "-0.0", "0.1", "2.50"]),
)
NIGHTS = st.lists(st.lists(NUMBERS, min_size=1, max_size=3), min_size=1, max_size=4)


def json_of(values: Sequence[str]) -> bytes:
    return ("[" + ",".join(f'{{"n":{n},"v":{value}}}' for n, value in enumerate(values)) + "]").encode()


def csv_of(values: Sequence[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("n", "v"), *enumerate(values)])
    return out.getvalue().encode()


def number(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


@pytest.mark.parametrize(("shape", "body_of"), [("json", json_of), ("csv", csv_of)])
@settings(max_examples=25)
@given(
    nights=NIGHTS, model=st.sampled_from([None, "int64", "float64", "decimal(38,4)", "string"]), allowed=st.booleans()
)
def test_every_number_of_every_night(
    shape: str, body_of: Any, nights: list[list[str]], model: str | None, allowed: bool
) -> None:
    spec = PublishSpec.model_validate({"schema_rules": {"allow_type_change": allowed}})
    declared = None if model is None else {"n": "int64", "v": model}
    due: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.from_url(str(Path(folder) / "lake"))
        for day, values in enumerate(nights, 1):
            on = f"2026-10-{day:02d}"
            landed = land_night(lake, [body_of(values)], night=on, counts=[len(values)], format=shape, model=declared)
            refused: CastError | None = None
            try:
                publish(lake, asyncio.run(landed), spec)
            except CastError as error:
                refused = error
            if refused is None:
                due[on] = values
                continue
            assert (refused.page, refused.column, allowed) == (1, "v", False)
            assert Decimal(refused.value) == Decimal(values[refused.row - 1])
        rows = read_table(lake) if due else []
    assert len(rows) == sum(map(len, due.values()))
    for row in rows:
        assert number(row["v"]) == Decimal(due[str(row["night"])][row["n"]])
