"""Rows of a report, rendered once and made unique for each page by their key alone.

A page is its block joined with the page's number: the number stands in the key of every row, and joining costs one copy
of the page. So an origin serves any number of pages, no two rows of which have the same key, at the speed of memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

KEY = "EntitlementID"
KEY_PATTERN = rb'"EntitlementID":"ENT-(\d{6})-(\d{4})"'
BLOCKS = 8
MAX_PAGE_ROWS = 2500
MAX_PAGES = 999_999

FIELDS = (
    (KEY, "string"),
    ("ProductName", "string"),
    ("ProductVersion", "string"),
    ("AccountName", "string"),
    ("Quantity", "integer"),
    ("UsedQuantity", "integer"),
    ("StartDate", "date"),
    ("ExpirationDate", "date"),
    ("State", "string"),
    ("PartNumber", "string"),
    ("LastModified", "timestamp"),
    ("Attributes", "object"),
    ("AccountID", "string"),
    ("OrderID", "string"),
    ("OrderLine", "integer"),
    ("UnitPrice", "double"),
    ("Currency", "string"),
    ("Permanent", "boolean"),
    ("Email", "string"),
    ("ActivationID", "string"),
)
"""Name and the vendor's word for the type of each field, in the order of a row."""


def data_model(fields: int) -> dict[str, object]:
    """Return the answer of ``report-types`` for rows of that many fields."""
    return {"data": [{"name": name, "type": kind} for name, kind in FIELDS[:fields]]}


def block(variant: int, rows: int, fields: int) -> list[bytes]:
    """Return the pieces of a page's rows, between which the page's number belongs.

    :param variant: which of the blocks; their values differ
    :param rows: rows of the page, at most 2500
    :param fields: fields of a row, from the front of :data:`FIELDS`
    """
    text = ",".join(_text(_row(variant * rows + n, n), fields) for n in range(rows))
    return [piece.encode() for piece in text.split("<page>")]


def page(pieces: Sequence[bytes], number: int, head: Callable[[int], bytes], tail: bytes) -> bytes:
    """Return a page's rows, comma-separated JSON objects, between what comes before and after them; all in one copy.

    :param head: given the size of the rows in bytes, returns what comes before them
    """
    size = sum(map(len, pieces)) + 6 * (len(pieces) - 1)
    return (b"%06d" % number).join((head(size) + pieces[0], *pieces[1:-1], pieces[-1] + tail))


def _row(i: int, n: int) -> list[object]:
    return [
        f"ENT-<page>-{n:04d}",
        f"Product {i % 97}",
        f"{i % 9}.{i % 7}.{i % 5}",
        f"Account {i % 4093:05d}",
        i % 500,
        i % 333,
        "2026-01-01",
        "2027-01-01",
        "DEPLOYED" if i % 3 else "TEST",
        f"PN-{i % 1009:06d}",
        f"2026-09-{1 + i % 28:02d}T0{i % 9}:11:{i % 60:02d}Z",
        {"region": ("emea", "apac", "amer")[i % 3], "tier": i % 4, "note": "x" * (i % 40)},
        f"A-{i % 4093:05d}",
        f"PO-{i % 7919:07d}",
        i % 12,
        round((i % 9973) * 1.07, 2),
        ("EUR", "USD", "JPY")[i % 3],
        i % 5 == 0,
        f"user{i % 6007}@customer{i % 211}.example" if i % 11 else None,
        f"{_random_text(i)}-<page>",
    ]


def _random_text(i: int) -> str:
    """Return text that compresses as badly as real ids do, the same in every run."""
    return hashlib.sha256(b"%d" % i).hexdigest()[:20]


def _text(values: list[object], fields: int) -> str:
    names = [name for name, _ in FIELDS[:fields]]
    return json.dumps(dict(zip(names, values, strict=False)), separators=(",", ":"))
