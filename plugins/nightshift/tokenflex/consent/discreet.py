"""What keeps the secrets of a callback out of logs, caches, frames and other sites."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Discreet:
    """ASGI layer around the page.

    The query of a request holds the code and the state of a callback. The page gets it; the scope that was handed in, which the access log reads when the request is done, does not keep it. What a
    reverse proxy in front of Airflow logs is out of reach; the code it would see is spent by then, and worth nothing without the PKCE verifier and the client secret.

    :param app: the page
    :param style: source expression that allows its style
    """

    def __init__(self, app: App, *, style: str) -> None:
        self.app = app
        policy = f"default-src 'none'; style-src {style}; base-uri 'none'; frame-ancestors 'none'"
        # No form-action: browsers apply it to the redirects that follow, and Autodesk's sign-in has many hosts.
        self.headers = [
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
            (b"content-security-policy", policy.encode()),
            (b"x-frame-options", b"DENY"),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        inner = dict(scope)
        if scope.get("query_string"):
            scope["query_string"] = b""

        async def send_discreetly(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in self.headers}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in names]
                message = {**message, "headers": [*kept, *self.headers]}
            await send(message)

        await self.app(inner, receive, send_discreetly)
        return None
