"""The connection to one FlexDeploy server: where it is, how it is signed in to, which version is spoken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from nightshift.errors import NotFound, Rejected, Unreachable
from nightshift.flexdeploy.model import DETAIL_KEYS, Row, Rows, row_of, rows_of
from nightshift.flexdeploy.routes import Call, Routes, read_routes
from nightshift.flexdeploy.source import FLEXDEPLOY
from nightshift.flexdeploy.vocabulary import DEFAULT_CONN, VENDOR, ApiVersion
from nightshift.http.address import segment
from nightshift.http.credentials import basic
from nightshift.http.hook import VendorHook
from nightshift.http.response import Response
from nightshift.redaction import redact_quote

_REST = re.compile(r"/rest(?:/v\d+)?\Z", re.IGNORECASE)
_NO_SUCH_PROJECT = "nightshift-connection-test"
_CONTEXT_ADVICE = (
    "Put the root with its context path into the host of the Airflow connection, such as "
    "https://fd.example.com/flexdeploy; and check the extra api_version."
)


class FlexDeployApi(VendorHook):
    """The part of :class:`~nightshift.flexdeploy.hook.FlexDeployHook` that all its calls stand on."""

    conn_name_attr = "flexdeploy_conn_id"
    default_conn_name = DEFAULT_CONN
    conn_type = FLEXDEPLOY.type
    hook_name = FLEXDEPLOY.name
    vendor = VENDOR
    detail_keys = DETAIL_KEYS
    own_extras = FLEXDEPLOY.extras
    advice: ClassVar[dict[int, str]] = {
        400: "FlexDeploy calls the request wrong: check ids, inputs and FlexFields of this task; codes are not "
        "display names.",
        401: "Correct login and password of the Airflow connection. An API token goes into the password, next to its "
        "user's login; a user of an SSO realm needs a token.",
        403: "Give the user of the Airflow connection access to this project, folder or environment in FlexDeploy; "
        "for an SSO user only groups that are mapped in FlexDeploy itself count. Then clear the task.",
        404: "Check the ids of this task, and the context path in the host of the Airflow connection "
        "(https://fd.example.com/flexdeploy).",
    }

    def base_host(self, host: str) -> str:
        """Return the root: without slashes and back slashes at its end, and without ``/rest/v1``."""
        return _REST.sub("", host.rstrip("/\\ ")).rstrip("/\\ ")

    async def opening(self) -> None:
        """Read which version is spoken, and which routes differ."""
        self.version: ApiVersion = _version(self.extra("api_version", ApiVersion.V1))
        self.routes: Routes = read_routes(self.version, self.extra("paths"))
        if token := self.extra("token"):
            await self.keep_secret(basic(self.login, str(token))["Authorization"].removeprefix("Basic "))

    async def authorize(self) -> Mapping[str, str]:
        """Sign in with Basic: login, and password or API token (section 1.3).

        :raises Rejected: the connection lacks one of them
        """
        secret = self.extra("token") or self.password
        if not self.login or not secret:
            raise Rejected(
                f"the Airflow connection {self.conn_id} has no {'password or API token' if self.login else 'login'}",
                vendor=VENDOR,
                advice="Nothing was sent. Put a FlexDeploy user into login, and its password or API token into "
                "password.",
            )
        return basic(self.login, str(secret))

    async def check(self) -> str:
        """Make a call that finds nothing: the cheapest that needs the sign-in (section 1.3 for v2)."""
        try:
            if self.version is ApiVersion.V1:
                await self.rows("/rest/v1/project", {"projectName": _NO_SUCH_PROJECT}, "projects")
            else:
                await self.request("GET", "/rest/v2/workflowrequest/1")
        except NotFound as error:
            if "workflowrequest not found" not in error.detail.lower():
                raise error.replaced(advice=_CONTEXT_ADVICE) from None
        except Unreachable as error:
            if self.version is ApiVersion.V1 or "java.lang.NullPointerException" not in error.detail:
                raise
        return f"Signed in to FlexDeploy at {self.base_url}; API {self.version}"

    def page_of(self, request_id: str) -> str:
        """Return the address of a workflow request, for a person.

        The pages of FlexDeploy's own interface are not published: the extra ``request_page`` names them, as
        ``https://fd.example.com/flexdeploy/…{id}`` or as a path under the root. Without it, this is the request in the
        API, which a browser opens too.
        """
        template = str(self.extra("request_page", ""))
        if not template:
            return f"{self.base_url}{self.routes.need(Call.REQUEST).path(id=request_id)}"
        filled = template.replace("{id}", segment(request_id))
        return filled if "://" in filled else f"{self.base_url}/{filled.lstrip('/')}"

    def clean(self, text: str) -> str:
        """Return the vendor's words without secrets, those of the connection among them."""
        return redact_quote(text)

    async def rows(self, path: str, params: Mapping[str, Any] | None = None, *wrappers: str) -> Rows:
        """Return the rows of any list, as the vendor gives them, however they are wrapped.

        :param path: path under the root, each foreign part through :func:`nightshift.http.address.segment`
        :param params: query; ``None`` leaves one out
        :param wrappers: keys under which the list may come, besides ``items``
        """
        return rows_of(await self.request("GET", path, params=params), *wrappers)

    async def row(self, path: str, params: Mapping[str, Any] | None = None) -> Row:
        """Return one object, as the vendor gives it."""
        return row_of(await self.request("GET", path, params=params))

    async def change(self, method: str, path: str, body: Any = None, *, safe: bool = False) -> Row:
        """Change something, and return what the vendor says of it, empty where it says nothing.

        :param safe: doing it twice is the same as doing it once
        :raises Ambiguous: no clear answer came; it may or may not have been done
        """
        response: Response = await self.request(method, path, json=body, safe=safe)
        # Some of these calls answer with a word, or with nothing; what counts is the status.
        if not response.body.strip() or response.body.lstrip()[:1] not in (b"{", b"["):
            return {}
        found = rows_of(response)
        return found[0] if found else {}


def _version(given: Any) -> ApiVersion:
    plain = str(given).strip().lower()
    found = next((one for one in ApiVersion if plain in (one.value, one.value[1:])), None)
    if found is None:
        raise Rejected(
            f"the extra 'api_version' of the Airflow connection is {given!r}; known: {', '.join(ApiVersion)}",
            vendor=VENDOR,
            advice="Nothing was sent. Correct the extra in the Airflow connection.",
        )
    return found
