"""The fast ways and the plain ones agree: a few hundred inputs of each pair, thousands by ``make fuzz``."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.lake.columns import Target
from nightshift.lake.spec import PublishSpec
from tests.fuzz import differential as two
from tests.fuzz.pages import COLUMNS, csv_pages, json_pages
from tests.fuzz.values import KINDS, ZONES, json_texts, texts_of

SPEC = PublishSpec(timezone="Europe/Berlin")


@settings(max_examples=300)
@given(data=st.data(), kind=st.sampled_from(KINDS), zone=st.sampled_from(ZONES), empty=st.booleans())
def test_the_column_the_values_and_each_value_alone_agree(data, kind: str, zone: str, empty: bool) -> None:
    two.texts_agree(data.draw(st.lists(st.none() | texts_of(kind), min_size=1, max_size=4)), kind, zone, empty)


@settings(max_examples=200)
@given(data=st.data(), kind=st.sampled_from(KINDS), zone=st.sampled_from(ZONES), empty=st.booleans())
def test_json_values_are_cast_as_their_texts_are(data, kind: str, zone: str, empty: bool) -> None:
    two.raws_agree(data.draw(st.lists(st.none() | json_texts(kind), min_size=1, max_size=4)), kind, zone, empty)


@settings(max_examples=300)
@given(body=json_pages(), empty=st.booleans(), guessed=st.booleans())
def test_every_decoder_makes_the_same_table_of_a_json_page(body: bytes, empty: bool, guessed: bool) -> None:
    spec = PublishSpec(timezone="Europe/Berlin", empty_as_null=empty, promote={"n": {"m": "int64"}})
    names = [column.origin for column in COLUMNS] if guessed else []
    columns = [*COLUMNS, Target("n_m", "int64", "n", "m")]
    two.pages_agree(two.decoders_of(two.JSON_READERS, columns, spec, names), body)


@settings(max_examples=100)
@given(body=csv_pages())
def test_a_csv_page_is_what_its_lines_say(body: bytes) -> None:
    two.csv_agrees(body, COLUMNS, SPEC)


@settings(max_examples=100)
@given(texts=st.lists(st.from_regex(r"-?[0x]{0,2}[0-9\u0660]{0,2}", fullmatch=True), max_size=4))
def test_zeros_before_a_number_are_found_wherever_they_are(texts: list[str]) -> None:
    two.spellings_agree(texts)


@settings(max_examples=100)
@given(moments=st.lists(st.datetimes(), max_size=4), zone=st.sampled_from(ZONES))
def test_the_day_of_a_moment_is_that_of_its_zone(moments: list[datetime], zone: str) -> None:
    two.days_agree(moments, zone)


def test_a_decoder_that_is_wrong_in_one_value_is_found() -> None:
    decoders = two.decoders_of(two.JSON_READERS, COLUMNS, SPEC)
    wrong = decoders["compiled"]
    decoders["wrong"] = lambda body: wrong(body.replace(b"12345678", b"12345679"))
    with pytest.raises(two.Disagreement, match="12345679"):
        two.pages_agree(decoders, b'{"data":[{"i":1},{"i":12345678}]}')
