"""A plain client of the Token Flex stand-in: standard library only, so that nothing of ours is on both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from include.standins.tokenflex import BEARER, TokenFlexStandIn
from tests.contract.standins.client import Answer, ask, basic

EXAMPLES = Path(__file__).parents[4] / "include/standins/tokenflex/examples"
CONTRACT = "110000917988"
DAILY: dict[str, Any] = {
    "fields": ["usageDate", "productName", "userName"],
    "metrics": ["tokensConsumed"],
    "usageCategory": ["DESKTOP_PRODUCT"],
    "where": "usageDate >= '2026-11-20' and usageDate < '2026-11-21'",
    "downloadFileName": "nightly 2026-11-20",
}
SESSIONS: dict[str, Any] = {
    **DAILY,
    "fields": ["usageDate", "chargedItemID", "productName", "userName"],
    "downloadFileName": "sessions",
}
CALLBACK = "http://127.0.0.1:9/callback"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


class Caller:
    """Somebody with an access token."""

    def __init__(self, vendor: TokenFlexStandIn, token: str = BEARER) -> None:
        self.vendor = vendor
        self.token = token

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        url = f"{self.vendor.url}/tokenflex/v1{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self.token}"}
        sent = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return ask(url, method=method, headers=headers, body=sent)

    def export(self, body: Any = None, contract: str = CONTRACT) -> Answer:
        return self.call("POST", f"/export/{contract}/requests", DAILY if body is None else body)

    def exported(self, **changes: Any) -> str:
        answer = self.export({**DAILY, **changes})
        assert answer.status == 200, answer.body
        return str(answer.json["requestKey"])

    def look(self, key: str, suffix: str = "", method: str = "GET", contract: str = CONTRACT) -> Answer:
        return self.call(method, f"/export/{contract}/requests/{quote(key, safe='')}{suffix}")

    def listed(self, begins: str = "2026-01-01", ends: str = "2027-01-01", contract: str = CONTRACT) -> Answer:
        return self.call("GET", f"/export/{contract}/requests", fromDate=begins, toDate=ends)

    def ready(self, body: Any = None) -> tuple[str, str]:
        """Make an export, let it become ready, return its key and its signed URL."""
        key = str(self.export(body).json["requestKey"])
        self.vendor.clock.advance(self.vendor.switches.processing_seconds)
        return key, str(self.look(key).json["downloadUrl"])

    def file(self, **changes: Any) -> bytes:
        """Return the file of an export."""
        _, url = self.ready({**DAILY, **changes})
        answer = ask(url)
        assert answer.status == 200, answer.body
        return answer.body


class App:
    """A client of the OAuth server."""

    def __init__(self, vendor: TokenFlexStandIn, name: str = "nightshift", secret: str = "standin-tokenflex") -> None:
        self.vendor = vendor
        self.name = name
        self.secret = secret

    def authorize(self, **changes: str | None) -> Answer:
        query = {
            "response_type": "code",
            "client_id": self.name,
            "redirect_uri": CALLBACK,
            "scope": "data:read data:write",
            "state": "s t&te",
            **changes,
        }
        given = {name: value for name, value in query.items() if value is not None}
        return ask(f"{self.vendor.url}/authentication/v2/authorize?{urlencode(given)}")

    def code(self, **changes: str | None) -> str:
        """Return a code; the switch ``auto_allow`` has to be on."""
        return came_back(self.authorize(**changes))["code"]

    def token(self, *, header: bool = True, path: str = "/authentication/v2/token", **form: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if header:
            headers["Authorization"] = basic(self.name, self.secret)
        return ask(f"{self.vendor.url}{path}", method="POST", headers=headers, body=urlencode(form).encode())

    def signed_in(self, **changes: str | None) -> dict[str, Any]:
        """Return the tokens of a new consent."""
        answer = self.token(grant_type="authorization_code", code=self.code(**changes), redirect_uri=CALLBACK)
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def refresh(self, token: str, **form: str) -> Answer:
        return self.token(header=True, grant_type="refresh_token", refresh_token=token, **form)


def came_back(answer: Answer) -> dict[str, str]:
    """Return what a redirect to the callback carries."""
    assert answer.status == 302, answer.body
    location = answer.headers["Location"]
    assert location.startswith(CALLBACK + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
