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
        index.add_hashes(hashes_of(batch))
    counts = Counter(key for batch in batches for key in batch)
    twice = [key for key, times in counts.items() if times > 1]
    assert index.duplicates() == sum(counts.values()) - len(counts)
    assert index.suspects().tolist() == sorted(hashes_of(twice).tolist())
    index.close()


SOME = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1)), max_size=6)


@given(one=SOME, other=SOME | st.none(), data=st.data())
def test_equal_digests_are_of_the_same_rows_in_any_order(
    one: list[tuple[str, int]], other: list[tuple[str, int]] | None, data: st.DataObject
) -> None:
    other = data.draw(st.permutations(one)) if other is None else other
    digests = []
    for batch in (one, other):
        index = KeyIndex()
        index.add_hashes(hashes_of(batch))
        digests.append(index.digest())
        index.close()
    assert (digests[0] == digests[1]) == (Counter(one) == Counter(other))


def test_an_index_may_be_asked_between_two_adds() -> None:
    index = KeyIndex()
    index.add_page([("a",), ("b",)])
    assert index.duplicates() == 0
    index.add_page([("a",), ("c",)])
    assert index.duplicates() == 1


def test_of_the_rows_of_a_page_equal_ones_count_once_and_those_without_a_part_of_the_key_do_not() -> None:
    index = KeyIndex()
    index.add_page([("a", 1), ("a", 1), ("a", None), ("a", None), ("b", 1)])
    assert (index.rows, index.duplicates()) == (2, 0)
    index.add_page([("a", None), ("b", 1)])
    assert (index.rows, index.duplicates()) == (3, 1)


def test_what_is_spilled_is_found_again() -> None:
    index = KeyIndex()
    size = keys.CHUNK + 17
    hashes = hashes_of((n,) for n in range(size))
    index.add_hashes(hashes)
    index.add_hashes(hashes[::1000])
    assert index.rows == size + len(hashes[::1000])
    assert index.duplicates() == len(hashes[::1000])
    assert np.array_equal(index.suspects(), np.sort(hashes[::1000]))
