"""``python -m benchmarks.parts``: what the parts of an extract and of a publish cost alone, on one core of this machine.

JSON to columns is Nightshift's own decoder, the rest are the libraries; keys, statistics, checks, threads and the commit
are in none of them. What they cost together is the speed that these parts cannot exceed on one core. The rows are those
of the case ``paged``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from benchmarks import rows
from nightshift.lake.columns import targets
from nightshift.lake.extract import compressor
from nightshift.lake.json_pages import JsonPages
from nightshift.lake.spec import PublishSpec

PAGE_ROWS, FIELDS = 1000, len(rows.FIELDS)
KINDS = {
    "string": "string",
    "integer": "int64",
    "double": "float64",
    "boolean": "bool",
    "date": "date",
    "timestamp": "timestamp",
}


def pages(number: int) -> list[bytes]:
    """Return so many pages."""
    blocks = [rows.block(at, PAGE_ROWS, FIELDS) for at in range(min(number, rows.BLOCKS))]
    return [rows.page(blocks[at % len(blocks)], at + 1, lambda size: b'{"data":[', b"]}") for at in range(number)]


def measured(part: Callable[[], object], of: int, runs: int) -> float:
    """Return rows a second of processor, of the best run."""
    best = float("inf")
    for _ in range(runs):
        began = time.process_time()
        part()
        best = min(best, time.process_time() - began)
    return of / best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description="The parts alone, one core.")
    parser.add_argument("--pages", type=int, default=100, help="pages of 1,000 rows (default 100)")
    parser.add_argument("--runs", type=int, default=7, help="of which the best counts (default 7)")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    bodies = pages(given.pages)
    packed = [compressor().compress(body) for body in bodies]
    types = {name: KINDS.get(kind, "string") for name, kind in rows.FIELDS}
    columns = targets(types, PublishSpec(key=(rows.KEY,)))
    reader = JsonPages(columns, (), PublishSpec(key=(rows.KEY,)), "entitlement")
    batches = [batch for at, body in enumerate(bodies) for batch in reader.batches(at + 1, body, PAGE_ROWS)]
    row: Any = msgspec.defstruct("Row", [], gc=False)
    values = msgspec.json.Decoder(msgspec.defstruct("Page", [("data", list[row])]))
    table = pa.Table.from_batches(batches)

    def parquet() -> None:
        pq.write_table(table, io.BytesIO(), compression="zstd", compression_level=1)

    def columned() -> None:
        for at, body in enumerate(bodies):
            list(reader.batches(at + 1, body, PAGE_ROWS))

    def each(function: Callable[[bytes], object], of: Sequence[bytes]) -> Callable[[], None]:
        def all_of_them() -> None:
            for one in of:
                function(one)

        return all_of_them

    landing = {
        "JSON, looked through": each(values.decode, bodies),
        "zstd": each(compressor().compress, bodies),
        "sha256": each(lambda body: hashlib.sha256(body).digest(), bodies),
    }
    publish = {
        "zstd back": each(zstandard.ZstdDecompressor().decompress, packed),
        "sha256": each(lambda body: hashlib.sha256(body).digest(), bodies),
        "JSON to columns": columned,
        "Parquet": parquet,
    }
    for name, parts in (("extract, without the network", landing), ("publish", publish)):
        rates = {part: measured(function, given.pages * PAGE_ROWS, given.runs) for part, function in parts.items()}
        print(name)
        for part, rate in rates.items():
            print(f"  {part:24}{rate:>12,.0f} rows/s")
        print(f"  {'one after the other':24}{1 / sum(1 / rate for rate in rates.values()):>12,.0f} rows/s")


if __name__ == "__main__":
    main()
