"""The floor for a Python client: aiohttp on one connection, the body written to a file as it comes."""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp

job = json.loads(sys.argv[1])


async def main() -> None:
    """Write the file."""
    with open(f"{job['out']}/export.csv", "wb") as file:  # noqa: ASYNC230 - nothing else runs meanwhile
        async with (
            aiohttp.ClientSession(read_bufsize=1 << 20) as session,
            session.get(f"{job['origin']}/export.csv") as answer,
        ):
            async for piece in answer.content.iter_any():
                file.write(piece)


asyncio.run(main())
