"""Nights published again from the landing, each rehearsed first: what would change is known before anything does.

What is published how is asked of the tasks that do it every night, so that there is no second way. Nothing is asked of
a vendor, and no event is sent: no promotion begins of a replay.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from nightshift.fields import night_of
from nightshift.lake.errors import OtherRequest
from nightshift.lake.landing import Landing, landed_nights
from nightshift.local_time import DAY
from nightshift.nights.extract import ExtractOperator
from nightshift.nights.flow import nightly_dag
from nightshift.nights.index import record_published
from nightshift.nights.publish import PublishNightOperator, model_before
from nightshift.sources import SOURCES

if TYPE_CHECKING:
    from nightshift.lake.extract import Manifest
    from nightshift.lake.published import Published
    from nightshift.lake.rehearsal import Rehearsal
    from nightshift.lake.snapshot import Snapshot
    from nightshift.lake.spec import Column, PublishSpec
    from nightshift.lake.store import Lake

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replay:
    """One landed extract, to be published again.

    :param manifest: the extract
    :param spec: how; ``nights`` are those that are asked for, where the extract has several
    :param publisher: the task that publishes the report every night
    :param is_other: it was asked for as something else than the configuration asks for now, and nobody has said that it
        is taken all the same
    """

    lake: Lake
    manifest: Manifest
    spec: PublishSpec
    publisher: PublishNightOperator
    is_other: bool = False

    @property
    def report(self) -> str:
        """The report, ``<source>/<report>``."""
        return self.manifest.full_name

    @property
    def nights(self) -> tuple[str, ...]:
        """The nights that it publishes again."""
        return (self.manifest.night,) if self.spec.nights is None else tuple(self.spec.nights)

    def rehearse(self) -> Rehearsal:
        """Return what it would change; the lake is only read. Blocks.

        :raises nightshift.lake.errors.LakeError: it would be refused, and why
        """
        from nightshift.lake.rehearsal import rehearse

        if self.is_other:
            raise OtherRequest(
                "what is landed was asked for as something else than reports.yaml asks for now "
                f"({self.manifest.asked_as}). Leave the night as it is; or, if these rows are right all the same, give "
                "--any-request"
            )
        return rehearse(self.lake, self.manifest, self.spec, look=self._look)

    def publish(self) -> Published:
        """Publish it, also where the table has it already; of a newer extract it stays as it is. Blocks.

        :raises nightshift.lake.errors.LakeError: it is refused, and why; the table is as it was
        """
        from nightshift.lake.tables import publish

        done = publish(self.lake, self.manifest, self.spec, again=True, look=self._look)
        record_published(self.lake, self.manifest.source, self.manifest.report, sorted(done.nights))
        return done

    def _look(self, table: Snapshot | None) -> Sequence[Column]:
        self.publisher.refuse_unsound(self.manifest)
        landing, columns = Landing.of(self.lake, self.manifest), table.columns if table else None
        return model_before(landing, self.manifest, columns, self.spec, log=lambda text: None)


def publishers() -> dict[str, PublishNightOperator]:
    """Return report (``<source>/<report>``) → the task that publishes it every night, of all sources that are
    configured.
    """
    found: dict[str, PublishNightOperator] = {}
    for source in SOURCES:
        dag = nightly_dag(source, doc_md=None)
        for task in dag.tasks if dag else ():
            if isinstance(task, PublishNightOperator):
                found[f"{task.source}/{task.report}"] = task
    return found


def replays(
    lake: Lake, publisher: PublishNightOperator, first: date, last: date, *, any_request: bool = False
) -> Iterator[Replay]:
    """Return what is landed of these nights, the oldest first: of each landed night its newest complete extract of what
    the configuration asks for now. Where none is known to be of that, it is the newest that does not say what it is of,
    else of another request.

    An extract with a look-back counts as well where it reaches back to one of the nights; of what it holds, only those
    are published. Which extract a night of the table is of is decided by when they were finished, as every night.

    :param first: first night that is published again
    :param last: last night
    :param any_request: an extract of another request is taken all the same
    """
    asked = next((one.asked_now() for one in publisher.upstream_list if isinstance(one, ExtractOperator)), "")
    ahead = int(getattr(publisher, "look_back", 0))
    for night in landed_nights(lake, publisher.source, publisher.report):
        if not first <= night_of(night) <= last + ahead * DAY:
            continue
        landing = Landing(lake, publisher.source, publisher.report, night)
        manifest = asyncio.run(landing.asked_as(asked)) if asked else None
        is_other = manifest is None and bool(asked) and not any_request
        manifest = manifest or asyncio.run(landing.latest())
        if manifest is None:
            continue
        if asked and not manifest.asked:
            log.info("%s is of an earlier release and does not say what it was asked for", manifest.extract)
        spec = publisher.spec_for(manifest)
        if spec.nights is None:
            if night_of(night) <= last:
                yield Replay(lake, manifest, spec, publisher, is_other)
        elif nights := tuple(one for one in spec.nights if first <= night_of(one) <= last):
            spec = spec.model_copy(update={"nights": nights, "asked_nights": spec.asked_nights or spec.nights})
            yield Replay(lake, manifest, spec, publisher, is_other)
