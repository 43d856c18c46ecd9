"""Error answers: the service's own and the gateway's in front of it (reference 5.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from include.standins.calls import Reply
from include.standins.tokenflex.switches import GatewayBody, TokenError

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


def service_error(status: int, text: str, retry_after: int | None = None) -> Reply:
    """Return an error of Token Flex itself: ``{"Code": …, "Message": …}``."""
    code = _SERVICE.get(status, "Error")
    extra = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return Reply.json(status, {"Code": code, "Message": f"{code}: {text}"}, **extra)


def gateway_error(
    status: int, code: GatewayCode, text: str, body: GatewayBody, retry_after: int | None = None
) -> Reply:
    """Return an error of the gateway, with ``more info``, ``moreInfo`` or no body at all."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if body is GatewayBody.EMPTY:
        return Reply(status, content_type="", headers=headers)
    more = "more info" if body is GatewayBody.DOCUMENTED else "moreInfo"
    value = {"developerMessage": text, "userMessage": "", "errorCode": code.value, more: _MORE}
    return Reply.json(status, value, **{name.replace("-", "_"): one for name, one in headers.items()})


def token_error(status: int, name: str, text: str, style: TokenError, code: GatewayCode) -> Reply:
    """Return an error of the token endpoint.

    :param name: the error's name of RFC 6749, for instance ``invalid_grant``
    """
    if style is TokenError.RFC6749:
        return Reply.json(status, {"error": name, "error_description": text}, Cache_Control="no-store")
    value = {"developerMessage": f"{name}: {text}", "userMessage": "", "errorCode": code.value, "more info": _MORE}
    return Reply.json(status, value, Cache_Control="no-store")
