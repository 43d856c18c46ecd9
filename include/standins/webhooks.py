"""The stand-in of what takes messages: Microsoft Teams, PagerDuty, Google Chat, and a receiver of plain JSON.

Built from the services' public pages: a workflow of Teams takes a message with Adaptive Cards of at most 28 KB and
answers 202 with nothing; the Events API v2 of PagerDuty checks every field and answers 202, or 400 with what is wrong;
Google Chat takes a message of at most 32,000 bytes and answers it back. What is no secret of this stand-in opens
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from include.standins.routing import Refused, Request, Response, Route
from include.standins.server import StandIn

SIGNATURE, CHAT_KEY, CHAT_TOKEN = "teams-signature-0a1b2c3d4e", "chat-key-5f6a7b8c9d", "chat-token-0e1f2a3b4c"
ROUTING_KEY, BEARER = "a1b2c3d4e5f60718293a4b5c6d7e8f90", "receiver-token-1a2b3c4d"
WORKFLOW = "f3a9c1d27b5e4c0f8a6d"
CARD = "application/vnd.microsoft.card.adaptive"
TEAMS_BYTES, CHAT_BYTES, EVENT_BYTES = 28 << 10, 32_000, 512 << 10
_SEVERITIES = {"critical", "error", "warning", "info"}
_ACTIONS = {"trigger", "acknowledge", "resolve"}
_EVENT = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
_PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
_MESSAGE = {"text", "cards", "cardsV2", "thread", "fallbackText", "accessoryWidgets"}


class WebHooksStandIn(StandIn):  # type: ignore[type-arg]  # no switches of its own
    """Four receivers; ``taken`` has what each took: service, and body without its secret.

    Effects: ``teams_message``, ``chat_message`` (key: the thread), ``json_message``, ``event_trigger`` and
    ``event_resolve`` (key: the dedup key).
    """

    name = "webhooks"
    secret_query = frozenset({"sig", "key", "token"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.taken: list[tuple[str, Mapping[str, Any]]] = []
        self.alerts: dict[str, str] = {}

    def routes(self) -> Sequence[Route]:
        invoke = "/workflows/{id}/triggers/manual/paths/invoke"
        return [
            Route("POST", invoke, self.teams, public=True),
            Route("POST", "/v2/enqueue", self.pagerduty, public=True),
            Route("POST", "/v1/spaces/{space}/messages", self.google_chat, public=True),
            Route("POST", "/receiver", self.receiver, public=True),
        ]

    @property
    def teams_url(self) -> str:
        """What Teams shows to be copied."""
        query = f"api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SIGNATURE}"
        return f"{self.url}/workflows/{WORKFLOW}/triggers/manual/paths/invoke?{query}"

    @property
    def chat_url(self) -> str:
        """What a space of Google Chat shows to be copied."""
        return f"{self.url}/v1/spaces/AAAAnights/messages?key={CHAT_KEY}&token={CHAT_TOKEN}"

    def took(self, service: str) -> list[Mapping[str, Any]]:
        """Return what a service took."""
        with self.locked():
            return [body for name, body in self.taken if name == service]

    async def teams(self, request: Request) -> Response:
        if request.parts["id"] != WORKFLOW or request.query.get("sig") != SIGNATURE:
            raise Refused(_failed(401, "DirectApiAuthorizationRequired", "The signature is not that of the workflow."))
        body = _object(request, TEAMS_BYTES)
        if body.get("type") != "message" or not (attachments := body.get("attachments")):
            raise Refused(_failed(400, "TriggerInputSchemaMismatch", "A message with attachments is expected."))
        for one in attachments:
            card = one.get("content", {})
            if one.get("contentType") != CARD or card.get("type") != "AdaptiveCard":
                raise Refused(_failed(400, "BadRequest", "Workflows take Adaptive Cards only."))
            if not re.fullmatch(r"1\.[0-5]", str(card.get("version"))) or not card.get("body"):
                raise Refused(
                    _failed(400, "BadRequest", "The card has no body, or a version that Teams does not know.")
                )
            _check_blocks(card["body"])
            _check_actions(card.get("actions", []))
        self._take("teams", body)
        request.effect("teams_message", WORKFLOW)
        return Response(202, content_type="")

    async def pagerduty(self, request: Request) -> Response:
        event = _object(request, EVENT_BYTES)
        if problems := list(_wrong_in(event)):
            body = {"status": "invalid event", "message": "Event object is invalid", "errors": problems}
            raise Refused(Response.json(400, body))
        key = event.get("dedup_key") or f"srv{request.number:032x}"
        action = event["event_action"]
        with self.locked():
            self.alerts[key] = {"trigger": "triggered", "resolve": "resolved"}.get(action, "acknowledged")
        self._take("pagerduty", {name: value for name, value in event.items() if name != "routing_key"})
        request.effect(f"event_{action}", key)
        return Response.json(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    async def google_chat(self, request: Request) -> Response:
        if (request.query.get("key"), request.query.get("token")) != (CHAT_KEY, CHAT_TOKEN):
            raise Refused(_google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."))
        option = request.query.get("messageReplyOption", "MESSAGE_REPLY_OPTION_UNSPECIFIED")
        if option not in {
            "MESSAGE_REPLY_OPTION_UNSPECIFIED",
            "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD",
            "REPLY_MESSAGE_OR_FAIL",
        }:
            raise Refused(_google(400, "INVALID_ARGUMENT", "Invalid value at 'message_reply_option'."))
        body = _object(request, CHAT_BYTES)
        if unknown := sorted(set(body) - _MESSAGE):
            raise Refused(_google(400, "INVALID_ARGUMENT", f'Unknown name "{unknown[0]}" at "message".'))
        if not (body.get("text") or body.get("cardsV2")):
            raise Refused(_google(400, "INVALID_ARGUMENT", "Message cannot be empty."))
        key = body.get("thread", {}).get("threadKey", "")
        self._take("google_chat", body)
        request.effect("chat_message", key)
        return Response.json(200, {"name": f"spaces/AAAAnights/messages/{request.number}", "text": body.get("text")})

    async def receiver(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {BEARER}":
            raise Refused(self.error(401, "no token of ours"))
        self._take("webhook", _object(request, EVENT_BYTES))
        request.effect("json_message", "")
        return Response(204, content_type="")

    def _take(self, service: str, body: Mapping[str, Any]) -> None:
        with self.locked():
            self.taken.append((service, body))


def _object(request: Request, longest: int) -> dict[str, Any]:
    if len(request.body) > longest:
        raise Refused(Response.json(413, {"message": f"The request is larger than {longest} bytes."}))
    if "application/json" not in request.headers.get("Content-Type", ""):
        raise Refused(Response.json(415, {"message": "JSON is expected."}))
    found = request.json()
    if not isinstance(found, dict):
        raise Refused(Response.json(400, {"message": "An object is expected."}))
    return found


def _wrong_in(event: Mapping[str, Any]) -> Sequence[str]:
    found = [f"'{name}' is not a known field" for name in sorted(set(event) - _EVENT)]
    key, payload = event.get("routing_key"), event.get("payload")
    if not isinstance(key, str) or len(key) != len(ROUTING_KEY):
        found.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    elif key != ROUTING_KEY:
        found.append("'routing_key' is not that of an integration")
    if event.get("event_action") not in _ACTIONS:
        found.append("'event_action' must be one of 'trigger', 'acknowledge', 'resolve'")
    if len(event.get("dedup_key", "")) > 255:
        found.append("'dedup_key' is too long (maximum 255 characters)")
    if event.get("event_action") != "trigger" and not event.get("dedup_key"):
        found.append("'dedup_key' is missing")
    if event.get("event_action") == "trigger" or payload is not None:
        found += _wrong_in_payload(payload if isinstance(payload, Mapping) else {})
    found += ["'links' must have an 'href'" for one in event.get("links", ()) if not _is_url(one.get("href"))]
    return found


def _wrong_in_payload(payload: Mapping[str, Any]) -> list[str]:
    found = [f"'payload.{name}' is not a known field" for name in sorted(set(payload) - _PAYLOAD)]
    found += [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
    if len(payload.get("summary", "")) > 1024:
        found.append("'payload.summary' is too long (maximum 1024 characters)")
    if payload.get("severity") not in _SEVERITIES:
        found.append("'payload.severity' is invalid (must be one of the following: critical, warning, error or info)")
    try:
        datetime.fromisoformat(payload.get("timestamp", "2026-01-01T00:00:00+00:00"))
    except ValueError:
        found.append("'payload.timestamp' is not ISO 8601")
    return found


def _check_blocks(blocks: Sequence[Mapping[str, Any]]) -> None:
    for block in blocks:
        runs = block.get("inlines", []) if block.get("type") == "RichTextBlock" else [block]
        if block.get("type") not in {"RichTextBlock", "TextBlock"} or not runs:
            raise Refused(_failed(400, "BadRequest", f"The element {block.get('type')} is not known."))
        if not all(isinstance(run.get("text"), str) and run["type"] in {"TextRun", "TextBlock"} for run in runs):
            raise Refused(_failed(400, "BadRequest", "A text is missing."))


def _check_actions(actions: Sequence[Mapping[str, Any]]) -> None:
    for action in actions:
        if action.get("type") != "Action.OpenUrl" or not _is_url(action.get("url")):
            raise Refused(_failed(400, "BadRequest", "An action has no URL."))


def _is_url(text: Any) -> bool:
    return isinstance(text, str) and text.startswith(("https://", "http://"))


def _failed(status: int, code: str, message: str) -> Response:
    return Response.json(status, {"error": {"code": code, "message": message}})


def _google(status: int, code: str, message: str) -> Response:
    return Response.json(status, {"error": {"code": status, "message": message, "status": code}})
