"""Bring the file of an export to the landing, and publish its nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.errors import BadResponse
from nightshift.fields import night_of
from nightshift.lake.errors import Unsound
from nightshift.lake.extract import Progress
from nightshift.lake.landing import Manifest
from nightshift.lake.spec import CsvSpec, PublishSpec
from nightshift.nights.extract import ExtractOperator
from nightshift.nights.publish import PublishNightOperator
from nightshift.tokenflex.columns import column_named, columns_of, cut_off, header_of, is_cut, missing, named, no_usage
from nightshift.tokenflex.download import FileDownload, FileSeen
from nightshift.tokenflex.request import bounds_of, nights_of, other_column
from nightshift.tokenflex.source import TOKENFLEX
from nightshift.tokenflex.vocabulary import DEFAULT_CONN, plain

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.lake.landing import ExtractFolder, PageEntry
    from nightshift.tokenflex.hook import TokenFlexHook


class TokenFlexDownloadExportOperator(ExtractOperator):
    """Download the file of a finished export to the landing, as received, in parts that end with a row.

    The signed link is asked for right before it is used, renewed when it has ended, and never leaves this task. A
    connection that breaks is gone on with where it broke; an attempt that was killed, at the last part that is landed,
    if the host knows ranges and its ETag still agrees. Memory stays flat whatever the size.

    The extract counts as finished when the vendor took the request for the export, by the vendor's own clock, but never
    later than now: the file holds what was known then. So a file that is fetched late, by a retry or a clear of this
    task alone, is not newer than what an export of a later night has brought of the same nights, and does not replace
    it. When it came is in the notes.

    :param request_key: the vendor's id of the export (templated)
    :param contract: contract number (templated)
    :param look_back: nights before the night that the export is for as well
    :param fields: fields that were asked for; one that is no column of the file is told
    :param metrics: metrics that were asked for; likewise. A file that has a first line, and none of both in it, is
        refused
    :param columns: what the file may call its columns besides, by the configuration; one of them in the first line is
        enough
    :param where: what was asked for (templated), for the manifest: the publish judges by it which rows may come
    :param criteria: what else the configuration asks for that decides which rows come
    :param csv: character set, delimiter and quote of the file, as JSON of :class:`nightshift.lake.spec.CsvSpec`
    :param tokenflex_conn_id: id of the Airflow connection (templated)
    """

    source = TOKENFLEX.type
    template_fields = (*ExtractOperator.template_fields, "tokenflex_conn_id", "contract", "request_key", "where")

    def __init__(
        self,
        *,
        request_key: Any,
        contract: str,
        look_back: int = 0,
        fields: Sequence[str] = (),
        metrics: Sequence[str] = (),
        columns: Sequence[str] = (),
        where: Any = None,
        criteria: Mapping[str, Any] | None = None,
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
        self.columns = tuple(columns)
        self.where = where
        self.criteria = dict(criteria or {})
        self.csv = dict(csv or {})
        self.tokenflex_conn_id = tokenflex_conn_id

    def asked_for(self) -> dict[str, Any]:
        """Return what of the configuration decides which rows come."""
        rows = {"contract": self.contract, "fields": sorted(self.fields), "metrics": sorted(self.metrics)}
        return {**super().asked_for(), **rows, **self.criteria}

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Land the file."""
        from nightshift.tokenflex.hook import TokenFlexHook

        dialect = CsvSpec.model_validate(self.csv)

        def note(seen: FileSeen) -> None:
            self.remember(context, msgspec.structs.replace(progress, plan=msgspec.to_builtins(seen)))

        async with TokenFlexHook(self.tokenflex_conn_id) as hook:
            progress = await self.going_on(folder, progress, context, self._asked(hook, dialect))
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
            try:
                entries, header = await self._received(download, folder, dialect)
            except BadResponse:
                # Whatever came, the next attempt does not go on with it.
                self.remember(context, msgspec.structs.replace(progress, plan={}))
                raise
        now = datetime.now(UTC)
        return self.manifest_of(
            entries,
            progress,
            context,
            **_finished(download.made, now, progress.after),
            format="csv",
            model=columns_of(header) or None,
            window={"first_night": nights_of(self.night, self.look_back)[0], "last_night": self.night},
            request={
                "contract": self.contract,
                "fields": list(self.fields),
                "metrics": list(self.metrics),
                "where": self.where,
            },
            notes={"request_key": self.request_key, "fetched_bytes": download.fetched, "fetched": now.isoformat()},
        )

    async def _received(
        self, download: FileDownload, folder: ExtractFolder, dialect: CsvSpec
    ) -> tuple[Sequence[PageEntry], list[str]]:
        """Receive the file; return its parts, and the names in its first line.

        :raises BadResponse: it is no usage file, or not the whole of one
        """
        entries = await download.run()
        first = await folder.read(1) if entries else b""
        header = header_of(first, dialect)
        asked = [*self.fields, *self.metrics]
        lost = missing(header, asked) if header else []
        if lost and len(lost) == len(asked) and not named(header, self.columns):
            raise no_usage(header)
        last = await folder.read(entries[-1].number) if len(entries) > 1 else first
        rows = sum(entry.rows for entry in entries)
        cut = is_cut(first, last, dialect, header=header, rows=rows, lost=lost)
        if cut and not rows and len(header) >= len(asked):
            # As many columns as were asked for, some under names of the customer's own: what cuts a file cuts it
            # elsewhere the next time.
            self.log.info("The first line of the file has no end, and no row follows; the file is fetched once more.")
            entries = await download.again()
            cut = not entries or await folder.read(1) != first
        if cut:
            raise cut_off()
        if lost:
            self.log.warning("The file has no column for %s; its columns: %s", ", ".join(lost), ", ".join(header))
        return entries, header

    def _asked(self, hook: TokenFlexHook, dialect: CsvSpec) -> dict[str, Any]:
        """Return which file is asked for; parts of it end where this dialect has the end of a row."""
        export = {"contract": self.contract, "request_key": self.request_key}
        return {"root": hook.base_url, **export, **dialect.model_dump(include={"quote", "delimiter", "charset"})}


