"""Where secrets may have been left: files of Airflow, each value of its database, the lake, and what it answers."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import zstandard

from include.local.rest import Api

Texts = Iterator[tuple[str, bytes]]


def texts_of_database(path: Path) -> Texts:
    """Give each value of each table, put together again: in the file a long one lies in pieces."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            cursor = database.execute(f'SELECT * FROM "{name}"')
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, str | bytes):
                        text = value.encode() if isinstance(value, str) else value
                        yield f"{name}.{column}", text
                        if (inner := unpacked(text)) is not None:
                            yield f"{name}.{column}", inner


def texts_of_folder(folder: Path) -> Texts:
    """Give each file as it is, and unpacked where it is packed; of Parquet the values."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            where, text = str(path.relative_to(folder)), path.read_bytes()
            yield where, where.encode()
            yield where, text
            if path.suffix == ".parquet":
                yield where, _values(path)
            elif (inner := unpacked(text)) is not None:
                yield where, inner


def unpacked(text: bytes) -> bytes | None:
    """Return what is packed by zstd, gzip or zlib; ``None``: nothing is."""
    with suppress(zstandard.ZstdError, OSError, EOFError, zlib.error):
        if text.startswith(b"\x28\xb5\x2f\xfd"):
            with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(text), read_across_frames=True) as reader:
                return bytes(reader.read())
        if text.startswith(b"\x1f\x8b"):
            return gzip.decompress(text)
        if text[:1] == b"\x78":
            return zlib.decompress(text)
    return None


def _values(path: Path) -> bytes:
    from pyarrow import parquet

    return json.dumps(parquet.read_table(path).to_pylist(), default=str, ensure_ascii=False).encode()


def every(api: Api, path: str) -> Iterator[dict[str, Any]]:
    """Give each entry of a list, page by page: Airflow answers with 100 at most."""
    seen, joint = 0, "&" if "?" in path else "?"
    while True:
        answer = api.call("GET", f"{path}{joint}limit=100&offset={seen}")
        [entries] = [part for part in answer.values() if isinstance(part, list)]
        yield from entries
        seen += len(entries)
        if not entries or seen >= answer["total_entries"]:
            return
