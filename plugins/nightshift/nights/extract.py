"""Extract one night of one report to the landing: what every source has in common."""

from __future__ import annotations

import asyncio
import gc
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec
from airflow.sdk import BaseAsyncOperator, Context

from nightshift.errors import BeyondHorizon, VendorError
from nightshift.lake import objects
from nightshift.lake.errors import Completed, Damaged, PageTaken
from nightshift.lake.extract import ASKED, Manifest, Progress, asked_digest, describe, now_after
from nightshift.lake.landing import Landing, new_extract_id
from nightshift.metrics import Metric, count, took
from nightshift.nights.index import record_error
from nightshift.nights.place import lake_of_this_deployment
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from nightshift.lake.landing import ExtractFolder, PageEntry

STATE_KEY = "extract"


class ExtractOperator(BaseAsyncOperator):
    """Bring one night of one report from a vendor to the raw landing, as received, and write its manifest last.

    An attempt that was interrupted is gone on with where it asked for the same: pages that are landed are not fetched
    again. Clearing the task after its success fetches the night anew. Returns a small description of the extract
    (``source``, ``report``, ``night``, ``extract``, ``rows``, ``pages``, ``bytes``, ``sha256``, ``seconds``), never
    data.

    :param report: name of the report in the lake
    :param night: the night, ``YYYY-MM-DD``
    :param timezone: zone of the vendor's server time
    :param horizon_days: how many days back the vendor has data, ``None`` for no limit; an older night is taken from the
        landing when it is there
    :param force: ask the vendor even beyond its horizon
    """

    source: ClassVar[str]
    ui_color = "#e3f1e4"
    template_fields: Sequence[str] = ("report", "night", "force")

    def __init__(
        self,
        *,
        report: str,
        night: Any,
        timezone: str = "UTC",
        horizon_days: int | None = None,
        force: Any = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.report = report
        self.night = night
        self.timezone = timezone
        self.horizon_days = horizon_days
        self.force = force
        self._at: Progress | None = None

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Extract, or take what is landed where the vendor has the night no more."""
        landing = Landing(lake_of_this_deployment(), self.source, self.report, self.night)
        if self._is_beyond_horizon() and not self.force:
            return await self.from_landing(landing)
        began = time.monotonic()
        await objects.aprobe(landing.lake)
        progress = await self._progress(context, landing)
        folder = landing.extract(progress.extract, renewed=partial(self._renew, context))
        try:
            with imports_at_rest():
                manifest = await self._extracted(folder, progress, context)
        except Completed:
            # An attempt died before it could say so, or two were at work: of one that was held up, whatever it says,
            # Airflow hears nothing any more.
            return self._adopted(await folder.manifest(), context, began)
        except VendorError as error:
            error.complete(report=f"{self.report}, night {self.night}")
            where = landing.lake, self.source, self.report, self.night
            await asyncio.to_thread(record_error, *where, error, context)
            raise
        context["task_state_store"].delete(STATE_KEY)
        seconds = time.monotonic() - began
        self.log.info(
            "Night %s of %s/%s landed: %d rows, %d pages, %d bytes in %.1f s",
            self.night,
            self.source,
            self.report,
            manifest.rows,
            manifest.pages,
            manifest.bytes,
            seconds,
        )
        for metric, number in (
            (Metric.EXTRACT_ROWS, manifest.rows),
            (Metric.EXTRACT_BYTES, manifest.bytes),
            (Metric.EXTRACT_PAGES, manifest.pages),
        ):
            count(metric, number, source=self.source, report=self.report)
        took(Metric.EXTRACT_DURATION, seconds, source=self.source, report=self.report)
        return describe(manifest, seconds)

    async def _extracted(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Bring the extract about; in another folder where another attempt is at work in this one."""
        try:
            manifest = await self.extract(folder, progress, context)
        except PageTaken as taken:
            self.log.warning("%s", taken)
            await folder.begin_again()
            manifest = await self.extract(folder, self._at or progress, context)
        await folder.complete(manifest)
        return manifest

    def _adopted(self, manifest: Manifest, context: Context, began: float) -> dict[str, Any]:
        """Return what the task returns where another attempt has completed its extract."""
        self.log.info("The extract %s was completed by an attempt that did not come to say so", manifest.extract)
        context["task_state_store"].delete(STATE_KEY)
        return describe(manifest, time.monotonic() - began)

    @abstractmethod
    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Land every page and return the manifest, which is written after this returns.

        Before anything else, :meth:`going_on` is told what is asked for.

        :param folder: where the pages go; it may hold pages of an interrupted attempt
        :param progress: what is known of the attempts before this one
        """

    async def going_on(
        self,
        folder: ExtractFolder,
        progress: Progress,
        context: Context,
        asked: Mapping[str, Any],
        hours: float | None = None,
    ) -> Progress:
        """Return what is known of the attempts before this one, where they asked for the same; else the extract begins
        again, in another folder and with an empty plan: what one request brought is not mixed with what another brings.

        :param folder: as :meth:`extract` has it
        :param progress: likewise
        :param asked: all that decides which rows come and how pages are cut; a digest of it is kept
        :param hours: pages that may have landed longer ago are not gone on with; default: however old
        :raises Completed: an attempt before this one has completed what is asked for now; what it has is taken
        """
        digest = asked_digest(asked)
        if progress.begun and not progress.asked:
            # Nothing lands before it is known what is asked for.
            return self.remember(context, msgspec.structs.replace(progress, asked=digest))
        if progress.asked == digest:
            await folder.refuse_completed()
            landed = await folder.landed()
            if not landed or hours is None or not progress.is_older(hours):
                self.log.info("Going on with the extract %s of an interrupted attempt", progress.extract)
                return progress
            why = f"The pages of the interrupted attempt may be more than {hours:g} hours old"
        elif progress.asked:
            why = "The interrupted attempt asked for something else"
        else:
            why = "What the interrupted attempt asked for is not known"
        self.log.warning("%s; the extract begins again, and nothing of %s is taken", why, folder.path)
        await folder.begin_again(anyway=True)
        return self._keep(context, await self._begun(folder.landing, folder.extract_id, digest))

    def manifest_of(self, entries: Iterable[PageEntry], progress: Progress, context: Context, **more: Any) -> Manifest:
        """Return the manifest of these pages.

        :param more: what only this source knows: ``format``, ``window``, ``request``, ``vendor_totals``, ``model``,
            ``notes``; ``finished`` is now where it does not say otherwise, and never before an extract that was there
            when this one began
        """
        about = {
            "source": self.source,
            "report": self.report,
            "night": self.night,
            "extract": (self._at or progress).extract,
            "connection": getattr(self, f"{self.source}_conn_id"),
            "attempt": context["ti"].try_number,
            "started": progress.started,
            "finished": now_after(progress.after),
        }
        notes = {**more.pop("notes", {}), ASKED: self.asked_now()}
        return Manifest.of(entries, **{**about, **more}, notes=notes)

    def asked_for(self) -> dict[str, Any]:
        """Return what of the configuration decides which rows of a night come; a source adds what is its own. How they
        come, how they are read and who may fetch them is no part of it.
        """
        return {"connection": getattr(self, f"{self.source}_conn_id")}

    def asked_now(self) -> str:
        """Return the digest of what the configuration asks for."""
        return asked_digest(self.asked_for())

    def remember(self, context: Context, progress: Progress) -> Progress:
        """Keep the progress where the next attempt finds it, with the folder that the extract goes to by now."""
        at = self._at or progress
        return self._keep(context, msgspec.structs.replace(progress, extract=at.extract, begun=at.begun))

    def _renew(self, context: Context, extract_id: str) -> None:
        """Take note of another folder; Airflow refuses it to an attempt that is none any more, which ends it."""
        assert self._at is not None  # noqa: S101 - there is no folder before it
        self._keep(context, msgspec.structs.replace(self._at, extract=extract_id, begun=datetime.now(UTC).isoformat()))

    def _keep(self, context: Context, progress: Progress) -> Progress:
        context["task_state_store"].set(STATE_KEY, msgspec.to_builtins(progress))
        self._at = progress
        return progress

    async def _progress(self, context: Context, landing: Landing) -> Progress:
        """Return what is known of the extract, which an attempt before this one may have begun."""
        stored = context["task_state_store"].get(STATE_KEY, None)
        if stored is not None:
            progress = msgspec.convert(stored, Progress)
            if progress.night == self.night:
                self._at = progress
                return progress
        return self._keep(context, await self._begun(landing, new_extract_id()))

    async def _begun(self, landing: Landing, extract_id: str, asked: str = "") -> Progress:
        """Return the progress of an extract that begins now."""
        try:
            newest = await landing.latest()
        except Damaged as damaged:
            self.log.warning("Whether the clock of this worker is behind is not known: %s", damaged)
            newest = None
        now = datetime.now(UTC).isoformat()
        return Progress(
            extract=extract_id,
            night=self.night,
            started=now,
            plan={},
            after="" if newest is None else newest.finished,
            asked=asked,
            begun=now,
        )

    def beyond_horizon(self) -> tuple[str, str]:
        """Say why a night beyond the horizon cannot be brought home, and what to do; a source may know better."""
        return (
            f"the night {self.night} is beyond the {self.horizon_days} days that the vendor keeps, "
            f"and the landing has no complete extract of {self.report} for it",
            "The night cannot be brought home any more. If this tenant keeps more, set horizon_days in reports.yaml, "
            "or trigger the night with Force.",
        )

    def _is_beyond_horizon(self) -> bool:
        if self.horizon_days is None:
            return False
        return (datetime.now(ZoneInfo(self.timezone)).date() - date.fromisoformat(self.night)).days > self.horizon_days

    async def from_landing(self, landing: Landing) -> dict[str, Any]:
        """Return what the task returns where the night is beyond the vendor's horizon: its newest extract of what is
        asked for now is taken, or of an earlier release, which did not say what it asked for.

        :raises Rejected: there is none
        """
        manifest = await landing.asked_as(self.asked_now())
        if manifest is None:
            problem, advice = self.beyond_horizon()
            if (other := await landing.latest()) is not None:
                problem = (
                    f"the night {self.night} of {self.report} cannot be asked for any more, and what is landed of it "
                    f"was asked for as something else than reports.yaml asks for now ({other.asked_as})"
                )
                advice = (
                    "Nothing was published, and the table has the night as it was. Leave it so; or, if these rows are "
                    f"right all the same, `nightshift replay {self.source}/{self.report} --from {self.night} "
                    "--any-request --apply` publishes them."
                )
            raise BeyondHorizon(problem, vendor=self.source, advice=advice)
        if not manifest.asked:
            self.log.warning(
                "The extract %s is of an earlier release and does not say what it was asked for; it is taken as it is",
                manifest.extract,
            )
        self.log.info(
            "Night %s is beyond the vendor's %s days; rebuilding it from the landed extract %s",
            self.night,
            self.horizon_days,
            manifest.extract,
        )
        return describe(manifest, 0.0)


@contextmanager
def imports_at_rest() -> Iterator[None]:
    """Leave what is there now out of the garbage collector's walks: half a million objects of Airflow, which live as
    long as the task, and a walk over all of them whenever enough rows have come. Where somebody has done so before, it
    stays as it is.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
