"""The public API of Camunda Optimize for Camunda 7 (Camunda Optimize reference, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from nightshift.camunda_optimize.page import (
    ContextLost,
    ResultPage,
    ResultRequest,
    bad_page,
    read_page,
)
from nightshift.camunda_optimize.source import CAMUNDA_OPTIMIZE
from nightshift.errors import Ambiguous, BadResponse, NotFound, Rejected, Unreachable, VendorError
from nightshift.http.hook import VendorHook
from nightshift.http.response import Response

AUTH_FORMS = ("bearer", "header", "query")
ANY_STATUS = range(200, 600)
NO_SEARCH = "nightshift-no-search"
"""Names no search: what a page is asked for with to see whether that is heeded."""


class CamundaOptimizeHook(VendorHook):
    """Asynchronous client of the public API; use as ``async with CamundaOptimizeHook() as hook``.

    The connection: host ``https://optimize.example.com`` with its context path; password = access token. Extras:
    ``auth_form`` (``bearer``, the default; ``header``: the bare token, up to 3.7; ``query``: the parameter
    ``access_token``, which ends in access logs), ``limit`` and ``pagination_timeout`` (where a report does not say, see
    :class:`~nightshift.camunda_optimize.page.ResultRequest`), and those of :class:`nightshift.http.hook.VendorHook`.

    :param camunda_optimize_conn_id: id of the Airflow connection
    """

    conn_name_attr = "camunda_optimize_conn_id"
    default_conn_name = CAMUNDA_OPTIMIZE.default_connection
    conn_type = CAMUNDA_OPTIMIZE.type
    hook_name = vendor = CAMUNDA_OPTIMIZE.name
    own_extras = CAMUNDA_OPTIMIZE.extras
    advice: ClassVar[Mapping[int, str]] = {
        400: "Optimize calls the request wrong: a combined report cannot be exported, a page has at most 10000 "
        "records, a search is kept for at least 60 s.",
        401: "The access token is wrong or Optimize has none configured (api.accessToken): correct the connection.",
        404: "There is no such report: check report_id in reports.yaml, and the host and context path of the "
        "connection.",
    }

    async def authorize(self) -> Mapping[str, str]:
        """Return the token as the connection wants it sent."""
        form = self._auth_form()
        if not self.password or form == "query":
            return {}
        return self.bearer(self.password) if form == "bearer" else {"Authorization": self.password}

    def request_of(self, report_id: str, **given: int | None) -> ResultRequest:
        """Return what is asked of a report: as given, else as the connection says.

        :raises Rejected: a parameter is outside what the vendor documents
        """
        chosen = self.chosen("limit", "pagination_timeout", **given)
        try:
            numbers = {name: int(value) for name, value in chosen.items()}
        except ValueError:
            raise Rejected(f"a whole number is due in {chosen}", vendor=self.vendor) from None
        return ResultRequest(report_id=report_id, **numbers)

    async def result_page(
        self, report_id: str, *, number: int = 1, search_request_id: str | None = None, limit: int | None = None
    ) -> ResultPage:
        """Fetch one page of a report's result.

        The first page is asked for again where it does not come, or is no page: HTML, cut, or without records where the
        answer counts some. A later page is asked for once only: a page that may have been consumed cannot be read
        again.

        :param report_id: id of the report
        :param number: page number, from 1
        :param search_request_id: of the answer before; required from page 2 on
        :param limit: records a page, 1 to 10000; counts on the first page only
        :raises ContextLost: from page 2 on, whatever kept the page from coming: start over
        :raises VendorError: page 1; typed by what went wrong
        """
        request = self.request_of(report_id, limit=limit)
        path, later = request.path, search_request_id is not None
        params = {**request.params(search_request_id), **self._token_parameter()}
        try:
            found: list[ResultPage] = []

            def read(response: Response) -> None:
                page = read_page(number, response.body, path=path, charset=response.charset)
                if not later and not page.is_value and not page.rows and page.total:
                    raise bad_page(number, path, f"has no records and speaks of {page.total}")
                found.append(page)

            await self.request("GET", path, params=params, safe=not later, check=read)
            return found[-1]
        except (Ambiguous, BadResponse, NotFound, Rejected, Unreachable) as error:
            if not later:
                raise
            raise error.as_type(
                ContextLost,
                problem=f"page {number} did not come ({type(error).__name__}: {error.problem})",
                advice="Nothing was published. Clear the task to export anew; if it lasts, ask Optimize's log about "
                "the search.",
            ) from None

    async def heeds_search(self, report_id: str) -> bool:
        """Return whether the vendor heeds the search that a page is asked for with: one that nobody has begun has no
        records (section 4.2). Where no answer comes, or one that says nothing of it, it is taken to.
        """
        request = self.request_of(report_id, limit=1)
        params = {**request.params(NO_SEARCH), **self._token_parameter()}
        try:
            response = await self.request("GET", request.path, params=params, ok=ANY_STATUS)
            return response.status != 200 or not read_page(1, response.body, path=request.path).rows
        except VendorError:
            return True

    async def report_ids(self, collection_id: str) -> list[str]:
        """Return the ids of the reports of a collection."""
        params = {"collectionId": collection_id, **self._token_parameter()}
        found = (await self.request("GET", "/api/public/report", params=params)).json(list[dict[str, Any]])
        return [str(entry["id"]) for entry in found if "id" in entry]

    async def is_ready(self) -> bool:
        """Return whether Optimize reaches its database and an engine; asked without credentials, as it wants."""
        response = await self.request("GET", "/api/readyz", credentials=False, ok={200, 503}, accept="*/*")
        return response.status == 200

    async def check(self) -> str:
        """Ask for readiness, then for a report that does not exist: only a good token is told that it does not."""
        if not await self.is_ready():
            raise Unreachable(
                "it is not ready: it does not reach its database or no engine", vendor=CAMUNDA_OPTIMIZE.name
            )
        params = {"collectionId": "nightshift-test", **self._token_parameter()}
        with suppress(NotFound, Rejected):
            await self.request("GET", "/api/public/report", params=params)
        return "Camunda Optimize is ready and takes the access token"

    def _auth_form(self) -> str:
        form = str(self.extra("auth_form", "bearer"))
        if form not in AUTH_FORMS:
            raise Rejected(
                f"the extra auth_form is {form!r}; valid: {', '.join(AUTH_FORMS)}", vendor=CAMUNDA_OPTIMIZE.name
            )
        return form

    def _token_parameter(self) -> dict[str, str]:
        return {"access_token": self.password} if self.password and self._auth_form() == "query" else {}
