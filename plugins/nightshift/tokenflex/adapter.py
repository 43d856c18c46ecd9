"""Exports as jobs: made once, found again by their exact file name, polled with one call for all.

Token Flex reference, sections 3.3, 4.1 and 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from nightshift.errors import BadResponse, Forbidden, NotFound, Unreachable, VendorError
from nightshift.jobs.adapter import Cancelled, HookAdapter, NotPossible
from nightshift.jobs.record import RESOLUTION_KEY
from nightshift.jobs.state import Intent, JobState, JobStatus, Scalar
from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.request import file_name, request_of
from nightshift.tokenflex.responses import Export, ExportState, moment_of_key
from nightshift.tokenflex.vocabulary import VENDOR

STATES: Mapping[ExportState, JobState] = {
    ExportState.REQUESTED: JobState.RUNNING,
    ExportState.READY: JobState.SUCCEEDED,
    ExportState.ERROR: JobState.FAILED,
    ExportState.UNKNOWN: JobState.UNKNOWN,
}
SINGLES = 2
"""Exports that the list leaves out and that are asked for one by one in the same poll."""


PROXY_TEXTS = frozenset(
    {"", "an html page", "not found", "404 page not found", "404 not found", "default backend - 404"}
)
"""What proxies and gateways answer for a path that they do not know, in small letters."""


class TokenFlexExportAdapter(HookAdapter):
    """Exports of one contract.

    A job is known by its ``downloadFileName``, which ends with its marker and is compared as a whole: another export
    may well have a name that ends alike. One call of the list answers for any number of exports; one that the list
    leaves out, or a few where it cannot be read, are asked for by their keys. An export is gone only when the list and
    the question by its key agree. The signed link is never part of a status.

    :param conn_id: Airflow connection
    :param contract: contract number
    """

    vendor = VENDOR
    hook: TokenFlexHook
    can_find = True
    can_cancel = True
    bulk = 10_000
    settle = 300.0
    """The reference does not say how late the list may be (section 4.1)."""

    def __init__(self, conn_id: str, *, contract: str, **options: Scalar) -> None:
        super().__init__(conn_id, contract=contract, **options)
        self.contract = contract
        self.hook = TokenFlexHook(conn_id)

    def name_of(self, payload: Any, marker: str) -> str:
        """Return the file name, without extension, that :meth:`submit` sends."""
        return file_name(payload, marker)

    async def submit(self, intent: Intent, payload: Any) -> JobStatus:
        """Ask for an export under the intent's name."""
        export = await self.hook.create_export(self.contract, request_of(payload, intent.marker))
        try:
            return status_of(export)
        except ValueError as error:
            raise BadResponse(f"the answer to a new export has no request key ({error})", vendor=VENDOR) from None

    async def find(self, intent: Intent) -> Sequence[JobStatus]:
        """List the exports of the contract with exactly the intent's name; one that a schedule made is not ours."""
        try:
            listed = await self.hook.exports_about(self.contract, [intent.at])
        except Unreachable as error:
            if error.status != 400:
                raise
            raise error.replaced(
                advice=f"{error.advice} If it is refused each time, look for {intent.name!r} in Autodesk's own pages, "
                f"and add the key {RESOLUTION_KEY!r} in the tab Task State Store of this task: "
                '{"adopt": "<its request key>", "by": …, "why": …} if it is there, {"resubmit": true, "by": …, "why": '
                "…} if it is not; then clear the task."
            ) from None
        try:
            return [status_of(one) for one in listed if one.stem == intent.name and not one.schedule_id]
        except ValueError as error:
            raise BadResponse(
                f"the list of exports shows {intent.name!r} without a key ({error})", vendor=VENDOR
            ) from None

    async def poll(self, job_id: str) -> JobStatus:
        """Ask for one export."""
        return status_of(await self.hook.export(self.contract, job_id))

    async def status(self, ids: Sequence[str]) -> Mapping[str, JobStatus | VendorError]:
        """Ask for any number of exports with one call; those of which that says nothing, a few by their keys."""
        answers = await self._by_list(ids) if len(ids) > 1 else {}
        for one in [one for one in ids if not isinstance(answers.get(one), JobStatus)][:SINGLES]:
            try:
                answers[one] = await self.poll(one)
            except NotFound as error:
                if len(ids) == 1:
                    answers = await self._by_list(ids)
                answers.setdefault(one, JobStatus(id=one, state=JobState.GONE, detail=error.detail))
            except VendorError as error:
                answers[one] = error
        return answers

    async def _by_list(self, ids: Sequence[str]) -> dict[str, JobStatus | VendorError]:
        """Ask for exports with one call; a list that the vendor gives, but not to be read, is a failed look at each."""
        moments = {one: moment_of_key(one) for one in ids}
        dated = [at for at in moments.values() if at is not None]
        try:
            listed = await self.hook.exports_about(self.contract, dated) if dated else []
        except (BadResponse, Forbidden, Unreachable) as error:
            if error.status is None:
                raise
            problem = f"the list of exports cannot be read: {error.problem}"
            return dict.fromkeys(ids, error.as_type(Unreachable, problem=problem))
        return {one.request_key: status_of(one) for one in listed if one.request_key in moments}

    def own_word(self, error: NotFound) -> bool:
        """Tell it from what any proxy says; the vendor's own words for an unknown key are not known (section 5.1)."""
        return error.detail.strip(" .").lower() not in PROXY_TEXTS

    async def unlike(self, job_id: str, intent: Intent, payload: Any) -> str:
        """Compare the name of an export of this contract with those that this task has sent or would send."""
        run, generations = intent.run, range(1, intent.generation + 2)
        ours = {intent.name, *(file_name(payload, run.marker(number)) for number in generations)} - {""}
        export = await self.hook.export(self.contract, job_id)
        if export.stem in ours and not export.schedule_id:
            return ""
        return f"it is called {export.stem!r}, this task's {sorted(ours)[-1]!r}"

    async def cancel(self, job_id: str) -> Cancelled | NotPossible:
        """Delete the export with its file, which is all that the vendor offers."""
        with suppress(NotFound):
            await self.hook.delete_export(self.contract, job_id)
        return Cancelled()

    async def result(self, status: JobStatus) -> dict[str, Any]:
        """Return the file's name; the signed link is asked for when it is needed."""
        return {"file_name": status.attributes.get("file_name")}


def status_of(export: Export) -> JobStatus:
    """Return an export as an observation of a job, without its link."""
    return JobStatus(
        id=export.request_key,
        state=STATES[export.state],
        vendor_state=export.request_status,
        attributes={"file_name": export.download_file_name},
    )
