"""Signed download URLs in the manner of S3: whoever holds one can read the file until it expires (reference 4.2)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

SECRET_QUERY: Final = frozenset({"X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential"})
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class Verdict(StrEnum):
    """What a signature is worth."""

    GOOD = "good"
    MISSING = "missing"
    FORGED = "forged"
    EXPIRED = "expired"


class Signer:
    """Signs paths and checks what it signed.

    :param seed: of the stand-in; the key is derived from it
    """

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(f"tokenflex downloads {seed}".encode()).digest()

    def signed(self, path: str, at: datetime, seconds: float) -> str:
        """Return path and query of a URL.

        :param path: as it stands in the URL
        :param at: begin of its life, cut to whole seconds
        :param seconds: length of its life
        """
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"ASIASTANDIN/{at:%Y%m%d}/us-east-1/s3/aws4_request",
            "X-Amz-Date": at.astimezone(UTC).strftime(_STAMP),
            "X-Amz-Expires": f"{seconds + at.microsecond / 1e6:.6f}",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Security-Token": hashlib.sha256(self._key + path.encode()).hexdigest(),
        }
        return f"{path}?{urlencode({**query, 'X-Amz-Signature': self._signature(path, query)})}"

    def verdict(self, path: str, query: Mapping[str, str], now: datetime) -> Verdict:
        if "X-Amz-Signature" not in query:
            return Verdict.MISSING
        rest = {name: value for name, value in query.items() if name != "X-Amz-Signature"}
        if not hmac.compare_digest(self._signature(path, rest), query["X-Amz-Signature"]):
            return Verdict.FORGED
        begins = datetime.strptime(rest["X-Amz-Date"], _STAMP).replace(tzinfo=UTC)
        return Verdict.GOOD if now < begins + timedelta(seconds=float(rest["X-Amz-Expires"])) else Verdict.EXPIRED

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        text = "\n".join([path, *(f"{name}={query[name]}" for name in sorted(query))])
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
