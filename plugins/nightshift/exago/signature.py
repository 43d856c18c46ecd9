"""The signed form of Exago's authorization, ``ExagoKey`` (Exago reference, section 1.2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from email.utils import format_datetime

import msgspec


class Signed(msgspec.Struct, frozen=True):
    """What of a request goes into its signature, besides the date.

    :param method: HTTP method
    :param path: absolute path as sent, without the query
    :param length: Content-Length as sent; empty where none is
    :param content_type: Content-Type as sent
    :param sid: the session; empty where none is
    """

    method: str
    path: str
    length: str
    content_type: str
    sid: str

    def headers(self, user: str, key: str, now: datetime) -> dict[str, str]:
        """Return the headers that authorize the request; the server refuses a date that is 15 minutes old.

        :param user: user id; may be empty
        :param key: the REST key
        :param now: the present, in UTC
        """
        date = format_datetime(now, usegmt=True)
        parts = (self.method, self.path, self.length, self.content_type, "", self.sid, date)
        text = "".join(f"{part}\n" for part in parts)
        digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
        return {
            "Authorization": f"ExagoKey {user}:{base64.b64encode(digest).decode('ascii')}",
            "X-Exago-Date": date,
        }
