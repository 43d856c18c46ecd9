"""Where the records of a CSV text end, found as it passes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightshift.lake.charset import marked, unit_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Units = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]
    Places = NDArray[np.int64]


class RecordCounter:
    """Count the records of a CSV text as it passes by, and where the last one of a block ends.

    A record ends with a line feed, a carriage return or both; empty lines are no records, nor are lines of blanks alone, unless the
    first record has but one field: then they are its values. A line break inside quotes ends no record, and a quote counts as one
    only where a field begins, as CSV readers have it. Works in every character set in which quote, delimiter and line breaks are
    one unit each that means nothing else: UTF-8, UTF-16, UTF-32, the single-byte code pages, the multi-byte ones of East Asia.

    :param quote: the quote character, in ASCII
    :param delimiter: the delimiter, in ASCII
    :param charset: character set; a byte order mark at the start of the text overrules it
    :param is_start: whether the first block is the start of the text, where a mark may stand
    """

    def __init__(
        self, quote: bytes = b'"', delimiter: bytes = b",", charset: str = "utf-8", *, is_start: bool = True
    ) -> None:
        self.records = 0
        self.open_record = False
        self.inside_quotes = False
        self.charset, _ = marked(b"", charset)
        self._texts = quote.decode("ascii"), delimiter.decode("ascii")
        self._is_start = is_start
        self._closed = False
        self._last = 0
        self._many: bool | None = None
        self._delimited = False
        self._blank_so_far = True
        self._learn()

    def feed(self, block: bytes) -> tuple[int, int]:
        """Take a block.

        :return: how many records end in it, and the offset behind the last line break that is not in quotes, or -1 where there
            is none
        """
        import numpy as np

        skip = self._mark(block)
        size = (len(block) - skip) // self._unit
        if not size:
            return 0, -1
        text = np.frombuffer(block, self._dtype, size, skip)
        quotes = np.empty(0, np.int64)
        if self._unit > 1 or self._quote_byte in block:
            quotes = self._quotes(text, block)
        was_inside, last = self.inside_quotes, self._last
        self.inside_quotes ^= len(quotes) % 2 == 1
        self._closed = bool(len(quotes)) and quotes[-1] == size - 1 and not self.inside_quotes
        self._last = int(text[-1])
        self.open_record = self.inside_quotes or self._last not in self._breaks
        if was_inside and not len(quotes):
            return 0, -1
        breaks, is_empty = self._line_ends(text, block, last)
        if len(quotes):
            outside = (np.searchsorted(quotes, breaks) + was_inside) % 2 == 0
            breaks, is_empty = breaks[outside], is_empty[outside]
        if self._many is not False:
            blank = self._blank_lines(text, breaks, last)
            if self._many is None:
                self._many = self._look_at_first(text, breaks, is_empty, blank, (quotes, was_inside))
            is_empty = is_empty | blank
            self.open_record = self.open_record and not (self._blank_so_far and self._many is not False)
        if not len(breaks):
            return 0, -1
        ends = len(breaks) - int(np.count_nonzero(is_empty))
        self.records += ends
        return ends, skip + (int(breaks[-1]) + 1) * self._unit

    def loose_end(self, block: bytes) -> int:
        """Return how many bytes at the end of a block should wait for the next: half of a character, or a carriage return that a
        line feed may follow.
        """
        skip = self._mark(block, keep=True)
        half = (len(block) - skip) % self._unit
        whole = len(block) - half
        return half + (self._unit if block[max(skip, whole - self._unit) : whole] == self._return_bytes else 0)

    def _mark(self, block: bytes, *, keep: bool = False) -> int:
        """Return the length of the byte order mark of a block, and learn its character set."""
        if not self._is_start or not block:
            return 0
        self.charset, skip = marked(block, self.charset)
        self._is_start = keep
        self._learn()
        return skip

    def _learn(self) -> None:
        self._unit = unit_of(self.charset)
        order = ">" if self.charset.endswith("-be") else "<"
        self._dtype = f"{order}u{self._unit}" if self._unit > 1 else "u1"
        quote, delimiter, feed, back = (self._number(text) for text in (*self._texts, "\n", "\r"))
        self._quote, self._feed, self._back = quote, feed, back
        self._delimiter = delimiter
        self._breaks = (feed, back)
        self._blanks = tuple(self._number(blank) for blank in " \t" if blank != self._texts[1])
        self._starts = (delimiter, feed, back)
        self._quote_byte = self._texts[0].encode(self.charset)
        self._return_bytes = "\r".encode(self.charset)
        self._last = feed

    def _number(self, character: str) -> int:
        return int.from_bytes(character.encode(self.charset), "big" if self.charset.endswith("-be") else "little")

    def _line_ends(self, text: Any, block: bytes, last: int) -> tuple[Places, NDArray[np.bool_]]:
        """Return the line breaks, and which of them end no record because nothing is between them and the one before."""
        import numpy as np

        feed, back = self._breaks
        breaks = np.flatnonzero(text == feed)
        before = _before(text, breaks, 1, last)
        backs = block.count(self._return_bytes) if self._unit == 1 else int(np.count_nonzero(text == back))
        if not backs and last != back:
            return breaks, before == feed
        if last != back and backs == np.count_nonzero(before == back):
            earlier = _before(text, breaks, 2, last)
            return breaks, (before == feed) | ((before == back) & ((earlier == feed) | (earlier == back)))
        breaks = np.flatnonzero((text == feed) | (text == back))
        before = _before(text, breaks, 1, last)
        return breaks, (before == feed) | (before == back)

    def _blank_lines(self, text: Any, breaks: Any, last: int) -> NDArray[np.bool_]:
        """Return which line breaks end a line of blanks alone, and learn whether the open line is one so far."""
        import numpy as np

        was_blank, tail = self._blank_so_far, text[breaks[-1] + 1 :] if len(breaks) else text
        self._blank_so_far = (was_blank or bool(len(breaks))) and bool(
            not len(tail) or (tail[0] in self._blanks and np.isin(tail, (*self._blanks, *self._breaks)).all())
        )
        before = _before(text, breaks, 1, last)
        returns = np.flatnonzero(before == self._back)
        if len(returns):
            before[returns] = _before(text, breaks[returns], 2, last)
        found = np.isin(before, self._blanks)
        if found.any():
            others = np.flatnonzero(~np.isin(text, (*self._blanks, *self._breaks)))
            starts = np.concatenate(([0], breaks[:-1] + 1))
            found &= np.searchsorted(others, starts) == np.searchsorted(others, breaks)
            found[0] &= was_blank
        return found

    def _look_at_first(
        self, text: Any, breaks: Any, is_empty: Any, blank: Any, quoted: tuple[Places, bool]
    ) -> bool | None:
        """Return whether the first record has several fields, if it ends here; else lines of blanks behind it are records."""
        import numpy as np

        quotes, was_inside = quoted
        real = np.flatnonzero(~(is_empty | blank))
        seen = text[: breaks[real[0]]] if len(real) else text
        places = np.flatnonzero(seen == self._delimiter)
        outside = (np.searchsorted(quotes, places) + was_inside) % 2 == 0
        self._delimited = self._delimited or bool(outside.any())
        if not len(real):
            return None
        if not self._delimited:
            blank[real[0] :] = False
        return self._delimited

    def _quotes(self, text: Any, block: bytes) -> Places:
        """Return the quotes that open or close a field."""
        import numpy as np

        quotes = np.flatnonzero(text == self._quote)
        opening = quotes[int(self.inside_quotes) :: 2]
        before = text[opening - 1]
        if len(opening) and opening[0] == 0:
            before[0] = self._last if self._closed or self._last in self._starts else 0
        if np.isin(before, (*self._starts, self._quote)).all():
            return quotes
        return np.array(self._true_quotes(block if self._unit == 1 else text.tolist(), quotes.tolist()), np.int64)

    def _true_quotes(self, text: bytes | list[int], quotes: list[int]) -> list[int]:
        """Leave out the quotes that stand inside a bare field, where they are ordinary characters."""
        inside, closed, found = self.inside_quotes, -1 if self._closed else -2, []
        for at in quotes:
            before = text[at - 1] if at else self._last
            if not inside and before not in self._starts and closed != at - 1:
                continue
            found.append(at)
            if inside:
                closed = at
            inside = not inside
        return found


def _before(text: Any, places: Any, by: int, last: int) -> Any:
    """Return the units before these places; before the block there is ``last``."""
    found = text.take(places - by, mode="clip")
    found[:by][places[:by] < by] = last
    return found
