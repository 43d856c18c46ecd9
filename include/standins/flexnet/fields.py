"""What a report group is, and what its fields hold: a name, a type and how the value is drawn."""
# ruff: noqa: RUF001 -- names of many scripts are wanted here

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from include.standins.draw import Draw

ACCOUNTS_A_DAY = 300


@dataclass(frozen=True)
class Place:
    """Where a row stands: its day and the moment (server time, no zone) of its last change."""

    day: date
    moment: datetime


Maker = Callable[[Draw, Place], Any]


@dataclass(frozen=True)
class Field:
    """One field of a report.

    :param type: string, integer, double, boolean, date, timestamp, object or array, as ``report-types`` says it
    :param make: draws a value; ``None`` for the key, which is made from day and index
    :param inner: names and types inside an object
    """

    name: str
    type: str
    make: Maker | None
    inner: Mapping[str, str] | None = None


COMPANIES = (
    "Acme Industries",
    "Bär & Söhne GmbH",
    "Ünlü Yazılım A.Ş.",
    "株式会社さくら",
    'O\'Neil "Quoted" Ltd',
    "Žižkov Systémy s.r.o.",
    "Comma, Semi; & Tab\tInc",
    "شركة النيل للبرمجيات",
    "Zażółć Gęślą Sp. z o.o.",
    "Two\nLine Holding",
    "Rocket 🚀 Labs",
    "חברת אופק",
    "Nothing But Net",
    "Łódź Meters",
    "Back\\slash & Co",
    "=SUM(A1) Traders",
)
PRODUCTS = ("Turbine", "Lathe CAM", "Optic Studio", "Grid Planner", "Weaver", "Nimbus Sim", "Ledger Pro", "Torque CFD")
FEATURES = ("core", "solver", "mesher", "viewer", "export_step", "gpu", "batch", "cloud_sync", "python_api")
COUNTRIES = ("US", "DE", "FR", "JP", "CZ", "TR", "EG", "BR", "IN", "PL", "IL", "GB")
CITIES = (
    "Austin",
    "München",
    "Paris",
    "東京",
    "Brno",
    "İzmir",
    "القاهرة",
    "São Paulo",
    "Pune",
    "Łódź",
    "חיפה",
    "Leeds",
)


def account_id(day: date, number: int) -> str:
    """Return the id of one of a day's accounts, in all groups the same."""
    return f"ACC-{day:%Y%m%d}-{number:06d}"


def linked_account(draw: Draw, at: Place) -> str:
    """Draw the id of an account that the ``account`` report of the same day has."""
    return account_id(at.day, draw.integer(0, ACCOUNTS_A_DAY - 1))


def coded(prefix: str, span: int = 99999) -> Maker:
    """Make codes such as ``PN-00042``."""
    width = len(str(span))
    return lambda draw, at: f"{prefix}-{draw.integer(1, span):0{width}d}"


def one_of(*values: Any) -> Maker:
    return lambda draw, at: draw.choice(values)


def among(values: Sequence[Any]) -> Maker:
    return lambda draw, at: draw.choice(values)


def whole(low: int, high: int) -> Maker:
    """Make an integer, both ends possible."""
    return lambda draw, at: draw.integer(low, high)


def decimal(high: float, digits: int = 4) -> Maker:
    return lambda draw, at: round(draw.fraction() * high, digits)


def flag(probability: float = 0.5) -> Maker:
    return lambda draw, at: draw.chance(probability)


def sometimes(make: Maker, probability: float = 0.8) -> Maker:
    """Make a value, or null."""
    return lambda draw, at: make(draw, at) if draw.chance(probability) else None


def day_around(back: int, ahead: int) -> Maker:
    """Make a date ``yyyy-MM-dd`` from so many days before the row's day to so many after it."""
    return lambda draw, at: (at.day + timedelta(days=draw.integer(-back, ahead))).isoformat()


def stamped(draw: Draw, at: Place) -> str:
    """Make the row's moment as ``YYYY-MM-DD hh:mm:ss.SSS``."""
    return at.moment.isoformat(sep=" ", timespec="milliseconds")


def stamped_iso(draw: Draw, at: Place) -> str:
    """Make the row's moment in ISO 8601, with Z."""
    return at.moment.isoformat(timespec="milliseconds") + "Z"


def earlier(draw: Draw, at: Place) -> str:
    """Make a moment of up to two years before, as ``YYYY-MM-DD hh:mm:ss.SSS``."""
    before = at.moment - timedelta(seconds=draw.integer(60, 63_000_000))
    return before.isoformat(sep=" ", timespec="milliseconds")


def email(draw: Draw, at: Place) -> str:
    return f"user{draw.integer(1, 9999)}@{draw.choice(('a', 'b', 'mail.c'))}.example"


def person(draw: Draw, at: Place) -> str:
    first = draw.choice(("Ada", "Grace", "Łucja", "José", "اليسا", "美咲", "Noa 🌙", "Zoë"))
    last = draw.choice(("Turing", "Hopper", "Nováková", "D'Souza", "Müller", "کریمی"))
    return f"{first} {last}"


def address(draw: Draw, at: Place) -> str:
    street = draw.choice(("Main St", "Hauptstraße", "Rue de l’Été", "улица Ленина"))
    return f"{street} {draw.integer(1, 250)}"


def version(draw: Draw, at: Place) -> str:
    """Make a version such as ``2024.1``."""
    return f"{draw.integer(2019, 2026)}.{draw.integer(0, 3)}"


def several(make: Maker, most: int) -> Maker:
    """Make an array of up to ``most`` values."""
    return lambda draw, at: [make(draw, at) for _ in range(draw.integer(0, most))]


def nested(**makers: Maker) -> Maker:
    return lambda draw, at: {name: make(draw, at) for name, make in makers.items()}


BY_TYPE: Mapping[str, Maker] = {
    "string": coded("X"),
    "integer": whole(0, 9999),
    "double": decimal(1000.0),
    "boolean": flag(),
    "date": day_around(30, 30),
    "timestamp": stamped,
}
"""A maker for each type, for fields that drift in."""


@dataclass(frozen=True)
class Group:
    """One report.

    :param name: stands in the path
    :param key: the field that is unique over all days
    :param prefix: of the key's values
    :param rows_a_day: how many rows a whole day has
    :param fields: in order, the key first
    :param filters: filter key → field (``A.B`` inside an object); ``None``: every field is a filter key
    """

    name: str
    key: str
    prefix: str
    rows_a_day: int
    fields: tuple[Field, ...]
    filters: Mapping[str, str] | None = None


def _typed(kind: str) -> Callable[[str, Maker], Field]:
    return lambda name, make: Field(name, kind, make)


text, number, real, flagged = _typed("string"), _typed("integer"), _typed("double"), _typed("boolean")
dated, moment, listed = _typed("date"), _typed("timestamp"), _typed("array")


def key(name: str) -> Field:
    """Return the key field; its values are made of day and index."""
    return Field(name, "string", None)
