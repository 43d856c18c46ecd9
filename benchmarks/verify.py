"""Count what a contender brought home, from what it left behind and not from what it says. Runs in a process of its
own.

Every row has a key of its own, and so has every wait: their number and that of the distinct ones together tell loss and
repetition. A CSV is compared block by block, byte by byte.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks import csv_rows
from benchmarks.rows import KEY, KEY_PATTERN


def text_keys(out: Path) -> Iterator[bytes]:
    """Yield the keys in pages or NDJSON files below a folder."""
    for path in sorted(out.rglob("*.*json")):
        if path.name != "extract.json":
            yield from _keys_in(path.read_bytes())


def landing_keys(out: Path) -> Iterator[bytes]:
    """Yield the keys in the compressed pages of a landing."""
    import zstandard

    for path in sorted((out / "lake" / "raw").rglob("*.zst")):
        yield from _keys_in(zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()))


def parquet_keys(out: Path) -> Iterator[bytes]:
    """Yield the keys in the Parquet files of a folder, whatever its writer made of the column's name."""
    yield from _column(path for path in sorted((out / "table").rglob("*.parquet")) if "_dlt" not in path.parent.name)


def table_keys(out: Path) -> Iterator[bytes]:
    """Yield the keys in the current version of our Delta table."""
    from deltalake import DeltaTable

    table = DeltaTable(str(out / "lake" / "tables" / "flexnet" / "entitlement"))
    yield from _column(Path(uri.removeprefix("file://")) for uri in table.file_uris())


def text_csv(out: Path) -> Iterator[bytes]:
    """Yield the CSV file of a folder, in pieces."""
    with (out / "export.csv").open("rb") as file:
        while piece := file.read(csv_rows.BLOCK):
            yield piece


def landing_csv(out: Path) -> Iterator[bytes]:
    """Yield the CSV of a landing: its pages in order, if the manifest names them all."""
    import zstandard

    (manifest,) = (out / "lake" / "raw").rglob("manifest.json")
    names = [entry["name"] for entry in json.loads(manifest.read_bytes())["entries"]]
    if names != sorted(path.name for path in manifest.parent.glob("*.zst")):
        raise ValueError("the manifest names other pages than there are")
    for name in names:
        yield zstandard.ZstdDecompressor().decompressobj().decompress((manifest.parent / name).read_bytes())


def events(out: Path) -> tuple[int, int]:
    """Return how many waits ended as they had to, and how many different ones those are."""
    numbers = [int(line) for line in (out / "events.txt").read_text().split()]
    return len(numbers), len(set(numbers))


def tasks(out: Path) -> tuple[int, int]:
    """Return how many tasks the parsed DAGs have, and how many different ones those are."""
    names = (out / "tasks.txt").read_text().split()
    return len(names), len(set(names))


def counted(keys: Callable[[Path], Iterable[bytes]]) -> Callable[[Path], tuple[int, int]]:
    """Return what counts keys, and the distinct ones."""

    def count(out: Path) -> tuple[int, int]:
        number, seen = 0, set()
        for key in keys(out):
            number += 1
            seen.add(int(key[4:10]) * 10_000 + int(key[11:]))
        return number, len(seen)

    return count


SINKS: dict[str, Callable[[Path], tuple[int, int]]] = {
    "text": counted(text_keys),
    "landing": counted(landing_keys),
    "parquet": counted(parquet_keys),
    "table": counted(table_keys),
    "csv": lambda out: csv_rows.count(text_csv(out)),
    "csv-landing": lambda out: csv_rows.count(landing_csv(out)),
    "events": events,
    "tasks": tasks,
}


def _column(paths: Iterable[Path]) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    for path in paths:
        file = pq.ParquetFile(path)
        name = next(name for name in file.schema_arrow.names if name.replace("_", "").lower() == KEY.lower())
        for batch in file.iter_batches(columns=[name]):
            yield from (value.encode() for value in batch.column(0).to_pylist())


def _keys_in(body: bytes) -> Iterator[bytes]:
    return (b"ENT-%s-%s" % found for found in re.findall(KEY_PATTERN.replace(b'":"', b'":\\s?"'), body))


def main() -> None:
    """Print units and distinct units of a folder as JSON; arguments: sink, folder."""
    units, distinct = SINKS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"units": units, "distinct": distinct}))


if __name__ == "__main__":
    main()
