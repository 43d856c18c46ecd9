from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nightshift.lake import keys
from nightshift.lake.keys import KeyIndex, hashes_of


@given(batches=st.lists(st.lists(st.tuples(st.text(max_size=2), st.integers(0, 3)), max_size=20), max_size=6))
def test_rows_whose_key_came_before_are_counted(batches: list[list[tuple[str, int]]]) -> None:
    index = KeyIndex()
    for batch in batches:
        index.add(batch)
    counts = Counter(key for batch in batches for key in batch)
    twice = [key for key, times in counts.items() if times > 1]
    assert index.duplicates() == sum(counts.values()) - len(counts)
    assert index.suspects().tolist() == sorted(hashes_of(twice).tolist())
    index.close()


def test_an_index_may_be_asked_between_two_adds() -> None:
    index = KeyIndex()
    index.add([("a",), ("b",)])
    assert index.duplicates() == 0
    index.add([("a",), ("c",)])
    assert index.duplicates() == 1


def test_what_is_spilled_is_found_again() -> None:
    index = KeyIndex()
    size = keys.CHUNK + 17
    hashes = hashes_of((n,) for n in range(size))
    index.add_hashes(hashes)
    index.add_hashes(hashes[::1000])
    assert index.rows == size + len(hashes[::1000])
    assert index.duplicates() == len(hashes[::1000])
    assert np.array_equal(index.suspects(), np.sort(hashes[::1000]))
