"""A request that may leave until a moment only: what was held up for too long does not go out at all.

Whoever has taken over meanwhile relies on it. So the clock is looked at where nothing is awaited any more before the
bytes go to the kernel: at the last piece of the body. A body that is held back leaves a request that no server takes.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from nightshift.http.timely import Window, window_now


class HeldBack(Exception):
    """The body was not sent: the window had closed."""


class TimelyBody(aiohttp.BytesPayload):
    """A body that is sent within a window, or not at all.

    :param body: as it is
    :param window: until when
    """

    def __init__(self, body: bytes, window: Window) -> None:
        super().__init__(body)
        self.held_back = False
        self.window = window

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send the body.

        :raises HeldBack: the window has closed
        """
        if self.window.is_over:
            self.held_back = True
            raise HeldBack
        await super().write_with_length(writer, content_length)


def timely(body: bytes | None, *, safe: bool) -> Any:
    """Return the body of a request, bound to the window that it has to keep to.

    :param safe: whether the request changes nothing
    """
    window = None if safe else window_now()
    return body if window is None else TimelyBody(body or b"", window)
