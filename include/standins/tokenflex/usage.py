"""The usage of a contract, day by day: rows that are a pure function of seed, contract, category and day.

A day of more than :data:`BLOCK` rows repeats its first :data:`BLOCK` rows; the copies differ in ``chargedItemID``
alone, where :data:`MARK` stands for the number of the copy. So a day of any size costs no more than one block.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from include.standins.draw import Draw
from include.standins.tokenflex.catalogue import Category
from include.standins.tokenflex.contracts import Contract, custom_values
from include.standins.tokenflex.switches import TokenFlexSwitches

BLOCK: Final = 2000
MARK: Final = "@@COPY@@"
KEPT_DAYS: Final = 64
HUNDREDTHS: Final = 100
RECENT: Final = date(2026, 1, 1)
"""Before it a day has a tenth of the rows, so that a request for all years is not slow."""

_PRODUCTS: Final = tuple(
    (name, code, feature, tokens)
    for name, code, feature, tokens in (
        ("AutoCAD", "ACD", "84100ACD_F", 600),
        ("AutoCAD Civil 3D", "CIV3D", "84200CIV3D_F", 800),
        ("Revit", "RVT", "84300RVT_F", 800),
        ("Navisworks Manage", "NAVMAN", "84400NAVMAN_F", 900),
        ("Inventor Professional", "INVPROSA", "84500INV_F", 800),
        ("3ds Max", "3DSMAX", "84600MAX_F", 600),
        ("InfraWorks", "IW360P", "84700IW_F", 500),
        ("Vault Professional", "VLTM", "84800VLT_F", 25),
        ("Plant 3D", "PLNT3D", "84900PLNT_F", 900),
        ("Robot Structural Analysis", "RSAPRO", "85000RSA_F", 600),
    )
)
_CLOUD: Final = (("BIM Collaborate Pro", "COLLRP", 125), ("Autodesk Build", "BLD", 200), ("Fusion", "F360", 300))
_SERVICES: Final = (("Rendering", "RENDER", 10), ("Cloud Worksharing", "C4R", 50))
_CHARGES: Final = ("CHARGED", "CHARGED", "CHARGED", "CHARGED", "FREE", "CASUAL")
_SERVERS: Final = ("lic-eu-1", "lic-eu-2", "lic-us-1")
_OFFSETS: Final = {"lic-eu-1": "1:00", "lic-eu-2": "2:00", "lic-us-1": "-8:00"}
_ITEMS: Final = {category: "".join(word[0] for word in category.lower().split("_")) for category in Category}
_HARD: Final = ('North "A", Süd', "line one\nline two", "a;b\tc", " padded ", "=1+1")


class UsageRow(NamedTuple):
    """One session or transaction.

    :param values: texts in the order of :data:`~include.standins.tokenflex.catalogue.FIELDS`
    :param hundredths: tokens consumed, in hundredths
    :param arrives: how many days after its day the vendor has it
    """

    values: tuple[str, ...]
    hundredths: int
    minutes: int
    uses: int
    quantity: int
    arrives: int


@dataclass(frozen=True)
class UsageDay:
    """The usage of one category on one day: the rows of a block, how often they all come, and how many of them come
    once more.
    """

    day: date
    category: Category
    rows: tuple[UsageRow, ...]
    copies: int
    rest: int


class Usage:
    """The usage of all contracts; may be asked from any thread.

    :param seed: of the stand-in
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._days: OrderedDict[tuple[object, ...], UsageDay] = OrderedDict()
        self._custom: dict[int, tuple[str, ...]] = {}

    def day(self, contract: Contract, category: Category, day: date, switches: TokenFlexSwitches) -> UsageDay:
        """Return a day of a category; empty outside the contract."""
        sized = (switches.rows_per_day, switches.users, switches.late_days, switches.late_share, switches.csv_hard_text)
        key = (contract.number, category, day, sized)
        with self._lock:
            found = self._days.get(key)
            if found is None:
                found = self._days[key] = self._made(contract, category, day, switches)
                while len(self._days) > KEPT_DAYS:
                    self._days.popitem(last=False)
            return found

    def _made(self, contract: Contract, category: Category, day: date, switches: TokenFlexSwitches) -> UsageDay:
        size = switches.rows_per_day if day >= RECENT else -(-switches.rows_per_day // 10)
        count = _count(category, day, size) if contract.starts <= day <= contract.ends else 0
        draw = Draw(self._seed, "tokenflex", contract.number, category, day)
        base = (day.replace(day=1).isoformat(), day.isoformat(), str(contract.year_of(day)))
        rows = tuple(self._row(base, category, day, index, draw, switches) for index in range(min(count, BLOCK)))
        return UsageDay(day, category, rows, count // BLOCK, count % BLOCK)

    def _row(
        self, base: tuple[str, ...], category: Category, day: date, index: int, draw: Draw, switches: TokenFlexSwitches
    ) -> UsageRow:
        user = draw.integer(1, max(1, switches.users))
        custom = self._custom.get(user) or self._custom.setdefault(user, custom_values(self._seed, user))
        late = 1 + (
            draw.integer(1, switches.late_days) if switches.late_days and draw.chance(switches.late_share) else 0
        )
        if switches.csv_hard_text:
            custom = (*custom[:2], _HARD[index % len(_HARD)], *custom[3:])
        name = f"user{user:04d}@standin.example"
        item = f"{_ITEMS[category]}-{day:%Y%m%d}-{MARK}-{index:05d}"
        if category is Category.DESKTOP_PRODUCT:
            return _desktop(base, name, item, custom, draw, day, late)
        if category is Category.CLOUD_PRODUCT:
            return _cloud(base, name, item, custom, draw, late)
        return _other(category, base, name, item, custom, draw, late)


def _count(category: Category, day: date, rows_per_day: int) -> int:
    desktop = rows_per_day if day.weekday() < 5 else rows_per_day * 3 // 10
    match category:
        case Category.DESKTOP_PRODUCT:
            return desktop
        case Category.CLOUD_PRODUCT:
            return min(desktop // 6, BLOCK)
        case Category.CLOUD_SERVICE:
            return min(desktop // 12, BLOCK)
        case Category.MANUAL_ADJUSTMENT:
            return 2 if day.day == 1 else 0
        case Category.MANUAL_CONSUMPTION:
            return 1 if day.weekday() == 0 else 0


def _desktop(
    base: tuple[str, ...], user: str, item: str, custom: tuple[str, ...], draw: Draw, day: date, late: int
) -> UsageRow:
    product, code, feature, tokens = draw.choice(_PRODUCTS)
    server = draw.choice(_SERVERS)
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 -- the vendor's session stamps have no zone
    begins = midnight + timedelta(seconds=draw.integer(6 * 3600, 20 * 3600))
    minutes = draw.integer(1, 239)
    charge = draw.choice(_CHARGES)
    values = (
        *base,
        product,
        code,
        str(2020 + draw.integer(0, 6)),
        feature,
        user,
        f"WS-{draw.integer(1, 400):04d}",
        begins.isoformat(),
        (begins + timedelta(minutes=minutes)).isoformat(),
        _OFFSETS[server],
        item,
        charge,
        server,
        "Borrowed" if draw.chance(0.05) else "Normal",
        Category.DESKTOP_PRODUCT.value,
        *custom,
        "",
        "",
        "STANDARD",
        "",
        "",
        "",
    )
    return UsageRow(values, tokens if charge == "CHARGED" else 0, minutes, draw.integer(1, 4), 0, late)


def _cloud(base: tuple[str, ...], user: str, item: str, custom: tuple[str, ...], draw: Draw, late: int) -> UsageRow:
    product, code, tokens = draw.choice(_CLOUD)
    hub = draw.integer(1, 5)
    charge = draw.choice(_CHARGES)
    values = (
        *base,
        product,
        code,
        "",
        "",
        user,
        "",
        "",
        "",
        "",
        item,
        charge,
        "",
        "",
        Category.CLOUD_PRODUCT.value,
        *custom,
        f"urn:adsk.wipprod:hub.{hub:04d}",
        f"Hub {hub}",
        "STANDARD",
        "",
        "",
        "",
    )
    return UsageRow(values, tokens if charge == "CHARGED" else 0, 0, draw.integer(1, 9), 0, late)


def _other(
    category: Category, base: tuple[str, ...], user: str, item: str, custom: tuple[str, ...], draw: Draw, late: int
) -> UsageRow:
    manual = category is not Category.CLOUD_SERVICE
    product, code, tokens = ("", "", 0) if manual else draw.choice(_SERVICES)
    sign = -1 if category is Category.MANUAL_ADJUSTMENT and draw.chance(0.5) else 1
    quantity = draw.integer(1, 20) if manual else 0
    reason = ("CORRECTION", "agreed by mail", base[1]) if manual else ("", "", "")
    values = (
        *base,
        product,
        code,
        "",
        "",
        user,
        "",
        "",
        "",
        "",
        item,
        "N/A",
        "",
        "",
        category.value,
        *custom,
        "",
        "",
        "STANDARD",
        *reason,
    )
    worth = sign * quantity * HUNDREDTHS if manual else tokens * draw.integer(1, 30)
    return UsageRow(values, worth, 0, 1, quantity, late)
