"""Bring a night of an Acme report to the landing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightshift.acme.source import ACME
from nightshift.lake.extract import Manifest, Progress
from nightshift.nights.extract import ExtractOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.lake.landing import ExtractFolder


class AcmeExtractOperator(ExtractOperator):
    """Bring one night of one report home.

    :param page_size: rows a page; default: the connection's
    :param acme_conn_id: id of the Airflow connection
    """

    source = ACME.type

    def __init__(
        self, *, page_size: int | None = None, acme_conn_id: str = ACME.default_connection, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.page_size = page_size
        self.acme_conn_id = acme_conn_id

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Land every page."""
        from nightshift.acme.hook import AcmeHook

        entries, more = [], True
        async with AcmeHook(self.acme_conn_id) as hook:
            request = hook.request_of(self.night, self.page_size)
            progress = await self.going_on(folder, progress, context, {**hook.asked_of, "request": request})
            while more:
                body, rows, more = await hook.page(self.report, request, len(entries) + 1)
                entries.append(await folder.write(len(entries) + 1, body, rows))
        return self.manifest_of(entries, progress, context, format="json")