def _finished(made: float | None, now: datetime, after: str) -> dict[str, str]:
    """Return when an extract counts as finished whose export was made then. Nothing, which is now and after what was
    there, where that is not said or is to come, or what was there is: by a vendor's clock that is ahead, or was, one
    would be newer than what later exports bring.

    :param made: by the vendor's clock, epoch seconds
    :param after: when the newest extract of the night was finished before this one began, ISO 8601; may be empty
    """
    is_told = made is not None and made <= now.timestamp() and (not after or datetime.fromisoformat(after) <= now)
    return {"finished": datetime.fromtimestamp(made, UTC).isoformat()} if made is not None and is_told else {}


class TokenFlexPublishExportOperator(PublishNightOperator):
    """Publish the nights of an export: each of the look-back is replaced as well, all in one atomic commit.

    Usage arrives late, so a night is right only some nights after it. Columns are found by the names in the file's
    header, whose spelling the vendor does not publish: the night column may be written as in the request.

    What is replaced has to be what was asked for. Where the nights were asked for by the night column, a row of another
    night shows that the vendor did not heed that; else it does where all rows are of others. ``checks.other_nights``
    lets them through.

    :param look_back: nights before the extract's night that are replaced with it; needs a night column
    :raises Unsound: also where the nights were asked for by another column than the night column
    """

    def __init__(self, *, look_back: int = 0, **kwargs: Any) -> None:
        super().__init__(source="tokenflex", **kwargs)
        self.look_back = look_back

    def spec_for(self, manifest: Manifest) -> PublishSpec:
        """Return the configured spec with the nights of this export, as far as they were asked for, its night column as
        this file spells it, and how many rows may be of other nights.
        """
        spec = super().spec_for(manifest)
        if spec.night_column is None:
            return spec
        nights, checks, more = nights_of(manifest.night, self.look_back), spec.checks, {}
        field, first = bounds_of(manifest.request.get("where"), manifest.night) or ("", "")
        is_bounded = plain(field) == plain(spec.night_column)
        if is_bounded:
            # The look-back of the configuration may be another one since.
            asked = night_of(manifest.night) - night_of(first)
            more = {"asked_nights": nights_of(manifest.night, asked.days)}
            nights = tuple(night for night in nights if night >= first)
        if checks.other_nights is None:
            checks = checks.model_copy(update={"other_nights": "none" if is_bounded else "some"})
        header = [column.name for column in manifest.model or ()]
        column = column_named(header, spec.night_column)
        return spec.model_copy(update={"nights": nights, "night_column": column, "checks": checks, **more})

    def refuse_unsound(self, manifest: Manifest) -> None:
        """Refuse nights that were asked for by another column than the one that they are replaced by.

        :raises Unsound: they were
        """
        night_column = super().spec_for(manifest).night_column
        field, _ = bounds_of(manifest.request.get("where"), manifest.night) or ("", "")
        if other := other_column(field, night_column, manifest.request.get("fields") or ()):
            raise Unsound(
                f"{manifest.source}/{manifest.report}, night {manifest.night}: {other}. Nothing was published. Then "
                "clear the task that requests the export, with all that follow."
            )
