"""The API of Acme Orders."""

from __future__ import annotations

from dataclasses import dataclass

from nightshift.acme.source import ACME
from nightshift.http.address import segment
from nightshift.http.hook import VendorHook


@dataclass(frozen=True, kw_only=True)
class OrdersRequest:
    """What is asked of a report.

    :param night: the day, ``YYYY-MM-DD``
    :param page_size: rows a page
    """

    night: str
    page_size: int = 100


class AcmeHook(VendorHook):
    """Asynchronous client; use as ``async with AcmeHook() as hook``. Login and password are the connection's."""

    conn_name_attr = "acme_conn_id"
    default_conn_name = ACME.default_connection
    conn_type = ACME.type
    hook_name = vendor = ACME.name
    own_extras = ACME.extras

    def request_of(self, night: str, page_size: int | None = None) -> OrdersRequest:
        """Return a request as given, else as the connection says."""
        return OrdersRequest(night=night, **self.chosen("page_size", page_size=page_size))

    async def page(self, report: str, request: OrdersRequest, number: int) -> tuple[bytes, int, bool]:
        """Return a page as received, the number of its rows, and whether there is another."""
        params = {"day": request.night, "size": str(request.page_size), "page": str(number)}
        response = await self.request("GET", f"/reports/{segment(report)}", params=params, check=lambda one: one.json())
        body = response.json()
        return response.body, len(body["data"]), body["more"]

    async def check(self) -> str:
        """Ask for the list of reports."""
        return f"Signed in to {ACME.name}: {', '.join((await self.request('GET', '/reports')).json())}"
