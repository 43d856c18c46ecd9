"""Publish a landed night to its table, once its columns were looked at; it reads the landing only and asks no
vendor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from nightshift.fields import night_of
from nightshift.lake.columns import Drift, drift
from nightshift.lake.errors import Damaged, LakeError, SchemaDrift
from nightshift.lake.landing import Landing
from nightshift.lake.spec import PublishSpec, vendor_name
from nightshift.lake.spelling import Spelling, as_spelled
from nightshift.local_time import DAY
from nightshift.metrics import Metric, count, took
from nightshift.nights.index import record_error, record_published
from nightshift.nights.lineage import PublishLineage
from nightshift.nights.place import lake_of_this_deployment, report_asset
from nightshift.nights.ready import Waiting, emit_ready, nights_to_look_at, published_report
from nightshift.nights.whole import is_whole, zone_of
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from nightshift.lake.landing import Manifest
    from nightshift.lake.published import Published
    from nightshift.lake.snapshot import Snapshot
    from nightshift.lake.spec import Column
    from nightshift.lake.store import Lake


NIGHTS_LOOKED_BACK = 7


def new_columns(
    landing: Landing, manifest: Manifest, table: Sequence[Column] | None, spec: PublishSpec, log: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the columns that neither the table nor the last night before has; none where the vendor names no columns.

    :param landing: the night's
    :param manifest: the extract that is to be published
    :param table: the columns of the table, where there is one
    :param spec: how it is published
    :param log: takes a line about what changed
    :raises SchemaDrift: the vendor's model has lost a column since the night before or changes its type, and
        ``schema_rules`` do not allow it; names each, and the key of the configuration that allows it
    """
    found, _ = _compared(landing, manifest, table, spec, log, is_watch=True)
    return found.added if found else ()


def model_before(
    landing: Landing, manifest: Manifest, table: Sequence[Column] | None, spec: PublishSpec, log: Callable[[str], None]
) -> Sequence[Column]:
    """Return the columns that the vendor's model had the last night before, for whoever reads the rows, which may have
    what this night's model does not name. Parameters as :func:`new_columns`.

    :raises SchemaDrift: a column changes its type, and ``schema_rules`` do not allow it
    """
    return _compared(landing, manifest, table, spec, log, is_watch=False)[1]


def _compared(
    landing: Landing,
    manifest: Manifest,
    table: Sequence[Column] | None,
    spec: PublishSpec,
    log: Callable[[str], None],
    *,
    is_watch: bool,
) -> tuple[Drift | None, Sequence[Column]]:
    report = manifest.full_name
    if manifest.model is None:
        log(f"The vendor names no columns of {report}; its rows are watched as they are read")
        return None, ()
    there = [vendor_name(column.name) for column in table or ()]
    spelling = Spelling(spec.schema_rules.same_column, there)
    models = manifest.model, asyncio.run(_model_before(landing, log))
    model, before = (as_spelled(spelling.of_all(of), there) for of in models)
    named = {column.name for column in model}
    gone = [column.name for column in before if column.name not in named]
    compared = before if is_watch else [column for column in before if column.name in named]
    found = drift(model, compared, table, spelling.of_spec(spec), model_alone=True)
    if not found.ok:
        raise SchemaDrift(f"{report}, night {manifest.night}: {found.text}")
    log(found.text)
    if gone and not is_watch:
        log(
            f"The vendor's model does not name {', '.join(map(repr, gone))} any more; the rows tell whether they have "
            "it"
        )
    return found, before


async def _model_before(landing: Landing, log: Callable[[str], None]) -> Sequence[Column]:
    night = night_of(landing.night)
    for days in range(1, NIGHTS_LOOKED_BACK + 1):
        try:
            before = await replace(landing, night=(night - days * DAY).isoformat()).latest()
        except Damaged as damaged:
            # It fails its own night; this one is compared with the table, and with the night before that.
            log(f"An earlier night tells no columns: {damaged}")
            continue
        if before is not None and before.model is not None:
            return before.model
    return ()


def _landed(extract: Mapping[str, Any]) -> tuple[Landing, Manifest]:
    """Return what an extracting task has landed, by what it returned."""
    landing = Landing(lake_of_this_deployment(), extract["source"], extract["report"], extract["night"])
    return landing, asyncio.run(landing.manifest(extract["extract"]))


