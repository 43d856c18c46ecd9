"""The checks of what a stage runs: requests to it, runs of utility projects, the night after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from nightshift.errors import JobFailed, Rejected
from nightshift.flexdeploy.vocabulary import RequestState
from nightshift.jobs.state import TaskState
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.deployed import Deployed, Place, deployed_by, overtaken
from nightshift.promotion.job_operators import PromotionUtilityOperator
from nightshift.promotion.record import Verdict, now
from nightshift.promotion.recorder import StepRecorder, run_now
from nightshift.promotion.rules.next_night import first_night, judged, last_look, next_look, nights_over
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.reports import Source
    from nightshift.config.verification import NextNight, Probe
    from nightshift.jobs.operators import Ended
    from nightshift.promotion.terms import Terms

TRIES_KEY = "verification_tries"
"""Key of the task state store that holds how often a probe has asked."""
HEARTBEAT = 6.0
"""Seconds that a wait without a worker lasts at least: Airflow loses one that ends within the worker's last
heartbeat.
"""


@dataclass(frozen=True)
class Observation:
    """One look at what is deployed.

    :param word: what it said; ``None``: nothing yet
    :param seen: what was seen, in one line
    :param again: when to look again, where it said nothing yet
    :param more: what else a verdict keeps of it
    """

    word: VerdictWord | None
    seen: str
    again: datetime | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class VerificationOperator(BaseOperator):
    """Look at what a stage runs, again and again without a worker in between, until there is a verdict.

    Only the verdict is in the record, with what was seen; each look is in the log. Where the lake or Airflow is away
    there is none: the task tries again.

    :param application: name of the application
    :param stage: label of the stage
    :param kind: first, second, or after a roll-back
    :param place: where FlexDeploy deploys for the stage
    :param terms: what the approval before it has to be of
    """

    ui_color = "#e3f0d8"

    def __init__(
        self,
        *,
        application: str,
        stage: str,
        kind: StepKind,
        place: Place | None = None,
        terms: Terms | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.application = application
        self.stage = stage
        self.kind = kind
        self.place = place
        self.terms = terms
        self.patience = 10.0
        """Seconds that the worker itself waits for the next look, all in all."""

    async def look(self, context: Context, here: Deployed) -> Observation:
        """Look once."""
        raise NotImplementedError(f"{type(self).__name__} does not look")

    def execute(self, context: Context) -> dict[str, Any]:
        """Begin; see the class.

        :raises AirflowFailException: it is not as it has to be, or somebody else has deployed there meanwhile
        """
        return run_now(self._verify(context, resumed=False))

    def look_again(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on after a wait."""
        return run_now(self._verify(context, resumed=True))

    async def _verify(self, context: Context, *, resumed: bool) -> dict[str, Any]:
        recorder = StepRecorder(context, self.application, kind=self.kind, stage=self.stage, terms=self.terms)
        record = await (recorder.read() if resumed else recorder.begin())
        try:
            here = deployed_by(record, self.kind, self.stage)
            look = await self._looked(context, recorder, here)
        except TaskDeferred:
            raise
        except Exception as error:
            await recorder.end(StepState.FAILED, outcome=type(error).__name__, detail=str(error))
            raise
        verdict = verdict_of(recorder, here, look)
        await conclude(recorder, verdict)
        self.log.info("%s", verdict.words)
        return {"verdict": str(verdict.word), "seen": verdict.seen, "version": verdict.version.model_dump()}

    async def _looked(self, context: Context, recorder: StepRecorder, here: Deployed) -> Observation:
        """Look until there is a verdict; defer where that takes longer than the worker waits."""
        until = time.monotonic() + self.patience
        while True:
            look = await self.look(context, here)
            # FlexDeploy is asked once there is something to say.
            if why := await overtaken(recorder.records, here, self.place if look.word is not None else None):
                return Observation(VerdictWord.OVERTAKEN, why)
            if look.word is not None or look.again is None:
                return look
            left = (look.again - datetime.now(UTC)).total_seconds()
            self.log.info("%s: not yet: %s; looking again in %.0f s", self.task_id, look.seen, max(0.0, left))
            if time.monotonic() + left > until:
                from airflow.providers.standard.triggers.temporal import DateTimeTrigger

                moment = max(look.again, datetime.now(UTC) + timedelta(seconds=HEARTBEAT))
                raise TaskDeferred(trigger=DateTimeTrigger(moment=moment), method_name="look_again")
            await asyncio.sleep(max(0.0, left))


