"""CSV as the switches say: the reference knows no header text, quoting, encoding or number format (4.2)."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any, Final

from include.standins.tokenflex.asked import Asked
from include.standins.tokenflex.catalogue import AT, DATE_FIELDS, FIELDS, SESSION_STAMP_FIELDS, called
from include.standins.tokenflex.switches import (
    CategoryNames,
    Columns,
    Header,
    Quoting,
    SessionStamps,
    TokenFlexSwitches,
)

EXTRA: Final = ("_vendorNote", "n/a")
_NUMBERS: Final = frozenset({"contractYear"})
_Turn = Callable[[str], Any]


class _Bare(str):
    """A text that the writer takes for a number, so that it stands without quotes."""

    __slots__ = ()

    def __float__(self) -> float:
        raise ValueError(str(self))


class Dialect:
    """How the rows of one export become text.

    :param asked: the export
    :param switches: as they are when the file is made
    """

    def __init__(self, asked: Asked, switches: TokenFlexSwitches) -> None:
        self._switches = switches
        names = [*asked.fields, *asked.metrics]
        columns = [*asked.columns, *asked.metrics]
        self._order = _order(switches.csv_columns, columns, len(asked.fields))
        self._names = [names[at] for at in self._order]
        metrics = frozenset(asked.metrics)
        turns = [self._turn(columns[at], columns[at] in metrics) for at in self._order]
        self._turns = [(place, turn) for place, turn in enumerate(turns) if turn]
        self._end = "\r\n" if switches.csv_crlf else "\n"

    @property
    def newline(self) -> bytes:
        """The end of a line, encoded."""
        return self._encoded(self._end)

    def head(self) -> bytes:
        """Return the byte order mark and the header line, as far as the switches want them."""
        mark = b""
        if self._switches.csv_bom:
            wide = self._encoding == "utf-16-le"
            mark = codecs.BOM_UTF16_LE if wide else codecs.BOM_UTF8 if self._encoding == "utf-8" else b""
        return mark + self._header()

    def _header(self) -> bytes:
        style = self._switches.csv_header
        if style is Header.NONE:
            return b""
        names = [_title(name) if style is Header.TITLES else name for name in self._names]
        if self._switches.csv_extra_column:
            names.insert(len(names) // 2, EXTRA[0])
        return self._text([[name.upper() for name in names] if style is Header.UPPER else names])

    def lines(self, rows: Iterable[list[str]]) -> bytes:
        """Return rows as lines.

        :param rows: the fields as asked, then the metrics
        """
        return self._text(self._shown(row) for row in rows)

    def _shown(self, row: list[str]) -> list[Any]:
        shown: list[Any] = [row[at] for at in self._order]
        for place, turn in self._turns:
            shown[place] = turn(shown[place])
        if self._switches.csv_null:
            shown = [self._switches.csv_null if value == "" else value for value in shown]
        if self._switches.csv_extra_column:
            shown.insert(len(shown) // 2, EXTRA[1])
        return shown

    def _text(self, rows: Iterable[list[Any]]) -> bytes:
        quoting: Any = {
            Quoting.NEEDED: csv.QUOTE_MINIMAL,
            Quoting.ALL: csv.QUOTE_ALL,
            Quoting.TEXT: csv.QUOTE_NONNUMERIC,
            Quoting.EXPORT: csv.QUOTE_NONNUMERIC,
        }[self._switches.csv_quoting]
        delimiter = self._switches.csv_delimiter
        lines: list[str] = []
        writer = csv.writer(
            SimpleNamespace(write=lines.append), delimiter=delimiter, quoting=quoting, lineterminator=self._end
        )
        writer.writerows(rows)
        if self._switches.csv_line_delimiter:
            # Put in here: from Python 3.13 on the writer takes no end of a line with the delimiter in it.
            lines = [line.removesuffix(self._end) + delimiter + self._end for line in lines]
        return self._encoded("".join(lines))

    @property
    def _encoding(self) -> str:
        name = codecs.lookup(self._switches.csv_encoding).name
        return "utf-16-le" if name == "utf-16" else name

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, errors="replace")

    def encoded(self, text: str) -> bytes:
        return self._encoded(text)

    def _turn(self, name: str, metric: bool) -> _Turn | None:
        switches = self._switches
        if metric or name in _NUMBERS:
            return _number if switches.csv_quoting in (Quoting.TEXT, Quoting.EXPORT) else None
        if name in DATE_FIELDS and (switches.csv_dates != "%Y-%m-%d" or switches.csv_quoting is Quoting.EXPORT):
            bare = _Bare if switches.csv_quoting is Quoting.EXPORT else str
            return lambda value: bare(date.fromisoformat(value).strftime(switches.csv_dates)) if value else value
        if name in SESSION_STAMP_FIELDS and switches.csv_session_stamps is not SessionStamps.DOCUMENTED:
            return lambda value: _stamp(value, switches.csv_session_stamps)
        if name == "usageCategory" and switches.csv_categories is CategoryNames.CONSUMPTION:
            return lambda value: called(value)
        return None


def _order(columns: Columns, names: list[str], fields: int) -> list[int]:
    places = list(range(len(names)))
    match columns:
        case Columns.ASKED:
            return places
        case Columns.REVERSED:
            return places[::-1]
        case Columns.METRICS_FIRST:
            return places[fields:] + places[:fields]
        case Columns.CATALOGUE:
            return sorted(places, key=lambda at: AT.get(names[at], len(FIELDS)))


def _title(name: str) -> str:
    """``usageDate`` → ``Usage Date``, ``chargedItemID`` → ``Charged Item ID``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", name)
    return words[:1].upper() + words[1:]


def _number(value: str) -> int | float | str:
    if not value:
        return value
    return float(value) if "." in value else int(value)


def _stamp(value: str, style: SessionStamps) -> str:
    if not value:
        return value
    at = datetime.fromisoformat(value)
    forms = (value, f"{at:%Y-%m-%d %H:%M:%S}", f"{value}.123Z", f"{at:%Y-%m-%dT%H:%M}")
    match style:
        case SessionStamps.BLANK:
            return forms[1]
        case SessionStamps.ZULU:
            return forms[2]
        case SessionStamps.MIXED:
            return forms[at.second % len(forms)]
        case SessionStamps.DOCUMENTED:
            return value