class WatchSchemaOperator(BaseOperator):
    """Compare the vendor's data model of a landed night with the table and with the last night before it, and publish
    nothing.

    This is for a DAG that only wants to be told. :class:`PublishNightOperator` does it for the types before it
    publishes, and looks for lost columns in the rows as well: what only the table has may be their own.

    :param extract: what the extracting task returned
    :param spec: how the report is published, as JSON of :class:`nightshift.lake.spec.PublishSpec`
    :raises SchemaDrift: names each change, from what to what, and the key of the configuration that allows it
    """

    template_fields = ("extract",)
    ui_color = "#fbf3d9"

    def __init__(self, *, extract: Any, spec: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.extract = extract
        self.spec = dict(spec)

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare; return what was added."""
        from nightshift.lake.delta import table_schema

        landing, manifest = _landed(self.extract)
        table, spec = table_schema(landing.lake, landing.source, landing.report), PublishSpec.model_validate(self.spec)
        return {"added": list(new_columns(landing, manifest, table, spec, self.log.info))}


class PublishNightOperator(BaseOperator):
    """Publish a landed night to its Delta table: cast, check, replace exactly that night in one atomic commit, and emit
    the asset event with the night as its partition key. Then look whether that completes the night for the applications
    that wait for the report, and emit their events as well.

    New columns are taken and told. A lost column or a changed type that the report's ``schema_rules`` do not allow
    publishes nothing; once they do, clearing this task publishes the night without asking the vendor again. Nothing of
    the table changes when a value does not cast or a check fails; the landing is never touched. Publishing what is
    published already changes nothing, and a night of which the table has a newer extract stays: the log, the result and
    the event say so under ``kept``.

    :param extract: what the extracting task returned
    :param spec: how the report is published, as JSON of :class:`nightshift.lake.spec.PublishSpec`
    :param source: connection type of the source
    :param report: name of the report
    :param force: publish again what is published unchanged, and replace also a night of which the table has a newer
        extract
    :param waiting: the applications that wait for the report
    :raises SchemaDrift: a lost column or a changed type; names each, and the key of the configuration that allows it
    :raises CastError: a value does not fit its column; names page, row and column
    :raises Unsound: a check failed; names each, with its numbers
    """

    template_fields = ("extract", "force")
    ui_color = "#d9ecf5"

    def __init__(
        self,
        *,
        extract: Any,
        spec: Mapping[str, Any],
        source: str,
        report: str,
        force: Any = False,
        waiting: Waiting | None = None,
        **kwargs: Any,
    ) -> None:
        self.asset = report_asset(source, report)
        self.waiting = waiting or Waiting()
        outlets = [self.asset, *self.waiting.assets()]
        super().__init__(outlets=outlets, **{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.extract = extract
        self.spec = dict(spec)
        self.source = source
        self.report = report
        self.force = force
        self._lineage: PublishLineage | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish; return what the asset event carries."""
        from nightshift.lake.tables import publish

        landing, manifest = _landed(self.extract)
        spec = self.spec_for(manifest)

        def look(table: Snapshot | None) -> Sequence[Column]:
            return model_before(landing, manifest, table.columns if table else None, spec, self.log.info)

        began = time.monotonic()
        try:
            self.refuse_unsound(manifest)
            published = publish(landing.lake, manifest, spec, force=bool(self.force), say=self.log.info, look=look)
        except LakeError as error:
            count(Metric.PUBLISH_REFUSED, source=self.source, report=self.report, error=type(error).__name__)
            record_error(landing.lake, manifest.source, manifest.report, manifest.night, error, context)
            raise
        nights = sorted(published.nights) or [manifest.night]
        record_published(landing.lake, manifest.source, manifest.report, nights, published.table)
        self._tell_others(landing.lake, manifest, published, time.monotonic() - began)
        event = context["outlet_events"][self.asset]
        event.extra = extra = {
            "night": manifest.night,
            "rows": published.rows,
            "bytes": published.bytes,
            "pages": manifest.pages,
            "landed_bytes": manifest.bytes,
            "table_version": published.version,
            "duplicates": published.duplicates,
            "outside": published.outside,
            "added": list(published.added),
            "extract": manifest.extract,
            "already": published.already,
            "kept": dict(published.kept),
            "overruled": dict(published.overruled),
            "widened": {name: list(types) for name, types in published.widened.items()},
            "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in published.checks],
        }
        event.add_partitions(nights)
        first = context["ti"].try_number == 1
        zone = zone_of(self.source)
        known = {night for night, began in published.known.items() if is_whole(night, began, zone)}
        completed = nights_to_look_at(nights, manifest.night, known, first_attempt=first)
        self._emit_ready(context, landing.lake, completed)
        return extra

    def spec_for(self, manifest: Manifest) -> PublishSpec:
        """Return how this extract is published; a source may know more than its configuration says."""
        return PublishSpec.model_validate(self.spec)

    def refuse_unsound(self, manifest: Manifest) -> None:
        """Refuse an extract that cannot be published as it is configured. For a source that knows of such.

        :raises Unsound: says why, and what to do
        """

    def get_openlineage_facets_on_complete(self, ti: Any) -> Any:
        """Return what OpenLineage is told of this publish; asked by its provider, where that is installed."""
        return None if self._lineage is None else self._lineage.facets()

    def _tell_others(self, lake: Lake, manifest: Manifest, published: Published, seconds: float) -> None:
        """Send the numbers of this publish, and keep what OpenLineage may ask for."""
        of = {"source": self.source, "report": self.report}
        if not published.already:
            count(Metric.PUBLISH_ROWS, published.rows, **of)
            count(Metric.PUBLISH_BYTES, published.bytes, **of)
        took(Metric.PUBLISH_DURATION, seconds, **of)
        self._lineage = PublishLineage(lake, manifest, published)

    def _emit_ready(self, context: Context, lake: Lake, nights: Sequence[str]) -> None:
        """Emit the event of each application for which a night is complete now; what was published is in the lake
        already.
        """
        if self.waiting.trouble:
            self.log.warning(
                "No application is told of this night, because nobody knows which ones wait for it: %s\nThe night is "
                "published all the same. Once the file is right, clear this task: it then tells them.",
                self.waiting.trouble,
            )
        complete = self.waiting.complete(nights, partial(published_report, lake, is_likely=False))
        for name, found in complete.items():
            self.log.info("Complete for %s: %s", name, ", ".join(found))
        # Airflow emits an event of every outlet of a task that ends well, whether it has something to say or not. So
        # this attempt's outlets are those that have: a night that is not complete must wake nobody.
        self.outlets = [self.asset, *emit_ready(context["outlet_events"], complete)]
