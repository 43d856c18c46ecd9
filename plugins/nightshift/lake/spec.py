"""How a landed night becomes a table: the parts of the configuration that the lake reads, as they stand in the file."""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from nightshift.fields import Day, Frozen, TimeZone

# Quotes and line breaks are parts of other characters in these, or depend on what came before.
_NOT_IN_PARTS = ("iso2022", "hz", "utf-7", "punycode", "idna", "unicode-escape", "raw-unicode-escape")
SIMPLE_TYPES = frozenset({"string", "int64", "float64", "bool", "date", "timestamp", "json"})
NIGHT = "night"
MOST_DIGITS = 38


def decimal_of(type_name: str) -> tuple[int, int] | None:
    """Return precision and scale of ``decimal(p,s)``, or ``None`` for any other type."""
    found = re.fullmatch(r"decimal\((\d{1,2}),(\d{1,2})\)", type_name)
    return (int(found[1]), int(found[2])) if found else None


def _column_type(text: str) -> str:
    name = re.sub(r"\s+", "", text).lower()
    if name in SIMPLE_TYPES:
        return name
    digits = decimal_of(name)
    if digits is None or not (1 <= digits[0] <= MOST_DIGITS and digits[1] <= digits[0]):
        raise ValueError(
            f"{text!r} is not a column type; give string, int64, float64, decimal(p,s) with p up to 38, bool, date, "
            "timestamp or json"
        )
    return name


def _charset(name: str) -> str:
    try:
        found = codecs.lookup(name).name
        "a".encode(found)  # some codecs are of no text at all
        if found.startswith(_NOT_IN_PARTS):
            raise ValueError(f"a CSV file in {name!r} cannot be read in parts; ask for utf-8")
    except (LookupError, UnicodeError):
        raise ValueError(f"{name!r} is not a character set; give one such as utf-8 or cp1252") from None
    return found


def _delimiter(found: object) -> object:
    character = "\t" if found in ("tab", "\\t") else found
    if not isinstance(character, str) or not re.fullmatch(r"[\x09\x20-\x7e]", character):
        raise ValueError(f"{found!r} is not a delimiter; give one ASCII character in quotes, such as ';', or tab")
    return character


ColumnType = Annotated[str, AfterValidator(_column_type)]


class Column(Frozen):
    """A column of a report.

    :param name: the vendor's name of it, case as sent
    :param type: ``string``, ``int64``, ``float64``, ``decimal(p,s)``, ``bool``, ``date``, ``timestamp`` (UTC,
        microseconds) or ``json`` (the vendor's own text of a nested value); ``None`` where only the values tell
    :param vendor_type: the vendor's word for the type, if it has one
    :param default: the type is what a new column of a table gets; one that the table has as another type keeps it
    """

    name: str
    type: ColumnType | None = None
    vendor_type: str | None = None
    default: bool = False

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Manifests, and what is made of them, are as they were before there were defaults.
        return {name: value for name, value in dump(self).items() if name != "default" or value}


