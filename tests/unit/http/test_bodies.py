from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.http.bodies import BLOCK, NotJson, decoded

decode = msgspec.json.Decoder(msgspec.Raw).decode


@pytest.mark.parametrize("before", [0, 1, BLOCK - 12, BLOCK - 11, BLOCK - 10, BLOCK - 9, BLOCK, 3 * BLOCK])
def test_a_character_is_read_across_the_border_of_two_blocks(before: int) -> None:
    text = '{"a":"' + "x" * before + 'Łódź🌙"}'
    assert bytes(decoded(decode, text.encode())) == text.encode()
    with pytest.raises(NotJson, match=f"byte 0xff at {len(text.encode()) - 2}"):
        decoded(decode, text.encode()[:-2] + b"\xff" + b'"}')


@given(st.binary(max_size=40), st.integers(0, 5))
def test_what_is_not_utf8_is_refused_wherever_it_stands(noise: bytes, shift: int) -> None:
    body = b'"' + b"x" * (BLOCK - 3 + shift) + noise + b'"'
    try:
        body.decode()
    except UnicodeDecodeError as error:
        with pytest.raises(NotJson, match=f"not in UTF-8, .* at {error.start}"):
            decoded(decode, body)
    else:
        try:
            decoded(decode, body)
        except NotJson as wrong:
            assert "UTF-8" not in str(wrong)  # noqa: PT017 - either is right, but for this word
