"""Error answers, the service's own and the gateway's in front of it, and the gateway's rate limits (reference 5.1,
5.2).
"""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum
from typing import Final

from include.standins.routing import Response
from include.standins.tokenflex.switches import GatewayBody, RateLimit, TokenError

_SERVICE: Final = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    405: "MethodNotAllowedError",
    429: "TooManyRequestsError",
    500: "InternalServerError",
}
_MORE: Final = "https://aps.autodesk.com/en/docs/oauth/v2/developers_guide/error_handling/"


class GatewayCode(StrEnum):
    """Codes of the gateway; the value is what the code stands for."""

    NOT_ENTITLED = "AUTH-001"
    NOT_ALLOWED = "AUTH-002"
    WRONG_SECRET = "AUTH-003"
    BAD_SCOPE = "AUTH-004"
    BAD_TOKEN = "AUTH-006"
    NO_PRIVILEGE = "AUTH-010"
    NO_HEADER = "AUTH-012"
    RATE = "ERR-001"


def service_error(status: int, text: str, retry_after: int | None = None) -> Response:
    """Return an error of Token Flex itself: ``{"Code": …, "Message": …}``."""
    code = _SERVICE.get(status, "Error")
    extra = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return Response.json(status, {"Code": code, "Message": f"{code}: {text}"}, **extra)


def gateway_error(
    status: int, code: GatewayCode, text: str, body: GatewayBody, retry_after: int | None = None
) -> Response:
    """Return an error of the gateway, with ``more info``, ``moreInfo`` or no body at all."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if body is GatewayBody.EMPTY:
        return Response(status, content_type="", headers=headers)
    more = "more info" if body is GatewayBody.DOCUMENTED else "moreInfo"
    value = {"developerMessage": text, "userMessage": "", "errorCode": code.value, more: _MORE}
    return Response.json(status, value, **{name.replace("-", "_"): one for name, one in headers.items()})


def token_error(status: int, name: str, text: str, style: TokenError, code: GatewayCode) -> Response:
    """Return an error of the token endpoint.

    :param name: the error's name of RFC 6749, for instance ``invalid_grant``
    """
    if style is TokenError.RFC6749:
        return Response.json(status, {"error": name, "error_description": text}, Cache_Control="no-store")
    value = {"developerMessage": f"{name}: {text}", "userMessage": "", "errorCode": code.value, "more info": _MORE}
    return Response.json(status, value, Cache_Control="no-store")


MINUTE = 60.0


class Quota:
    """Counts the requests of each user, all apps together. A refused request costs nothing.

    The documented limit, 5 a minute on the average of 8 hours plus one burst of 50, is a bucket of 50 that fills at 5 a
    minute.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        self._recent: dict[str, deque[float]] = {}

    def wait(self, who: str, now: float, limit: RateLimit, per_minute: int, burst: int) -> int:
        """Take one request of a user.

        :param who: the user
        :param now: seconds
        :return: 0, or after how many seconds to come again
        """
        match limit:
            case RateLimit.OFF:
                return 0
            case RateLimit.PLAIN:
                return self._plain(who, now, per_minute)
            case RateLimit.DOCUMENTED:
                return self._bucket(who, now, per_minute, burst)

    def _plain(self, who: str, now: float, per_minute: int) -> int:
        recent = self._recent.setdefault(who, deque())
        while recent and (recent[0] <= now - MINUTE or recent[0] > now):
            recent.popleft()
        if len(recent) >= per_minute:
            return max(1, math.ceil(recent[0] + MINUTE - now))
        recent.append(now)
        return 0

    def _bucket(self, who: str, now: float, per_minute: int, burst: int) -> int:
        left, at = self._buckets.get(who, (float(burst), now))
        left = min(float(burst), left + max(0.0, now - at) * per_minute / MINUTE)
        if left < 1:
            self._buckets[who] = (left, now)
            return max(1, math.ceil((1 - left) * MINUTE / per_minute))
        self._buckets[who] = (left - 1, now)
        return 0
