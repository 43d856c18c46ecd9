"""Packages of partial projects, from 5.2.0.1 on (3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from include.standins.flexdeploy.asking import Asking
from include.standins.flexdeploy.bodies import Body
from include.standins.flexdeploy.site import Package, Project
from include.standins.routing import Request, Response, Route

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn

TYPES: Final = frozenset({"USER_MANAGED", "DYNAMIC"})
STATUSES: Final = frozenset({"ACTIVE", "COMPLETED", "INACTIVE"})


class FileBody(Body, frozen=True, kw_only=True):
    """A file of a package."""

    file_path: str
    object_type: str | None = None
    sequence_number: int | None = None


class PackageBody(Body, frozen=True, kw_only=True):
    """A package; null leaves a PATCH as it is."""

    package_name: str | None = None
    package_type: str | None = None
    package_status: str | None = None
    files: list[FileBody] | None = None


class PackageApi:
    """Handlers of packages.

    :param vendor: the stand-in
    :param asking: its lookups
    """

    def __init__(self, vendor: FlexDeployStandIn, asking: Asking) -> None:
        self._vendor = vendor
        self._asking = asking

    def routes(self) -> Sequence[Route]:
        """Return the operations."""
        served, base = self._vendor.served, "/rest/v1/project/{id}/package"
        return [
            Route("GET", base, served(self.every)),
            Route("POST", base, served(self.create)),
            Route("GET", f"{base}/{{packageName}}", served(self.one)),
            Route("PUT", f"{base}/{{packageName}}", served(self.put)),
            Route("PATCH", f"{base}/{{packageName}}", served(self.patch)),
            Route("DELETE", f"{base}/{{packageName}}", served(self.delete)),
        ]

    def every(self, request: Request) -> Response:
        """List a project's packages."""
        project = self._asking.project(request)
        found = [one for (owner, _), one in self._vendor.site.packages.items() if owner == project.id]
        return self._vendor.listed(request, [_shown(one) for one in found])

    def one(self, request: Request) -> Response:
        """Show a package; its name is case-sensitive."""
        _, package = self._package(request)
        return Response.json(200, _shown(package))

    def create(self, request: Request) -> Response:
        """Make a package: 201."""
        project, body = self._asking.project(request), self._asking.body(request, PackageBody)
        if (
            not project.partial
            or not body.package_name
            or (project.id, body.package_name) in self._vendor.site.packages
        ):
            raise self._asking.refused(400, "packageName has to be new, and the project one with partial deployment.")
        return self._keep(request, project, Package(body.package_name), body, body.files or [], status=201)

    def put(self, request: Request) -> Response:
        """Replace a package, its files too; the name stays."""
        project, package = self._package(request)
        body = self._asking.body(request, PackageBody)
        return self._keep(request, project, replace(package, files=()), body, body.files or [])

    def patch(self, request: Request) -> Response:
        """Append files and change what is not null; the name stays."""
        project, package = self._package(request)
        body = self._asking.body(request, PackageBody)
        return self._keep(request, project, package, body, body.files or [])

    def delete(self, request: Request) -> Response:
        """Delete a package: 200, even if it is absent."""
        project, name = self._asking.project(request), request.parts["packageName"]
        if self._vendor.site.packages.pop((project.id, name), None):
            request.effect("package_deleted", name, project=project.id)
        return Response.json(200, {})

    def _package(self, request: Request) -> tuple[Project, Package]:
        project, name = self._asking.project(request), request.parts["packageName"]
        found = self._vendor.site.packages.get((project.id, name))
        if found is None:
            raise self._asking.unfit(f"Package [{name}] of project [{project.id}] not found.")
        return project, found

    def _keep(
        self, request: Request, project: Project, old: Package, body: PackageBody, more: Sequence[FileBody], *, status: int = 200
    ) -> Response:  # fmt: skip
        if body.package_name not in (None, old.name):
            raise self._asking.refused(400, "The name of a package cannot be changed.")
        new = replace(
            old, type=body.package_type or old.type, status=body.package_status or old.status,
            files=(*old.files, *({"filePath": f.file_path, "objectType": f.object_type, "sequenceNumber": f.sequence_number} for f in more)),
        )  # fmt: skip
        if new.type not in TYPES or new.status not in STATUSES:
            raise self._asking.refused(400, f"packageType {new.type} or packageStatus {new.status} is not known.")
        if len({file["sequenceNumber"] is None for file in new.files}) > 1:
            raise self._asking.refused(400, "All files have a sequenceNumber, or none.")
        if old.status == "COMPLETED" and new.files != old.files:
            raise self._asking.refused(400, f"Package [{old.name}] is COMPLETED.")
        self._vendor.site.packages[project.id, new.name] = new
        paths = [file["filePath"] for file in new.files]
        request.effect("package_changed", new.name, project=project.id, files=paths, status=new.status)
        return Response.json(status, _shown(new))


def _shown(package: Package) -> dict[str, Any]:
    return {
        "packageName": package.name,
        "packageType": package.type,
        "packageStatus": package.status,
        "files": list(package.files),
    }
