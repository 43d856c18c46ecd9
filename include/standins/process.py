"""Stand-in vendors as one process, for ``make run``, crash tests and benchmarks."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import pkgutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import include.standins
from include.standins.server import StandIn
from include.standins.switches import Switches, from_text

VENDORS = tuple(found.name for found in pkgutil.iter_modules(include.standins.__path__) if found.ispkg)
"""Each package beside this module is a stand-in, named as the connection type."""


def ports_from(first: int) -> dict[str, int]:
    """Return a port for each stand-in, counted up."""
    return {name: first + number for number, name in enumerate(VENDORS)}


def vendor_type(name: str) -> type[StandIn[Any]]:
    """Return the stand-in class of a vendor, the one that its package exports.

    :param name: a connection type, for instance ``flexnet``
    :raises ValueError: there is no such stand-in
    """
    if name not in VENDORS:
        raise ValueError(f"no stand-in {name!r}; there are {', '.join(VENDORS)}")
    module = importlib.import_module(f"include.standins.{name}")
    kinds = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, StandIn)]
    (found,) = [one for one in kinds if one is not StandIn]
    return found


def built(options: argparse.Namespace) -> list[StandIn[Any]]:
    """Make the stand-ins that a command line asks for.

    :raises ValueError: an unknown vendor or switch, or a value that does not fit
    """
    vendors: list[StandIn[Any]] = []
    every = ports_from(options.first_port) if options.first_port else {}
    for spec in (*options.vendor, *(f"{name}={port}" for name, port in every.items())):
        name, _, port = spec.partition("=")
        kind = vendor_type(name)
        switches: Switches = kind.switches_type()
        for turn in options.switch:
            key, _, text = turn.partition("=")
            owner, _, switch = key.partition(".")
            if owner == name:
                switches = from_text(switches, switch, text)
        file = Path(options.ledger_dir) / f"{name}.jsonl" if options.ledger_dir else None
        vendors.append(
            kind(
                port=int(port or 0),
                host=options.host,
                seed=options.seed,
                latency=options.latency_ms / 1000,
                switches=switches,
                ledger_file=file,
            )
        )
    return vendors


async def serve(
    vendors: Sequence[StandIn[Any]], ready_file: Path | None = None, ended: asyncio.Event | None = None
) -> None:
    """Run stand-ins until a signal.

    :param ready_file: written, whole, when all listen: a JSON object of vendor → URL
    :param ended: ends them; default: set by SIGTERM and SIGINT
    """
    end = ended or asyncio.Event()
    if ended is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with contextlib.AsyncExitStack() as stack:
        for vendor in vendors:
            await stack.enter_async_context(vendor)
            print(f"{vendor.name} {vendor.url}", flush=True)
        if ready_file:
            _write_whole(ready_file, json.dumps({vendor.name: vendor.url for vendor in vendors}))
        await end.wait()


def _write_whole(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line ``python -m include.standins``."""
    parser = argparse.ArgumentParser(prog="python -m include.standins", description="Stand-in vendors, on loopback.")
    parser.add_argument(
        "--vendor",
        action="append",
        default=[],
        metavar="NAME=PORT",
        help=f"{', '.join(VENDORS)}; port 0 or none: a free one",
    )
    parser.add_argument("--first-port", type=int, help="all that there are, each on the next port")
    parser.add_argument("--seed", type=int, default=7, help="of the generated data")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--switch", action="append", default=[], metavar="VENDOR.NAME=VALUE", help="JSON or plain text")
    parser.add_argument("--ledger-dir", help="existing folder for <vendor>.jsonl")
    parser.add_argument("--ready-file", type=Path)
    options = parser.parse_args(arguments)
    try:
        vendors = built(options)
        asyncio.run(serve(vendors, options.ready_file))
    except (ValueError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
