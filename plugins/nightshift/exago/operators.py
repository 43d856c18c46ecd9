"""Bring Exago's tree, its changes and its reports to the landing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
from airflow.sdk import Context

from nightshift.errors import BadResponse, NotFound, Rejected, VendorError
from nightshift.exago.changes import CHANGE_COLUMNS, compare, summary
from nightshift.exago.paths import DEFAULT_CONN, VENDOR, ContentPath
from nightshift.exago.report import (
    DATA_KEY,
    DATA_TYPE,
    FORM,
    MINUTES,
    NO_ROWS_TEXTS,
    ExecutionRequest,
    Form,
    for_night,
    json_rows,
    names_night,
    no_rows,
    refuse_no_header,
)
from nightshift.exago.source import CHANGES, EXAGO, TREE
from nightshift.exago.tree import TREE_COLUMNS, Tree
from nightshift.fields import nearest
from nightshift.http.bodies import is_json
from nightshift.lake.extract import BEGUN, Progress, describe, now_after
from nightshift.lake.landing import Landing, Manifest, VendorTotals
from nightshift.lake.spec import CsvSpec
from nightshift.nights.extract import ExtractOperator
from nightshift.nights.place import lake_of_this_deployment

if TYPE_CHECKING:
    from nightshift.exago.hook import ExagoHook
    from nightshift.lake.landing import ExtractFolder, PageEntry

NIGHTS_LOOKED_BACK = 31
RECEIVED, ROWS = 1, 2
SHOWN_KEY = "changes"


class ExagoExtractOperator(ExtractOperator):
    """What the extracts of this source have in common.

    :param exago_conn_id: id of the Airflow connection
    """

    source = EXAGO.type

    def __init__(self, *, exago_conn_id: str = DEFAULT_CONN, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exago_conn_id = exago_conn_id

    def manifest_of(self, entries: Iterable[PageEntry], progress: Progress, context: Context, **more: Any) -> Manifest:
        """Return the manifest of these pages."""
        now = datetime.now(UTC).isoformat()
        given = {"format": "json", "window": {"taken": now}, **more}
        return super().manifest_of(entries, progress, context, **given)


class ExagoTreeExtractOperator(ExagoExtractOperator):
    """Bring the whole tree home: page 1 is the server's answer as received, page 2 its rows.

    The answer is nested and a table is not, so the rows are worked out here and land beside it; page 1 has no rows of
    its own. A tree is a snapshot of the present: only the night that has just ended can be taken. For an older one its
    rows are worked out anew from the landed answer, without the server.
    """

    def __init__(self, *, report: str = TREE, **kwargs: Any) -> None:
        super().__init__(report=report, **kwargs)
        self.horizon_days = 1

    def beyond_horizon(self) -> tuple[str, str]:
        """Say why an older night cannot be taken."""
        return (
            f"the tree is a snapshot of the present, the night {self.night} is past, and the landing has none for it",
            "The server cannot tell what the tree was. With Force, the tree of now is taken for this night.",
        )

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Take the snapshot."""
        from nightshift.exago.hook import ExagoHook

        async with ExagoHook(self.exago_conn_id) as hook:
            progress = await self.going_on(folder, progress, context, hook.asked_of)
            body = await hook.tree_answer()
        return await self._land(folder, body, progress, context)

    async def from_landing(self, landing: Landing) -> dict[str, Any]:
        """Return what the task returns where the night is in the past: the tree as it was kept then."""
        found = await super().from_landing(landing)
        manifest = await landing.manifest(found["extract"])
        held = landing.extract(manifest.extract)
        body = await held.read(RECEIVED)
        if _rows_of(Tree.of(body)) == await held.read(ROWS):
            return found
        self.log.info("The rows of the landed tree are worked out anew from the answer in %s", manifest.extract)
        folder = landing.extract(f"{manifest.extract}-again-{secrets.token_hex(4)}")
        entries = await _pages(folder, body)
        again = manifest.model_dump(
            include={"source", "report", "night", "connection", "attempt", "started", "format", "window", "model"}
        )
        finished, notes = now_after(manifest.finished), {**manifest.notes, "worked_out_from": manifest.extract}
        made = Manifest.of(entries, **again, extract=folder.extract_id, finished=finished, notes=notes)
        await folder.complete(made)
        return describe(made, 0.0)

    async def _land(self, folder: ExtractFolder, body: bytes, progress: Progress, context: Context) -> Manifest:
        tree = Tree.of(body)
        await folder.begin_again()
        entries = await _pages(folder, body)
        self.log.info("The tree has %s", tree.size())
        roles = ", ".join(sorted({entry.role for entry in tree if entry.role}))
        notes: dict[str, str | int] = {"page_1": "the answer as received", "page_2": "its rows", "roles": roles}
        known = {"model": list(TREE_COLUMNS), "vendor_totals": VendorTotals(rows=len(tree)), "notes": notes}
        return self.manifest_of(entries, progress, context, **known)


