from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nightshift.lake.spec import Band, Column, CsvSpec, PublishSpec, SchemaRules


@pytest.mark.parametrize(
    ("given", "kept"), [("Int64", "int64"), ("decimal(18, 4)", "decimal(18,4)"), ("timestamp", "timestamp")]
)
def test_a_column_type_has_one_spelling(given: str, kept: str) -> None:
    assert Column(name="a", type=given).type == kept


@pytest.mark.parametrize("wrong", ["int", "decimal(39,2)", "decimal(3,4)", "decimal(0,0)", ""])
def test_what_is_no_column_type_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="not a column type"):
        Column(name="a", type=wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"nights": ("2026-11-21",)}, "night_column"),
        ({"key": ("a", "a")}, "twice"),
        ({"timezone": "Mars/Olympus"}, "time zone"),
        ({"night_column": "d", "nights": ("2026-02-30",)}, "is not a day"),
        ({"night_column": "d", "types": {"d": "string"}}, "date or timestamp"),
        ({"types": {"a": "text"}}, "not a column type"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_a_specification_that_cannot_work_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PublishSpec.model_validate(wrong)


def test_a_specification_goes_through_json_unchanged() -> None:
    spec = PublishSpec(
        key=("a",),
        types={"b": "decimal(9,2)"},
        timezone="Europe/Berlin",
        night_column="d",
        nights=("2026-11-21",),
        promote={"variables": {"orderId": "string"}},
        csv=CsvSpec(charset="latin1", delimiter=";"),
    )
    assert PublishSpec.model_validate(spec.model_dump(mode="json")) == spec


def test_a_band_that_never_judges_is_refused() -> None:
    with pytest.raises(ValidationError, match="no night would ever be judged"):
        Band(nights=3, history=5)


@pytest.mark.parametrize(("rule", "lets"), [(True, True), (False, False), (("a",), True), (("b",), False)])
def test_rules_name_all_columns_or_some(rule: bool | tuple[str, ...], lets: bool) -> None:
    rules = SchemaRules(allow_type_change=rule, allow_lost_columns=rule)
    assert (rules.lets_type_change("a"), rules.lets_loss("a")) == (lets, lets)


def test_what_a_dag_file_imports_loads_no_heavy_library() -> None:
    code = (
        "import sys, nightshift.lake.landing, nightshift.lake.spec, nightshift.lake.columns, nightshift.lake.checks\n"
        "print([m for m in ('pyarrow', 'deltalake', 'obstore', 'numpy', 'zstandard', 'airflow') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("written", "meant"), [("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), (";", ";")])
def test_a_tab_is_a_delimiter_however_it_is_written(written: str, meant: str) -> None:
    assert CsvSpec(delimiter=written).delimiter == meant


@pytest.mark.parametrize("written", ["", ",,", "§", "\n", 7])
def test_what_is_no_delimiter_is_refused_with_what_would_be_one(written: Any) -> None:
    with pytest.raises(ValidationError, match="is not a delimiter; give one ASCII character"):
        CsvSpec(delimiter=written)
