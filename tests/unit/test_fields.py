"""What all rooms read alike."""

from __future__ import annotations

import pytest

from nightshift.fields import whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * 40, int("9" * 40)),
        ("9" * 5000, None),
        ("²", None),
        ("٣", None),
        ("", None),
        ("-1", None),
    ],
)
def test_a_whole_number_is_one_that_every_reader_takes(text: str, number: int | None) -> None:
    assert whole_number(text) == number
    assert whole_number(None) is None