class ExagoCompareTreesOperator(ExagoExtractOperator):
    """Compare the tree of a night with that of the last night before it, and land what changed as rows.

    It reads the landing only, so it can be run for any night whose tree is landed. The changes are also shown as a
    short text in the log and as the XCom ``changes``.

    :param tree_extract: what the task that took the tree returned
    :param nights_looked_back: how many nights back the last tree may be
    """

    template_fields: Sequence[str] = (*ExtractOperator.template_fields, "tree_extract")

    def __init__(
        self, *, tree_extract: Any, report: str = CHANGES, nights_looked_back: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(report=report, **kwargs)
        self.tree_extract = tree_extract
        self.nights_looked_back = NIGHTS_LOOKED_BACK if nights_looked_back is None else nights_looked_back

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Compare."""
        taken = cast("Mapping[str, Any]", self.tree_extract)
        names = ("report", "night", "extract")
        asked = {**{name: taken[name] for name in names}, "nights_looked_back": self.nights_looked_back}
        progress = await self.going_on(folder, progress, context, asked)
        lake = lake_of_this_deployment()
        now = Landing(lake, self.source, taken["report"], taken["night"]).extract(taken["extract"])
        tree = await now.manifest()
        since, earlier = await self._before(taken["report"])
        changes = () if earlier is None else compare(earlier, Tree.of(await now.read(RECEIVED)))
        text = summary(changes, since)
        self.log.info("%s", text)
        context["ti"].xcom_push(SHOWN_KEY, text)
        await folder.begin_again()
        body = _page([change.row(since) for change in changes])
        entries = [await folder.write(1, body, len(changes))]
        return self.manifest_of(
            entries,
            progress,
            context,
            model=list(CHANGE_COLUMNS),
            window={"since": since, "until": self.night},
            notes={"tree": taken["extract"], "text": text, BEGUN: tree.begun},
        )

    async def _before(self, report: str) -> tuple[str | None, Tree | None]:
        lake, night = lake_of_this_deployment(), date.fromisoformat(self.night)
        for days in range(1, self.nights_looked_back + 1):
            earlier = Landing(lake, self.source, report, (night - timedelta(days=days)).isoformat())
            if (manifest := await earlier.latest()) is not None:
                return manifest.night, Tree.of(await earlier.extract(manifest.extract).read(RECEIVED))
        return None, None


class ExagoReportExtractOperator(ExagoExtractOperator):
    """Run a report and bring what it holds home, as received in the answer's ``ExecuteData``.

    A report without ``{night}`` in its filters and without dates of its own is a snapshot of the present: only the
    night that has just ended can be taken; an older one comes from the landing when it is there.

    :param path: path of the report; or ``report_id``, from 2021.1 on
    :param format: ``csv`` or ``json``
    :param filters: the vendor's objects; ``{night}`` in a value is the night, ``{night:%m/%d/%Y}`` as the server writes
        it
    :param sorts: the vendor's objects
    :param data_type: how the report comes; ``None`` leaves it to the server
    :param data_key: key of the rows, where the JSON of the report is an object
    :param csv: how the CSV is written, as JSON of :class:`nightshift.lake.spec.CsvSpec`
    :param answered_as: path that the server's answer shows for the report, where that is not ``path``: an answer that
        shows another one is refused
    :param key: columns that identify a row; a CSV of a single line without them is no report
    :param no_rows_texts: what the server says, and nothing else, of a report without rows
    :param seconds: how long the server may take for the report
    :param dated: whether its rows say to which night they belong, so that past nights can be asked for
    """

    template_fields: Sequence[str] = (*ExtractOperator.template_fields, "path", "report_id", "filters")

    def __init__(
        self,
        *,
        path: str | None = None,
        report_id: str | None = None,
        format: Form | None = None,  # noqa: A002 - the vendor's word
        filters: Sequence[Mapping[str, Any]] = (),
        sorts: Sequence[Mapping[str, Any]] = (),
        data_type: str | None = DATA_TYPE,
        data_key: str | None = None,
        csv: Mapping[str, Any] | None = None,
        answered_as: str | None = None,
        key: Sequence[str] = (),
        no_rows_texts: Sequence[str] | None = None,
        seconds: float | None = None,
        dated: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.report_id = report_id
        self.format: Form = format or FORM
        self.filters = [dict(one) for one in filters]
        self.sorts = [dict(one) for one in sorts]
        self.data_type = data_type
        self.data_key = data_key or DATA_KEY
        self.csv = dict(csv or {})
        self.answered_as = answered_as
        self.key = tuple(key)
        self.no_rows_texts = NO_ROWS_TEXTS if no_rows_texts is None else tuple(no_rows_texts)
        self.seconds = MINUTES * 60 if seconds is None else seconds
        self.dated = dated
        if not (dated or names_night(self.filters)):
            self.horizon_days = 1

    def beyond_horizon(self) -> tuple[str, str]:
        """Say why an older night cannot be asked for."""
        if self.horizon_days != 1:
            return super().beyond_horizon()
        return (
            f"the report {self.report} is a snapshot of the present, the night {self.night} is past, and the landing "
            "has no complete extract for it",
            "Give it a filter with {night} or a night_column in reports.yaml; only then can past nights be asked for.",
        )

    def asked_for(self) -> dict[str, Any]:
        """Return what of the configuration decides which rows come."""
        return {**super().asked_for(), "path": self.path, "report_id": self.report_id, "filters": self.filters}

    async def extract(self, folder: ExtractFolder, progress: Progress, context: Context) -> Manifest:
        """Run the report and land it."""
        from nightshift.exago.hook import ExagoHook

        began = time.monotonic()
        request = ExecutionRequest(
            path=None if self.path is None else ContentPath.parse(self.path),
            report_id=self.report_id,
            form=self.format,
            filters=for_night(self.filters, self.night),
            sorts=self.sorts,
            data_type=self.data_type,
            answered_as=None if self.answered_as is None else ContentPath.parse(self.answered_as),
            no_rows_texts=self.no_rows_texts,
        )
        async with ExagoHook(self.exago_conn_id, timeout=self.seconds, read_timeout=self.seconds) as hook:
            asked = {**hook.asked_of, **request.noted(), "format": self.format}
            progress = await self.going_on(folder, progress, context, asked)
            try:
                content = await hook.execute(request)
            except (NotFound, Rejected, BadResponse) as error:
                raise await _explained(hook, request.path, error) from None
        seconds = round(time.monotonic() - began, 1)
        self.log.info("The report came in %.1f s: %d bytes", seconds, len(content))
        await folder.begin_again()
        entries = await self._land(folder, content)
        return self.manifest_of(entries, progress, context, format=self.format, request=request.noted())

    async def _land(self, folder: ExtractFolder, content: bytes) -> list[PageEntry]:
        if not content.strip():
            return []
        if what := no_rows(content):
            raise BadResponse(
                f"the report is {what}, not {self.format}",
                vendor=VENDOR,
                connection=self.exago_conn_id,
                advice="Nothing was landed, and what came is not shown: a link of this kind opens the report once. Run "
                "the report in Exago itself; set data_type: Data for it in reports.yaml. Then clear the task.",
            )
        if self.format == "json":
            return [await folder.write(1, content, json_rows(content, self.data_key))]
        if content.lstrip()[:1] in (b"{", b"[") and is_json(content.decode(errors="replace")):
            raise BadResponse("the report is JSON where CSV was asked for", vendor=VENDOR)
        spec = CsvSpec.model_validate(self.csv)
        refuse_no_header(content, self.key, spec)
        async with await folder.open_stream(
            resume=False, quote=spec.quote, delimiter=spec.delimiter, charset=spec.charset
        ) as stream:
            await stream.write(content)
        return list(stream.entries)


async def _explained(hook: ExagoHook, where: ContentPath | None, error: VendorError) -> VendorError:
    """Return the error of a report that is not in the tree with those that are; any other as it is."""
    try:
        known = [] if where is None else sorted(str(one.path) for one in await hook.tree() if one.is_report)
    except VendorError:
        return error
    if where is None or not known or str(where) in known:
        return error
    shown = ", ".join(known[:20]) + (" …" if len(known) > 20 else "")
    return error.replaced(
        problem=f"there is no report {str(where)!r}{nearest(str(where), known, few=True)}",
        advice=f"Nothing was landed. This user sees: {shown}. Correct the path in reports.yaml, or give the user the "
        "report, then clear the task.",
    )


async def _pages(folder: ExtractFolder, body: bytes) -> list[PageEntry]:
    tree = Tree.of(body)
    return [await folder.write(RECEIVED, body, 0), await folder.write(ROWS, _rows_of(tree), len(tree))]


def _rows_of(tree: Tree) -> bytes:
    return _page([entry.row() for entry in tree])


def _page(rows: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"data": rows})