def verdict_of(recorder: StepRecorder, here: Deployed, look: Observation) -> Verdict:
    """Return the verdict of a task."""
    return Verdict(
        task=recorder.task_id,
        kind=recorder.kind,
        stage=here.stage,
        version=here.version,
        word=look.word or VerdictWord.REFUTED,
        # The clock of this worker may be behind that of the one that deployed.
        at=max(now(), here.since),
        seen=look.seen,
        about=here.order,
        **look.more,
    )


async def conclude(recorder: StepRecorder, verdict: Verdict, **more: Any) -> None:
    """Write a verdict into the record, with the step that gave it.

    :raises AirflowFailException: what was deployed does not hold
    """
    good = verdict.word is VerdictWord.VERIFIED
    more |= {"outcome": str(verdict.word), "version": verdict.version, "detail": verdict.seen}
    await recorder.end(StepState.DONE if good else StepState.FAILED, verdict=verdict, **more)
    if good:
        return
    if verdict.word is VerdictWord.OVERTAKEN:
        raise AirflowFailException(
            f"{verdict.version} in {verdict.stage} was not verified, because it no longer runs there: {verdict.seen}. "
            "Nothing goes on and nothing is rolled back. Look at what runs there; then start a run with the version to "
            "promote in the form."
        )
    raise AirflowFailException(
        f"{verdict.version} does not hold in {verdict.stage}: {verdict.seen}. Nothing goes on with it. What follows is "
        "what on_failure of the stage says; where the check was wrong, clear this task with all that follows."
    )


class _Tries(msgspec.Struct, frozen=True, kw_only=True):
    """How often a probe has asked.

    :param of: the deployment that it asked about
    :param max_tries: the task's, which a clear raises: it begins anew
    """

    of: str
    max_tries: int
    made: int