class Band(Frozen):
    """How far the row count of a night may be from the median of the nights before it.

    :param nights: how many earlier nights count, at most; with a season: of the same weekday
    :param low: smallest share of their median that is sound
    :param high: largest multiple of their median that is sound
    :param history: with fewer earlier nights than this there is no verdict
    :param season: ``weekday`` compares with the same weekday, and at a month's end with earlier months' ends as well
    :param month_end: with a season: how many days at the end of a month are one
    :param holidays: days that are not judged, and that nothing is compared with
    """

    nights: int = Field(default=14, ge=1, le=400)
    low: float = Field(default=0.5, ge=0)
    high: float = Field(default=2.0, gt=0)
    history: int = Field(default=5, ge=1)
    season: Literal["none", "weekday"] = "none"
    month_end: int = Field(default=1, ge=0, le=10)
    holidays: tuple[Day, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Band:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        if self.history > self.nights:
            raise ValueError(f"history {self.history} is more than nights {self.nights}: no night would ever be judged")
        return self


class Checks(Frozen):
    """What must hold before a night is published.

    :param vendor_totals: the vendor's own row and page counts, where it gives any, equal what was landed
    :param unique_key: the key names one row; identical rows are dropped and counted, different ones are a failure
    :param not_empty: the night has rows
    :param other_nights: how many of the rows may be of nights that are not asked for, by ``night_column``: ``all``,
        ``some`` but not all, or ``none``. Default: ``all``; for Token Flex ``none`` where the nights were asked for by
        that column, else ``some``
    :param band: the row count is near that of the nights before
    """

    vendor_totals: bool = True
    unique_key: bool = True
    not_empty: bool = False
    other_nights: Literal["all", "some", "none"] | None = None
    band: Band | None = None


def table_name(vendor_name: str) -> str:
    """Return the name of a vendor's column in the table: its own, but for ``night`` in any case, which the partition
    has, and for no name at all: these get a ``_`` behind them, and so does what would fall together with them.
    """
    return f"{vendor_name}_" if re.fullmatch(rf"({NIGHT})?_*", vendor_name, re.IGNORECASE) else vendor_name


def vendor_name(name: str) -> str:
    """Return the vendor's name of a column of the table; see :func:`table_name`."""
    return name[:-1] if re.fullmatch(rf"({NIGHT})?_+", name, re.IGNORECASE) else name


def letters(name: str) -> str:
    """Return a column's name without case, blanks and signs, by which ``Account ID`` is ``accountID``; as it is where
    it is of signs alone.
    """
    return "".join(filter(str.isalnum, name.casefold())) or name


class SchemaRules(Frozen):
    """Which changes of the vendor's columns are let through; new columns always are.

    Whole numbers become fractions by themselves, where the column is not of the key and a float says every digit, older
    ones too.

    :param allow_type_change: for all columns, or for those named. The table keeps its type for as long as every value
        is one of it, then takes the next that holds all of them: ``int64``, ``float64``, ``decimal(38,s)``, ``string``;
        older nights are rewritten in the same commit. Where it is not allowed, such a value is a
        :class:`~nightshift.lake.errors.CastError`
    :param allow_lost_columns: for all columns, or for those named. The table keeps the column, null from then on
    :param same_column: columns that the vendor spells in several ways: a name that differs from one of these in case,
        blanks and signs only, as ``accountID`` and ``Account ID`` do from ``AccountID``, is this column, unless the
        table has one of just that name. A row, or a header, that has it twice is refused
    """

    allow_type_change: bool | tuple[str, ...] = False
    allow_lost_columns: bool | tuple[str, ...] = False
    same_column: tuple[str, ...] = ()

    def lets_type_change(self, column: str) -> bool:
        """Say whether the type of this column may change."""
        return _is_named(column, self.allow_type_change)

    def lets_loss(self, column: str) -> bool:
        """Say whether this column may be missing."""
        return _is_named(column, self.allow_lost_columns)


def _is_named(column: str, rule: bool | tuple[str, ...]) -> bool:
    """Say whether a rule is for a column, whichever of its two names it has there: the vendor's or the table's."""
    return rule if isinstance(rule, bool) else not {column, table_name(column), vendor_name(column)}.isdisjoint(rule)


class CsvSpec(Frozen):
    """How CSV is written by this vendor.

    :param charset: character set; a byte order mark of UTF-8, UTF-16 or UTF-32 overrules it
    :param delimiter: one ASCII character between fields; ``tab`` is one, too
    :param quote: one ASCII character around fields
    :param repeated_names: what becomes of a column that has the name of another one, or none: ``refuse`` publishes
        nothing, ``number`` calls it by its place, ``name_2`` or ``column_7``; the vendor has to keep their order then
    :param repeated_header: what becomes of a row of two fields or more that is the header once more: ``refuse``
        publishes nothing, ``row`` takes it for a row
    """

    charset: Annotated[str, AfterValidator(_charset)] = "utf-8"
    delimiter: Annotated[str, BeforeValidator(_delimiter)] = ","
    quote: Literal['"', "'"] = '"'
    repeated_names: Literal["refuse", "number"] = "refuse"
    repeated_header: Literal["refuse", "row"] = "refuse"

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is published is known by it; see nightshift.lake.tables.content_of.
        return {name: value for name, value in dump(self).items() if (name, value) != ("repeated_header", "refuse")}


class PublishSpec(Frozen):
    """How the landed pages of a report become its table.

    :param key: columns that identify a row
    :param types: column → type; wins over the vendor's data model, the table and the values. A table that has another
        type takes this one, where every value of its older nights is exactly one of it
    :param checks: what must hold before a night is published
    :param schema_rules: which changes of the columns are let through
    :param timezone: zone of time stamps that name none, and of the days of ``night_column``; of an hour that comes
        twice the first is taken, one that is skipped is refused
    :param data_key: key of the rows in a JSON page; a page that is a bare array is its rows
    :param night_column: ``date`` or ``timestamp`` column that says which night a row belongs to; rows of nights that
        are not asked for are dropped and counted
    :param nights: the nights that one publish replaces, all in one commit; the night of the extract where ``None``
    :param asked_nights: the nights that the vendor was asked for, where these are more than one publish replaces
    :param csv: how CSV is written
    :param promote: nested column → member → type: members that become the columns ``<column>_<member>``
    :param empty_as_null: an empty text in a column that is not text is no value, instead of a mistake
    """

    key: tuple[str, ...] = ()
    types: dict[str, ColumnType] = Field(default_factory=dict)
    checks: Checks = Checks()
    schema_rules: SchemaRules = SchemaRules()
    timezone: TimeZone = "UTC"
    data_key: str = Field(default="data", min_length=1)
    night_column: str | None = None
    nights: tuple[Day, ...] | None = Field(default=None, min_length=1)
    asked_nights: tuple[Day, ...] | None = None
    csv: CsvSpec = CsvSpec()
    promote: dict[str, dict[str, ColumnType]] = Field(default_factory=dict)
    empty_as_null: bool = False

    @model_validator(mode="after")
    def _sound(self) -> PublishSpec:
        if self.nights is not None and self.night_column is None:
            raise ValueError("nights needs a night_column: without one nothing says which row belongs to which night")
        if len(set(self.key)) != len(self.key):
            raise ValueError("a column is named twice in key")
        wanted = self.types.get(self.night_column or "", "date")
        if wanted not in {"date", "timestamp"}:
            raise ValueError(f"night_column {self.night_column!r} has the type {wanted}; it must be date or timestamp")
        return self
