"""Bring the file of an export to the landing, and publish its nights."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.lake.extract import Progress
from nightshift.lake.landing import Landing, Manifest
from nightshift.lake.spec import CsvSpec
from nightshift.nights.extract import ExtractOperator
from nightshift.nights.place import lake_of_this_deployment
from nightshift.nights.publish import PublishNightOperator
from nightshift.tokenflex.columns import column_named, columns_of, header_of, missing
from nightshift.tokenflex.download import FileDownload, FileSeen
from nightshift.tokenflex.rules import DEFAULT_CONN
from nightshift.tokenflex.window import first_night, nights_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.lake.landing import ExtractFolder


class TokenFlexDownloadExportOperator(ExtractOperator):
    """Download the file of a finished export to the landing, as received, in parts that end with a row.

    The signed link is asked for right before it is used, renewed when it has ended, and never leaves this task. A
    connection that breaks is gone on with where it broke; an attempt that was killed, at the last part that is landed,
    if the host knows ranges and its ETag still agrees. Memory stays flat whatever the size.

    :param request_key: the vendor's id of the export (templated)
    :param contract: contract number (templated)
    :param look_back: nights before the night that the export is for as well
    :param fields: fields that were asked for; one that is no column of the file is told
    :param metrics: metrics that were asked for; likewise
    :param where: what was asked for (templated), for the manifest
    :param csv: character set, delimiter and quote of the file, as JSON of :class:`nightshift.lake.spec.CsvSpec`
    :param tokenflex_conn_id: id of the Airflow connection (templated)
    """

    source = "tokenflex"
    template_fields = (*ExtractOperator.template_fields, "tokenflex_conn_id", "contract", "request_key", "where")

    def __init__(
        self,
        *,
        request_key: Any,
        contract: str,
        look_back: int = 0,
        fields: Sequence[str] = (),
        metrics: Sequence[str] = (),
        where: Any = None,
        csv: Mapping[str, Any] | None = None,
        tokenflex_conn_id: str = DEFAULT_CONN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_key = request_key
        self.contract = contract
        self.look_back = look_back
        self.fields = tuple(fields)
        self.metrics = tuple(metrics)
        self.where = where
        self.csv = dict(csv or {})
        self.tokenflex_conn_id = tokenflex_conn_id

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Land the file."""
        from nightshift.tokenflex.hook import TokenFlexHook

        dialect = CsvSpec.model_validate(self.csv)

        def note(seen: FileSeen) -> None:
            self.remember(context, msgspec.structs.replace(progress, plan=msgspec.to_builtins(seen)))

        async with TokenFlexHook(self.tokenflex_conn_id) as hook:
            seen = msgspec.convert(progress.plan, FileSeen) if progress.plan else None
            download = FileDownload(
                hook,
                self.contract,
                self.request_key,
                folder,
                seen,
                note,
                quote=dialect.quote,
                delimiter=dialect.delimiter,
                charset=dialect.charset,
            )
            entries = await download.run()
        header = header_of(await folder.read(1), dialect) if entries else []
        if lost := missing(header, [*self.fields, *self.metrics]) if header else []:
            self.log.warning("The file has no column for %s; its columns: %s", ", ".join(lost), ", ".join(header))
        return Manifest.of(
            entries, source=self.source, report=self.report, night=self.night, extract=progress.extract,
            connection=self.tokenflex_conn_id, attempt=context["ti"].try_number, started=progress.started,
            finished=datetime.now(UTC).isoformat(), format="csv", model=columns_of(header) or None,
            window={"first_night": first_night(self.night, self.look_back), "last_night": self.night},
            request={"contract": self.contract, "fields": list(self.fields), "metrics": list(self.metrics), "where": self.where},
            notes={"request_key": self.request_key, "fetched_bytes": download.fetched},
        )  # fmt: skip


class TokenFlexPublishExportOperator(PublishNightOperator):
    """Publish the nights of an export: each of the look-back is replaced as well, all in one atomic commit.

    Usage arrives late, so a night is right only some nights after it. Columns are found by the names in the file's
    header, whose spelling the vendor does not publish: the night column may be written as in the request.

    :param look_back: nights before the extract's night that are replaced with it; needs a night column
    """

    def __init__(self, *, look_back: int = 0, **kwargs: Any) -> None:
        super().__init__(source="tokenflex", **kwargs)
        self.look_back = look_back

    def execute(self, context: Context) -> dict[str, Any]:
        """Publish; return what the asset event carries."""
        if (named := self.spec.get("night_column")) is not None:
            self.spec["nights"] = list(nights_of(self.extract["night"], self.look_back))
            self.spec["night_column"] = self._in_the_file(named)
        return super().execute(context)

    def _in_the_file(self, name: str) -> str:
        landing = Landing(lake_of_this_deployment(), self.source, self.report, self.extract["night"])
        manifest = asyncio.run(landing.manifest(self.extract["extract"]))
        return column_named([column.name for column in manifest.model or ()], name)