class ProbeOperator(VerificationOperator):
    """Ask what was deployed over HTTP.

    :param probe: what is asked, and what the answer has to be
    """

    def __init__(self, *, probe: Probe, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.probe = probe

    async def look(self, context: Context, here: Deployed) -> Observation:
        """Make one try."""
        from nightshift.promotion.probe import ask

        kept = TaskState(context["task_state_store"], TRIES_KEY, _Tries)
        of, max_tries = f"{here.version.id} {here.since.isoformat()}", int(context["ti"].max_tries)
        before = kept.load_if_sound()
        if before is None or before.of != of or before.max_tries < max_tries:
            before = _Tries(of=of, max_tries=max_tries, made=0)
        began = datetime.now(UTC)
        fits, status, seen = await ask(self.probe, here.version)
        number = kept.save(msgspec.structs.replace(before, made=before.made + 1)).made
        self.log.info("%s, try %s of %s: %s", self.task_id, number, self.probe.tries, seen)
        more = {"tries": number, "status": status}
        if fits:
            return Observation(VerdictWord.VERIFIED, seen, more=more)
        if number >= self.probe.tries:
            return Observation(VerdictWord.REFUTED, f"{seen}, at the last of {number} tries", more=more)
        return Observation(None, seen, again=began + self.probe.every)


class NextNightOperator(VerificationOperator):
    """Wait for the first night that began after the deployment: its reports are published and all of their checks hold.

    :param next_night: which reports, and how long they are waited for
    """

    def __init__(self, *, next_night: NextNight, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.next_night = next_night

    async def look(self, context: Context, here: Deployed) -> Observation:
        """Look into the lake, at each night that is over."""
        from nightshift.promotion.reports_seen import seen

        sources = {report: _source_of(report) for report in self.next_night.reports}
        zones = {report: source.zone for report, source in sources.items()}
        first, at, lake = first_night(here.since, zones.values()), datetime.now(UTC), lake_of_this_deployment()
        settled = [(source.zone, timedelta(hours=source.settle_hours)) for source in sources.values()]
        last = last_look(first, settled, self.next_night.within)
        nights = nights_over(first, zones.values(), at)
        night, words, reports = await asyncio.to_thread(
            judged, nights, lambda one: seen(lake, self.next_night.reports, one), zones
        )
        if night is not None:
            tables = {one.name: one.table_version for one in reports if one.table_version is not None}
            return Observation(VerdictWord.VERIFIED, words, more={"night": night.isoformat(), "tables": tables})
        words = words or f"the night {first}, the first that begins after the deployment, is not over yet"
        if at >= last:
            return Observation(VerdictWord.REFUTED, f"{words}, at {last:%Y-%m-%d %H:%M} UTC, when it had to be there")
        return Observation(None, words, again=next_look(first, zones.values(), at, self.next_night.every, last))


def _source_of(report: str) -> Source:
    """Return the source of a report, which says when its nights begin and when they are fetched.

    :raises Rejected: its source is not configured any more
    """
    from nightshift.config.reports import source_in_force

    source = source_in_force(report.partition("/")[0])
    if source is None:
        raise Rejected(
            f"reports.yaml has no {report.partition('/')[0]} any more, so nobody knows when a night of {report} begins",
            advice="Nothing was verified. Put the source back, then clear this task.",
        )
    return source


class UtilityVerificationOperator(PromotionUtilityOperator):
    """Verify what was deployed by a run of a utility project that ends well; there is at most one run an attempt that a
    person asks for, whatever crashes.

    :param kind: first, second, or after a roll-back
    :param place: where FlexDeploy deploys for the stage
    """

    ui_color = VerificationOperator.ui_color

    def __init__(self, *, kind: StepKind, place: Place | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.place = place

    async def after_job(self, context: Context, returned: Mapping[str, Any]) -> None:
        """Tell the record that it ended well, if what it ran against is still there.

        :raises AirflowFailException: somebody else has deployed there meanwhile
        """
        recorder = self.attempt.recorder
        here = deployed_by(await recorder.read(), self.kind, str(self.stage))
        requests = tuple(returned.get("workflow_request_ids", ()))
        seen = f"workflow request {', '.join(map(str, requests))} ended well"
        look = Observation(VerdictWord.VERIFIED, seen)
        if why := await overtaken(recorder.records, here, self.place):
            look = Observation(VerdictWord.OVERTAKEN, why)
        await conclude(recorder, verdict_of(recorder, here, look), requests=requests, url=returned.get("url"))

    async def after_failure(self, context: Context, error: BaseException, ended: Ended) -> None:
        """Tell the record that FlexDeploy said that it failed; another end says nothing of what was deployed."""
        said = isinstance(error, JobFailed) and RequestState.of(error.state) is RequestState.FAILED
        if self._attempt is None or ended.left_alone or ended.stopped or not said:
            await super().after_failure(context, error, ended)
            return
        recorder = self.attempt.recorder
        here = deployed_by(await recorder.read(), self.kind, str(self.stage))
        look = Observation(VerdictWord.REFUTED, str(error))
        if why := await overtaken(recorder.records, here, self.place):
            look = Observation(VerdictWord.OVERTAKEN, why)
        verdict = verdict_of(recorder, here, look)
        await recorder.end(
            StepState.FAILED,
            verdict=verdict,
            outcome=str(verdict.word),
            version=verdict.version,
            detail=verdict.seen,
        )
