"""Each safeguard, switched off on purpose: the universes have to find that a promise is broken.

A mutant is a patch of named functions of the provider. Where a safeguard has a second one behind it, both are off: what
the two keep together is the promise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from nightshift.errors import Ambiguous, Unreachable, VendorError
from nightshift.flexnet import pages as flexnet_pages
from nightshift.flexnet import walk as flexnet_walk
from nightshift.http.request import RequestContext
from nightshift.http.timing import Backoff, SendWindow
from nightshift.http.transport import Transport
from nightshift.jobs import once
from nightshift.jobs.cancel import Twins
from nightshift.jobs.decision import Adopt, AskPerson, Decision, Finished, Look, Situation, Submit, decide
from nightshift.jobs.record import JobRecord, JobStore
from nightshift.jobs.state import JobState, JobStatus, RunIdentity
from nightshift.jobs.waiting import EventKind, Watch
from nightshift.lake import delta, landing, objects, pages, tables
from nightshift.lake.checks import CheckResult
from nightshift.lake.extract import now_after
from nightshift.lake.landing import ExtractFolder
from nightshift.lake.parts import PartStream
from nightshift.lake.snapshot import Snapshot
from nightshift.nights import extract as extracting
from nightshift.tokenflex import adapter as export_adapter
from nightshift.tokenflex import renewal, tokens
from nightshift.tokenflex.adapter import TokenFlexExportAdapter
from nightshift.tokenflex.download import FileDownload
from nightshift.tokenflex.responses import ExportState
from nightshift.tokenflex.tokens import Chain, Part

MOST = 1000
"""Universes within which a mutant has to be found."""


@dataclass(frozen=True)
class Mutant:
    """A safeguard that is switched off.

    :param room: where it is
    :param name: what goes wrong, in words
    :param world: where it is looked for
    :param switch_on: for as long as the patch lasts
    """

    room: str
    name: str
    world: str
    switch_on: Callable[[pytest.MonkeyPatch], None]


MUTANTS: list[Mutant] = []


def mutant(room: str, world: str, name: str) -> Callable[[Callable[[pytest.MonkeyPatch], None]], None]:
    def listed(switch_on: Callable[[pytest.MonkeyPatch], None]) -> None:
        MUTANTS.append(Mutant(room, name, world, switch_on))

    return listed


def _decided(patch: pytest.MonkeyPatch, change: Callable[[Situation], Decision]) -> None:
    patch.setattr(once, "decide", change)


# Jobs.


@mutant("jobs", "exports", "the intent is not written before the vendor is asked")
def _no_intent(patch: pytest.MonkeyPatch) -> None:
    real = JobStore.save

    def save(self: JobStore, record: JobRecord) -> JobRecord:
        return real(self, record) if record.id is not None or record.refused or record.lost else record

    patch.setattr(JobStore, "save", save)
    patch.setattr(once, "decide", lambda seen: Submit("") if seen.record is None else decide(seen))


@mutant("jobs", "exports", "what may have been asked for is asked for again")
def _asked_again(patch: pytest.MonkeyPatch) -> None:
    def guessed(seen: Situation) -> Decision:
        decision = decide(seen)
        return Submit("a guess") if isinstance(decision, AskPerson | Look) else decision

    _decided(patch, guessed)


@mutant("jobs", "exports", "an empty list is believed at once")
def _list_believed(patch: pytest.MonkeyPatch) -> None:
    _decided(patch, lambda seen: decide(msgspec.structs.replace(seen, settle=0.0)))


@mutant("jobs", "exports", "a request that was held up leaves all the same")
def _leaves_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SendWindow, "left", property(lambda _: 1e9))


@mutant("jobs", "exports", "a lost answer counts as a refusal")
def _lost_is_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(once, "_REFUSED", (VendorError,))


@mutant("jobs", "exports", "the id of a job is forgotten between attempts")
def _id_forgotten(patch: pytest.MonkeyPatch) -> None:
    def forgetful(seen: Situation) -> Decision:
        decision = decide(seen)
        return Submit("forgotten") if isinstance(decision, Adopt | Finished) and seen.attempt > 1 else decision

    _decided(patch, forgetful)


@mutant("jobs", "exports", "a retry after a success makes the job again")
def _made_anew(patch: pytest.MonkeyPatch) -> None:
    def anew(seen: Situation) -> Decision:
        done = seen.record is not None and seen.record.done
        return Submit("again") if done else decide(seen)

    _decided(patch, anew)


@mutant("jobs", "exports", "a job's name is another in each attempt")
def _names(patch: pytest.MonkeyPatch) -> None:
    real, count = RunIdentity.marker, [0]

    def marker(self: RunIdentity, generation: int) -> str:
        count[0] += 1
        return real(self, generation + count[0])

    patch.setattr(RunIdentity, "marker", marker)

    async def find(self: TokenFlexExportAdapter, intent: Any) -> Sequence[JobStatus]:
        return []

    # The wait looks once more for what an attempt has given up.
    patch.setattr(TokenFlexExportAdapter, "find", find)


@mutant("jobs", "exports", "of two jobs of a task nobody cancels the one that is not waited for")
def _twins(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> bool:
        return False

    patch.setattr(Twins, "yield_to", nothing)
    patch.setattr(Twins, "cancel_late", nothing)


@mutant("jobs", "exports", "a failed poll ends the wait")
def _poll_is_verdict(patch: pytest.MonkeyPatch) -> None:
    def miss(self: Watch, error: BaseException, now: float) -> list[Any]:
        self._end(EventKind.TIMED_OUT, now)
        return []

    patch.setattr(Watch, "miss", miss)


@mutant("jobs", "exports", "a job that the list leaves out is gone")
def _unlisted_is_gone(patch: pytest.MonkeyPatch) -> None:
    async def status(self: TokenFlexExportAdapter, ids: Sequence[str]) -> Mapping[str, Any]:
        listed = await self._by_list(ids)
        return {one: listed.get(one) or JobStatus(id=one, state=JobState.GONE) for one in ids}

    patch.setattr(TokenFlexExportAdapter, "status", status)
    patch.setattr(Watch, "_gone_for_good", lambda *_: True)


# The client.


@mutant("http", "exports", "a request that changes something is repeated blindly")
def _repeated(patch: pytest.MonkeyPatch) -> None:
    real = Backoff.wait

    def wait(self: Backoff, error: VendorError, attempt: int, *, safe: bool) -> float | None:
        known = error.as_type(Unreachable) if isinstance(error, Ambiguous) else error
        return real(self, known, attempt, safe=True)

    patch.setattr(Backoff, "wait", wait)


@mutant("http", "exports", "an answer that was lost is taken for a request that never arrived")
def _clear(patch: pytest.MonkeyPatch) -> None:
    real = RequestContext.unclear

    def unclear(self: RequestContext, kind: type[VendorError], problem: str, **more: Any) -> VendorError:
        return real(msgspec.structs.replace(self, safe=True), kind, problem, **more)

    patch.setattr(RequestContext, "unclear", unclear)


@mutant("http", "exports", "a body that breaks off counts as whole")
def _short(patch: pytest.MonkeyPatch) -> None:
    async def chunks(self: Transport, raw: Any, context: RequestContext) -> Any:
        try:
            while chunk := await raw.content.readany():
                yield chunk
        except Exception:  # noqa: BLE001, RUF100 -- that is the mutant
            return

    patch.setattr(Transport, "chunks", chunks)


# Token Flex.


@mutant("tokenflex", "exports", "an export is known by the beginning of its name")
def _prefix(patch: pytest.MonkeyPatch) -> None:
    async def find(self: TokenFlexExportAdapter, intent: Any) -> Sequence[JobStatus]:
        listed = await self.hook.exports_about(self.contract, [intent.at])
        return [export_adapter.status_of(one) for one in listed if one.stem.startswith("usage ")]

    patch.setattr(TokenFlexExportAdapter, "find", find)


@mutant("tokenflex", "exports", "an export that is asked for counts as ready")
def _too_early(patch: pytest.MonkeyPatch) -> None:
    early = {**export_adapter.STATES, ExportState.REQUESTED: JobState.SUCCEEDED}
    patch.setattr(export_adapter, "STATES", early)


@mutant("tokenflex", "exports", "a file is gone on with whatever the host sends")
def _gone_on(patch: pytest.MonkeyPatch) -> None:
    real = FileDownload._check
    patch.setattr(FileDownload, "_check", lambda self, response: real(self, response) if self._at == 0 else None)


# The landing.


@mutant("landing", "exports", "the last part of a file is not landed")
def _last_part(patch: pytest.MonkeyPatch) -> None:
    async def land(self: PartStream) -> None:
        return None

    patch.setattr(PartStream, "_finish", land)


@mutant("landing", "reports", "the manifest does not wait for the pages")
def _manifest_first(patch: pytest.MonkeyPatch) -> None:
    real = objects.acreate

    async def acreate(store: Any, name: str, body: bytes) -> bool:
        try:
            return await real(store, name, body)
        except Exception:  # noqa: BLE001, RUF100 -- that is the mutant
            if not name.startswith("page-"):
                raise
            return True

    async def complete(self: ExtractFolder, manifest: Any) -> None:
        await real(self.objects, landing.MANIFEST, manifest.to_json())

    patch.setattr(objects, "acreate", acreate)
    patch.setattr(ExtractFolder, "complete", complete)


@mutant("landing", "reports", "which of two extracts is newer is told by the clock alone")
def _by_the_clock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(extracting, "now_after", lambda finished: now_after(""))


@mutant("landing", "reports", "a page is not compared with its digest")
def _no_digest(patch: pytest.MonkeyPatch) -> None:
    def fetch(self: Any, entry: Any) -> bytes:
        packed = objects.read(self._folder.objects, entry.name)
        if packed is None:
            raise pages.Damaged("gone")
        return pages.unpack(packed, "")

    patch.setattr(pages.LandedPages, "_fetch", fetch)


# The walk.


@mutant("flexnet", "reports", "a page that repeats the one before it is taken")
def _repeats(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flexnet_pages, "is_same", lambda *_: False)
    _blind_walk(patch)
    _blind_checks(patch)


@mutant("flexnet", "reports", "rows that are missing by the vendor's own count are not missed")
def _uncounted(patch: pytest.MonkeyPatch) -> None:
    _blind_walk(patch)
    _blind_checks(patch)


def _blind_walk(patch: pytest.MonkeyPatch) -> None:
    async def adding_up(self: Any, page: Any) -> Any:
        return page

    async def counted(self: Any, number: int) -> Any:
        return await self._page(number)

    patch.setattr(flexnet_walk.Walk, "_judge", lambda self: None)
    patch.setattr(flexnet_pages.ReportPages, "_adding_up", adding_up)
    patch.setattr(flexnet_pages.ReportPages, "_counted", counted)


def _blind_checks(patch: pytest.MonkeyPatch) -> None:
    real = tables.judge

    def judge(*args: Any) -> list[CheckResult]:
        return [replace(one, ok=True) for one in real(*args)]

    patch.setattr(tables, "judge", judge)


# Publish.


@mutant("publish", "reports", "a commit that was refused counts as done")
def _refused(patch: pytest.MonkeyPatch) -> None:
    real = delta.NightTable._refusal

    def refusal(self: Any, *of: Any) -> str:
        real(self, *of)
        return ""

    patch.setattr(delta.NightTable, "_refusal", refusal)
    holds = Snapshot.holds
    patch.setattr(
        Snapshot,
        "holds",
        lambda self, content, nights: not isinstance(nights, dict) or _any(holds, self, content, nights),
    )


def _any(holds: Callable[..., bool], snapshot: Any, content: int, nights: Any) -> bool:
    # The look before the work knows no rows; the read-back of a commit does.
    return True if any(rows is not None for rows in nights.values()) else holds(snapshot, content, nights)


@mutant("publish", "reports", "a commit takes the place of whatever came meanwhile")
def _retried(patch: pytest.MonkeyPatch) -> None:
    real = delta.CommitProperties
    patch.setattr(delta, "CommitProperties", lambda **given: real(**{**given, "max_commit_retries": 20}))
    patch.setattr(Snapshot, "newer", lambda *_: {})
    patch.setattr(delta.NightTable, "_landed", lambda *_: None)
    held = Snapshot.holds
    patch.setattr(Snapshot, "holds", lambda self, content, nights: _any(held, self, content, nights))


@mutant("publish", "reports", "an older extract replaces a newer one")
def _older(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Snapshot, "newer", lambda *_: {})


@mutant("publish", "reports", "a night that is there in any form counts as published")
def _there(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Snapshot, "holds", lambda self, content, nights: all(self.mark(night) is not None for night in nights)
    )


@mutant("publish", "reports", "the task is green though nothing was committed")
def _green(patch: pytest.MonkeyPatch) -> None:
    real = tables.Publishing._replace

    def replaced(self: Any, staged: Any, stored: Any) -> Any:
        try:
            return real(self, staged, stored)
        except Exception:  # noqa: BLE001, RUF100 -- that is the mutant
            return staged.kept, None

    patch.setattr(tables.Publishing, "_replace", replaced)


# Renewal.


@mutant("renewal", "renewals", "nobody looks whether the token is still the newest before it is used")
def _not_announced(patch: pytest.MonkeyPatch) -> None:
    async def announced(self: Any) -> None:
        await tokens.write_from_task(self.conn_id, Part.JOURNAL, self.note)

    patch.setattr(renewal._Renewal, "_announced", announced)
    patch.setattr(SendWindow, "left", property(lambda _: 1e9))


@mutant("renewal", "renewals", "an answer is saved once or not at all")
def _saved_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(renewal, "SAVE_PAUSES", ())


@mutant("renewal", "renewals", "a pair is saved over whatever came meanwhile")
def _over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Chain, "follows", lambda *_: True)
    patch.setattr(SendWindow, "left", property(lambda _: 1e9))


@mutant("renewal", "renewals", "a Variable that cannot be read counts as missing")
def _unsure(patch: pytest.MonkeyPatch) -> None:
    async def keys(prefix: str) -> list[str] | None:
        return [f"{tokens.PREFIX}tokenflex_default.{Part.GRANT}"] if prefix == tokens.PREFIX else []

    patch.setattr(tokens, "_keys", keys)


@mutant("renewal", "renewals", "tokens are renewed only when they have ended")
def _too_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(renewal, "DUE_SECONDS", 0.0)


@mutant("renewal", "renewals", "the lock of the renewal, its note of who is at work, is not looked at")
def _no_lock(patch: pytest.MonkeyPatch) -> None:
    async def write(conn_id: str, part: Part, record: Any, real: Any = tokens.write_from_task) -> None:
        if part is not Part.JOURNAL:
            await real(conn_id, part, record)

    async def announced(self: Any) -> None:
        return None

    patch.setattr(tokens, "write_from_task", write)
    patch.setattr(renewal._Renewal, "_announced", announced)
    patch.setattr(renewal, "SEND_SECONDS", 1e9)


@mutant("renewal", "renewals", "a new pair is forgotten")
def _forgotten(patch: pytest.MonkeyPatch) -> None:
    real = renewal._Renewal._save

    async def save(self: Any, renewed: Any) -> Any:
        pair = msgspec.structs.replace(renewed.pair, refresh_token=self.chain.pair.refresh_token)
        return await real(self, msgspec.structs.replace(renewed, pair=pair))

    patch.setattr(renewal._Renewal, "_save", save)
