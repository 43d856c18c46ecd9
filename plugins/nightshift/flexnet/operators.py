"""Bring a night of a FlexNet report to the landing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import Context

from nightshift.errors import BadResponse, NotFound, Rejected, Unreachable, VendorError
from nightshift.fields import nearest
from nightshift.flexnet.query import check_query
from nightshift.flexnet.request import USUAL
from nightshift.flexnet.source import FLEXNET
from nightshift.flexnet.walk import Walk, steady_walk
from nightshift.flexnet.window import (
    AUTO,
    EXCLUSIVE,
    NEITHER,
    UNKNOWN,
    Answer,
    DayWindow,
    accepted,
    find_window,
    window_of,
)
from nightshift.lake.extract import CHARSET, DATA_KEY, DELIMITER, ON_TWO_PAGES, QUOTE, Progress
from nightshift.lake.landing import Manifest
from nightshift.lake.spec import CsvSpec, PublishSpec
from nightshift.nights.extract import ExtractOperator

if TYPE_CHECKING:
    from nightshift.flexnet.hook import FlexNetHook
    from nightshift.flexnet.request import ReportRequest
    from nightshift.lake.landing import ExtractFolder
    from nightshift.lake.spec import Column


PAGES_KEPT_HOURS = 3.0
"""How old a landed page may be that an attempt goes on with: the vendor refreshes its reports as often (FlexNet
reference, section 4.1).
"""


class FlexNetExtractOperator(ExtractOperator):
    """Bring one night of one report home: all its pages, as received.

    The pages of an interrupted attempt are gone on with when it asked for the same no longer than three hours ago, the
    first and the last of them are what they were when the vendor is asked for them once more, and its totals still
    agree; else, and when the report changes under the walk (totals or columns that move, rows that come twice), the
    walk starts over, three times at most.

    What is ``None`` counts as the connection says, and where it does not, as
    :class:`~nightshift.flexnet.request.ReportRequest`, :class:`~nightshift.flexnet.page.PageNames` and
    :class:`~nightshift.lake.spec.CsvSpec` have it.

    :param report: the vendor's group; also the name in the lake
    :param mode: ``interactive`` (page count known, pages side by side) or ``batch``
    :param format: ``json`` or ``csv``
    :param page_size: rows a page, 1 to 2500
    :param query: filter of the group, an object with the vendor's operators
    :param key: columns that identify a row; with them, rows that come on two pages are noticed, and the first line of
        CSV is known for a header
    :param columns: names of further columns that are known, besides those of the vendor's data model: without a key the
        first line of CSV has to have one of them
    :param date_to: ``inclusive`` or ``exclusive``: how the vendor reads ``dateTo``; default: ``auto``, it is asked
    :param window_overlap_days: days asked for on either side of the night; default: none
    :param pages_in_flight: pages asked for at a time
    :param data_key: key of the rows in a JSON page
    :param charset: character set of CSV; before the default comes what the answers name
    :param delimiter: between the fields of CSV
    :param quote: around the fields of CSV
    :param flexnet_conn_id: id of the Airflow connection
    """

    source = FLEXNET.type
    template_fields = (*ExtractOperator.template_fields, "query")

    def __init__(
        self,
        *,
        mode: str | None = None,
        format: str | None = None,  # noqa: A002 - the vendor's word
        page_size: int | None = None,
        query: Mapping[str, Any] | None = None,
        key: Sequence[str] = (),
        columns: Sequence[str] = (),
        date_to: str | None = None,
        window_overlap_days: int | None = None,
        pages_in_flight: int | None = None,
        data_key: str | None = None,
        charset: str | None = None,
        delimiter: str | None = None,
        quote: str | None = None,
        flexnet_conn_id: str = FLEXNET.default_connection,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.query = query
        self.asked = {"mode": mode, "format": format, "page_size": page_size, "key": tuple(key)}
        self.columns = tuple(columns)
        self.date_to = None if date_to == AUTO else date_to
        self.window_overlap_days = window_overlap_days or 0
        self.pages_in_flight = pages_in_flight
        self.read_as = {"data_key": data_key, "charset": charset, "delimiter": delimiter, "quote": quote}
        self.flexnet_conn_id = flexnet_conn_id

    def asked_for(self) -> dict[str, Any]:
        """Return what of the configuration decides which rows come."""
        window = {"date_to": self.date_to, "window_overlap_days": self.window_overlap_days}
        return {**super().asked_for(), "mode": self.asked["mode"], "query": self.query or None, **window}

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Land every page of the night."""
        from nightshift.flexnet.hook import FlexNetHook

        read_as: dict[str, Any] = {name: value for name, value in self.read_as.items() if value is not None}
        async with FlexNetHook(self.flexnet_conn_id, **read_as) as hook:
            try:
                progress = await self.going_on(folder, progress, context, self._asked(hook), PAGES_KEPT_HOURS)
                if unknown := check_query(self.query or {}):
                    self.log.warning("Not documented, and sent as they are: the operators %s", ", ".join(unknown))
                model = await self._model(hook)
                self.asked["columns"] = (*self.columns, *(column.name for column in model or ()))
                window, walk = await self._walked(hook, folder, progress, context)
                request = self._request(hook, window)
            except (NotFound, Rejected) as error:
                raise await self._explained(hook, error) from None
        return self.manifest_of(
            walk.entries,
            progress,
            context,
            format="csv" if request.is_csv else "json",
            window=asdict(window),
            request=request.params(1),
            vendor_totals=walk.vendor_totals,
            model=model,
            notes=_notes(walk, hook, is_csv=request.is_csv),
        )

    async def _explained(self, hook: FlexNetHook, error: NotFound | Rejected) -> VendorError:
        """Return the error of a report that the vendor does not know with what it knows instead; any other as it is."""
        try:
            known = await hook.report_names()
        except VendorError:
            return error
        if not known or self.report in known:
            return error
        return error.replaced(
            problem=f"there is no report {self.report!r}{nearest(self.report, known)}",
            advice=f"Nothing was landed. This user sees: {', '.join(sorted(known))}. Correct the name in reports.yaml, "
            "or give the user the report, then clear the task.",
        )

    def _asked(self, hook: FlexNetHook) -> dict[str, Any]:
        """Return all that decides which rows come and how pages are cut; how they are read does not, as landed pages
        are read anew.
        """
        return {
            **hook.asked_of,
            "path": hook.report_path(self.report),
            "params": self._request(hook).params(1),
            "date_to": self.date_to,
            "window_overlap_days": self.window_overlap_days,
        }

    def _request(self, hook: FlexNetHook, window: DayWindow | None = None) -> ReportRequest:
        days = {"date_from": window.date_from, "date_to": window.date_to} if window is not None else {}
        return hook.request_of(self.report, query=self.query or None, **days, **self.asked)

    async def _model(self, hook: FlexNetHook) -> list[Column] | None:
        try:
            return await hook.report_columns(self.report)
        except (NotFound, BadResponse) as error:
            self.log.warning(
                "The vendor gives no data model of %s (%s); column types come from the table and the values",
                self.report,
                error,
            )
            return None

    async def _walked(
        self, hook: FlexNetHook, folder: ExtractFolder, progress: Progress, context: Context
    ) -> tuple[DayWindow, Walk]:
        """Walk over the window of the night, and return both.

        Only a window that is set or was proved is kept for the attempts to come. Where no answer proved one, the night
        was empty when the vendor was asked: the walk is believed as long as it finds no rows; else it is asked again.

        :raises BadResponse: rows came, and none are there when the vendor is asked again
        """
        window: DayWindow | None = DayWindow(**progress.plan) if progress.plan else None
        if window is None:
            # What is landed was walked over before there was proof.
            await folder.begin_again()
            window = await self._window(hook)
        if window is None:
            unknown = window_of(self.night, UNKNOWN)
            walk = await steady_walk(hook, self._request(hook, unknown), folder, self.pages_in_flight)
            if not walk.rows:
                return unknown, walk
            self.log.info("Rows have come since the vendor was asked how it reads dateTo; it is asked again")
            if (window := await self._window(hook)) is None:
                raise self._without_proof(hook, walk.rows)
            if (window.date_from, window.date_to) == (unknown.date_from, unknown.date_to):
                return window, walk
            self.log.warning("These rows are not those of the night alone; starting over")
            await folder.begin_again()
        if not progress.plan:
            self.remember(context, msgspec.structs.replace(progress, plan=asdict(window)))
        return window, await steady_walk(hook, self._request(hook, window), folder, self.pages_in_flight)

    async def _window(self, hook: FlexNetHook) -> DayWindow | None:
        """Return the window of the night as it is set or as the vendor's answers prove it; ``None``: they prove none."""
        if self.date_to is not None or self.window_overlap_days:
            return window_of(self.night, self.date_to or EXCLUSIVE, self.window_overlap_days)

        async def ask(date_from: str, date_to: str, **how: Any) -> Answer:
            days = DayWindow(date_from=date_from, date_to=date_to, date_to_is=UNKNOWN)
            request = replace(self._request(hook, days), page_size=1, **how)
            try:
                page = await hook.report_page(request)
                if page.rows == 0 and page.whole_rows != 0:
                    page = await hook.report_page(request)
            except (BadResponse, NotFound, Rejected, Unreachable) as error:
                raise _of_date_to(error, days) from None
            return Answer(page.rows > 0, page.total_rows if page.rows else 0)

        async def count(date_from: str, date_to: str) -> Answer:
            """Ask for what comes with a count: JSON in interactive mode."""
            try:
                return await accepted(ask(date_from, date_to, **USUAL, key=()))
            except (BadResponse, NotFound, Rejected) as error:
                self.log.info("How many rows there are is not known (%s)", error)
                return Answer(has_rows=False)

        window = await find_window(self.night, lambda first, last: accepted(ask(first, last)), count)
        if window is not None and window.date_to_is == NEITHER:
            raise self._of_neither_reading(hook)
        if window is None:
            self.log.info(
                "The night has no rows, so how the vendor reads dateTo is not known; it is looked at once more"
            )
        else:
            asked_for = window.date_to_is, window.date_from, window.date_to
            self.log.info("The vendor reads dateTo as %s; asking for %s to %s", *asked_for)
        return window

    def _of_neither_reading(self, hook: FlexNetHook) -> BadResponse:
        return BadResponse(
            f"how the vendor reads dateTo is not known: it has more rows of {self.night} and the day after it together "
            "than of each of them, as if dateTo ended with the first moment of its day",
            vendor=hook.vendor,
            method="GET",
            path=hook.report_path(self.report),
            advice="Nothing was published. In reports.yaml, set date_to: exclusive, and night_column for each report, so "
            "that rows of a midnight go to their night; or date_to: inclusive, if all of that day is part and the "
            "vendor's counts are wrong. Then clear the task.",
        )

    def _without_proof(self, hook: FlexNetHook, rows: int) -> BadResponse:
        return BadResponse(
            f"{rows} rows came, and of which day they are is not known: there are none when single days are asked for",
            vendor=hook.vendor,
            method="GET",
            path=hook.report_path(self.report),
            advice="Nothing was published. The warehouse may be being refreshed: clear the task when that is over; if it "
            "lasts, set date_to in reports.yaml.",
        )


def _of_date_to(error: VendorError, days: DayWindow) -> VendorError:
    """Return the error of a question about ``dateTo`` with the setting that makes it needless."""
    way_out = (
        f"How the vendor reads dateTo was being asked for, from {days.date_from} to {days.date_to}: if it fails at "
        "such a window alone, set date_to in reports.yaml, and it is not asked."
    )
    return error.replaced(advice=f"{error.advice} {way_out}")


def _notes(walk: Walk, hook: FlexNetHook, *, is_csv: bool) -> dict[str, str | int]:
    """Return what publish has to know of the walk: how pages are read, and rows that two walks both had twice."""
    notes: dict[str, str | int] = {}
    if is_csv:
        spec, usual = hook.csv_spec(), CsvSpec()
        notes |= {
            name: getattr(spec, name) for name in (DELIMITER, QUOTE) if getattr(spec, name) != getattr(usual, name)
        }
    elif (key := hook.page_names().data) != PublishSpec().data_key:
        notes[DATA_KEY] = key
    if walk.charset and walk.charset != "utf-8":
        notes[CHARSET] = walk.charset
    if walk.on_two_pages:
        notes[ON_TWO_PAGES] = walk.on_two_pages
    return notes
