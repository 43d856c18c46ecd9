"""The floor for a Python client: aiohttp on one connection, rows handed on as the text they came in, as NDJSON."""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp
import msgspec

job = json.loads(sys.argv[1])


class Header(msgspec.Struct):
    """The header of a page."""

    nextPageURL: str | None = None  # noqa: N815 - the vendor's name


class Page(msgspec.Struct):
    """A page."""

    header: Header
    data: list[msgspec.Raw]


async def main() -> int:
    """Follow the links to the end and return the number of rows."""
    decoder, count = msgspec.json.Decoder(Page), 0
    url: str | None = f"{job['origin']}/data/api/v1/report/entitlement"
    asked = job["request"]
    async with aiohttp.ClientSession(read_bufsize=1 << 20) as session:
        with open(f"{job['out']}/rows.ndjson", "wb") as file:  # noqa: ASYNC230 - nothing else runs meanwhile
            while url:
                async with session.get(url, params=asked) as answer:
                    page = decoder.decode(await answer.read())
                file.write(b"\n".join(page.data) + b"\n")
                count += len(page.data)
                url, asked = page.header.nextPageURL, None
    return count


print(asyncio.run(main()))
