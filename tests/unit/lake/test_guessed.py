"""A column of which only the values of the nights before say that it is one of numbers, or of true and false."""

from __future__ import annotations

from typing import Any

import pytest

from nightshift.lake.errors import CastError
from nightshift.lake.store import Lake
from tests.unit.lake.conftest import NIGHT
from tests.unit.lake.test_widening import kind, night, seen


@pytest.mark.parametrize(
    ("first", "later", "is_csv"),
    [
        (["123456"], ["12E4"], True),
        (["4917012"], ["+4917012"], True),
        (["1.5"], ["NaN"], True),
        (["1.5"], ["Inf"], True),
        (["1.2"], [".5"], True),
        (["true"], ["1"], True),
        (["123456"], ['"12E4"'], False),
        (["4917012"], ['"+4917012"'], False),
        (["1.5"], ['"NaN"'], False),
        (["true"], ["1"], False),
        (["true"], ['"0"'], False),
    ],
)
async def test_what_would_not_have_made_it_one_is_refused_on_every_night(
    lake: Lake, first: list[str], later: list[str], is_csv: bool
) -> None:
    await night(lake, *first, on=NIGHT, is_csv=is_csv)
    with pytest.raises(CastError, match="nobody has said that the column's texts are"):
        await night(lake, *later, is_csv=is_csv)
    await night(lake, *later, is_csv=is_csv, types={"v": "string"})
    assert seen(lake) == [*first, later[0].strip('"')]


@pytest.mark.parametrize("later", [["1.10", "1.1"], ["2.0", "2"], ["1.500", "1.5"]])
async def test_fractions_of_which_two_could_become_one_number_are_refused_on_every_night(
    lake: Lake, later: list[str]
) -> None:
    await night(lake, "1.2", on=NIGHT, is_csv=True)
    with pytest.raises(CastError, match=rf"'{later[0]}' is not float64 \(others have another number of digits"):
        await night(lake, *later, is_csv=True)
    await night(lake, *later, is_csv=True, types={"v": "float64"})
    assert sorted(seen(lake)) == sorted([1.2, *map(float, later)])


async def test_fractions_of_one_length_and_without_zeros_at_the_end_are_numbers(lake: Lake) -> None:
    await night(lake, "1.25", on=NIGHT, is_csv=True)
    await night(lake, "1.10", "2.00", is_csv=True)
    await night(lake, "1.5", "3", "0.125", on="2026-11-23", is_csv=True)
    assert seen(lake) == [1.25, 1.1, 2.0, 1.5, 3.0, 0.125]


async def test_a_whole_number_with_a_point_makes_the_column_one_of_fractions(lake: Lake) -> None:
    await night(lake, "1", on=NIGHT, is_csv=True)
    assert (await night(lake, "3.0", is_csv=True)).widened == {"v": ("int64", "float64")}
    assert (kind(lake), seen(lake)) == ("float64", [1.0, 3.0])


@pytest.mark.parametrize(("said", "values"), [("int64", ["12E4", "+7", "007"]), ("bool", ["1", "0", "TRUE"])])
async def test_what_the_configuration_says_takes_every_spelling(lake: Lake, said: str, values: list[str]) -> None:
    await night(lake, *values, on=NIGHT, is_csv=True, types={"v": said})
    await night(lake, *values, is_csv=True, types={"v": said})
    assert kind(lake) == said


@pytest.mark.parametrize("is_csv", [True, False])
async def test_a_number_of_a_hundred_thousand_digits_is_a_text(lake: Lake, is_csv: bool) -> None:
    text: Any = "7" * 100_000
    await night(lake, text, on=NIGHT, is_csv=is_csv)
    assert (kind(lake), seen(lake)) == ("string", [text])


async def test_the_rule_that_is_advised_for_a_column_called_night_lets_it_through(lake: Lake) -> None:
    from nightshift.lake.spec import SchemaRules

    for name in ("Night", "Night_"):
        rules = SchemaRules(allow_type_change=[name], allow_lost_columns=[name])
        assert (rules.lets_type_change("Night"), rules.lets_type_change("Night_")) == (True, True)
        assert (rules.lets_loss("Night"), rules.lets_loss("other")) == (True, False)
