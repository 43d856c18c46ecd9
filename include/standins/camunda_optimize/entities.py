"""Reports, dashboards and collections as the public API lists, exports, imports, shares and deletes them."""

from __future__ import annotations

from typing import Any

from include.standins.camunda_optimize.catalog import Catalog, Dashboard, Kind, Report
from include.standins.camunda_optimize.exported import Exported, Place, ReportData, Type
from include.standins.camunda_optimize.payloads import parsed
from include.standins.camunda_optimize.switches import CamundaOptimizeSwitches
from include.standins.routing import Refused, Request, Response
from include.standins.server import StandIn


class Entities:
    """The entities of a stand-in; each handler answers the path that :mod:`.server` gives it.

    :param vendor: the stand-in
    :param catalog: what there is
    """

    def __init__(self, vendor: StandIn[CamundaOptimizeSwitches], catalog: Catalog) -> None:
        self._vendor = vendor
        self._catalog = catalog

    async def report_ids(self, request: Request) -> Response:
        """Answer the ids of a collection's reports."""
        wanted = self._collection(request)
        return Response.json(
            200, [{"id": one.id} for one in self._catalog.reports.values() if one.collection == wanted]
        )

    async def dashboard_ids(self, request: Request) -> Response:
        """Answer the ids of a collection's dashboards."""
        wanted = self._collection(request)
        return Response.json(
            200, [{"id": one.id} for one in self._catalog.dashboards.values() if one.collection == wanted]
        )

    async def report_definitions(self, request: Request) -> Response:
        """Answer the definitions of reports, those that a combined report needs among them."""
        ids = parsed(self._vendor, request, list[str])
        self._all_known(ids, set(self._catalog.reports))
        return self._definitions([self._defined(one) for one in self._with_parts(ids)])

    async def dashboard_definitions(self, request: Request) -> Response:
        """Answer the definitions of dashboards and of the reports on them."""
        ids = parsed(self._vendor, request, list[str])
        self._all_known(ids, set(self._catalog.dashboards))
        boards = [self._catalog.dashboards[one] for one in ids]
        shown = [one for board in boards for one in board.reports]
        return self._definitions(
            [self._board(one) for one in boards] + [self._defined(one) for one in self._with_parts(shown)]
        )

    async def import_entities(self, request: Request) -> Response:
        """Import exported definitions into a collection; all of them or none."""
        name = request.query.get("collectionId")
        if name is not None and name not in self._catalog.collections:
            raise Refused(self._vendor.error(404, f"The collection {name} does not exist."))
        exported = parsed(self._vendor, request, list[Exported])
        for item in exported:
            if item.source_index_version != self._vendor.switches.index_version:
                raise Refused(
                    self._vendor.error(400, "Entities can be imported from the same version of Optimize only.")
                )
            if item.type is Type.REPORT and item.data.process_definition_key not in self._catalog.processes:
                text = f"The definition {item.data.process_definition_key!r} does not exist here."
                raise Refused(self._vendor.error(404, text))
        with self._vendor.locked():
            return Response.json(200, self._imported(request, exported, name))

    async def delete_report(self, request: Request) -> Response:
        """Delete a report, its places on dashboards and in combined reports, and its alerts."""
        report = self._catalog.reports.get(request.parts["id"])
        if report is None:
            raise Refused(self._vendor.error(404, f"The report {request.parts['id']} does not exist."))
        with self._vendor.locked():
            alerts = self._catalog.delete_report(report)
        request.effect("report_deleted", report.id, alerts=alerts)
        return Response(204, content_type="")

    async def delete_dashboard(self, request: Request) -> Response:
        """Delete a dashboard; its reports stay."""
        name = request.parts["id"]
        if name not in self._catalog.dashboards:
            raise Refused(self._vendor.error(404, f"The dashboard {name} does not exist."))
        with self._vendor.locked():
            del self._catalog.dashboards[name]
        request.effect("dashboard_deleted", name)
        return Response(204, content_type="")

    async def enable_sharing(self, request: Request) -> Response:
        """Allow that reports and dashboards are shared."""
        return self._share(request, on=True)

    async def disable_sharing(self, request: Request) -> Response:
        """Forbid that reports and dashboards are shared."""
        return self._share(request, on=False)

    async def label_variables(self, request: Request) -> Response:
        """Set labels of variables."""
        body = parsed(self._vendor, request, dict[str, Any])
        labels = body.get("labels")
        if not body.get("definitionKey") or not isinstance(labels, list):
            raise Refused(self._vendor.error(400, "definitionKey and labels are required."))
        request.effect("variables_labelled", str(body["definitionKey"]), labels=len(labels))
        return Response(204, content_type="")

    def _share(self, request: Request, *, on: bool) -> Response:
        with self._vendor.locked():
            self._catalog.sharing = on
        request.effect("sharing_enabled" if on else "sharing_disabled")
        return Response(204, content_type="")

    def _collection(self, request: Request) -> str:
        wanted = request.query.get("collectionId")
        if not wanted:
            raise Refused(self._vendor.error(400, "The parameter collectionId is missing."))
        if wanted not in self._catalog.collections and self._vendor.switches.unknown_collection == 404:
            raise Refused(self._vendor.error(404, f"The collection {wanted} does not exist."))
        return wanted

    def _all_known(self, ids: list[str], known: set[str]) -> None:
        unknown = [one for one in ids if one not in known]
        if unknown:
            raise Refused(self._vendor.error(404, f"Could not find all entities to export: {', '.join(unknown)}"))

    def _with_parts(self, ids: list[str]) -> list[str]:
        reports = self._catalog.reports
        every = [part for one in ids for part in (one, *reports[one].parts) if part in reports]
        return list(dict.fromkeys(every))

    def _definitions(self, found: list[Exported]) -> Response:
        # The docs say 204, with which HTTP has no body: nothing is what a client can read then.
        status = self._vendor.switches.definitions_status
        return Response.json(status, found) if status == 200 else Response(status, content_type="")

    def _defined(self, name: str) -> Exported:
        report = self._catalog.reports[name]
        combined = report.kind is Kind.COMBINED
        return Exported(
            id=report.id, type=Type.COMBINED if combined else Type.REPORT, name=report.name, collection_id=report.collection,
            source_index_version=self._vendor.switches.index_version,
            data=ReportData(process_definition_key=report.process, kind=report.kind, reports=[Place(part) for part in report.parts]),
        )  # fmt: skip

    def _board(self, board: Dashboard) -> Exported:
        return Exported(
            id=board.id, type=Type.DASHBOARD, name=board.name, collection_id=board.collection,
            source_index_version=self._vendor.switches.index_version, tiles=[Place(one) for one in board.reports],
        )  # fmt: skip

    def _imported(self, request: Request, exported: list[Exported], collection: str | None) -> list[dict[str, str]]:
        catalog = self._catalog
        new = {item.id: catalog.new_id() for item in exported}
        answer = []
        for item in exported:
            name, board = new[item.id], item.type is Type.DASHBOARD
            if board:
                shown = tuple(new[tile.id] for tile in item.tiles if tile.id in new)
                catalog.dashboards[name] = Dashboard(name, item.name, shown, collection)
            else:
                kind = Kind.COMBINED if item.type is Type.COMBINED else item.data.kind
                parts = tuple(new[one.id] for one in item.data.reports if one.id in new)
                process = item.data.process_definition_key
                catalog.reports[name] = Report(name, item.name, kind, 0, process, collection, parts)
            entity = "dashboard" if board else "report"
            request.effect("entity_imported", name, entity=entity, collection=collection)
            answer.append({"id": name, "entityType": entity})
        return answer
