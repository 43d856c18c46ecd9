"""The headers of every answer of the page: no script, nothing from elsewhere, no copy kept, framed by Airflow alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def allows(style: str) -> str:
    """Return the source expression of a Content-Security-Policy that allows one inline style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


class Headers:
    """ASGI layer around the page."""

    def __init__(self, app: App, styles: Iterable[str]) -> None:
        self.app = app
        policy = (
            f"default-src 'none'; style-src {' '.join(allows(style) for style in styles)}; img-src 'self'; base-uri "
            "'none'; form-action 'none'; frame-ancestors 'self'"
        )
        self.headers = [
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"same-origin"),
            (b"content-security-policy", policy.encode()),
            (b"x-frame-options", b"SAMEORIGIN"),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        names = {name for name, _ in self.headers}

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in names]
                message = {**message, "headers": [*kept, *self.headers]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
