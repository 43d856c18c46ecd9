"""The operations on folders: create, rename, delete (section 2)."""

from __future__ import annotations

import msgspec

from include.standins.exago.access import Session
from include.standins.exago.failing import Failing
from include.standins.exago.live_tree import LiveTree
from include.standins.exago.paths import NotAPath, body_levels, url_levels
from include.standins.exago.switches import HTTP_STATUS, Answer, StatusCase
from include.standins.exago.tree import CannotChange, Levels, Trouble
from include.standins.routing import Refused, Request, Response

_SAYS = {
    Trouble.EXISTS: ("Exists", "The folder {path} already exists."),
    Trouble.MISSING: ("DoesNotExist", "The folder {path} does not exist."),
    Trouble.NOT_EMPTY: ("Exists", "The folder {path} is not empty."),
    Trouble.READ_ONLY: ("Exists", "The folder {path} is read-only."),
    Trouble.INSIDE_ITSELF: ("Exists", "The folder cannot be moved to {path}, inside itself."),
}


class Renaming(msgspec.Struct, frozen=True, rename="pascal"):
    """Body of a rename (3.4)."""

    old_name: str
    new_name: str


class Folders:
    """The folders of a stand-in.

    :param vendor: the stand-in
    :param live: its tree
    """

    def __init__(self, vendor: Failing, live: LiveTree) -> None:
        self._vendor = vendor
        self._live = live

    async def create(self, request: Request, session: Session) -> Response:
        """Answer ``POST /rest/folders/{Name}``."""
        levels = self._named(request)
        try:
            self._live.create(request, levels)
        except CannotChange as trouble:
            return self._refused(trouble, levels)
        return self._folder(request, levels, "Created")

    async def rename(self, request: Request, session: Session) -> Response:
        """Answer ``POST /rest/folders/rename``."""
        body = self._vendor.parsed(request, Renaming)
        try:
            old, new = (body_levels(name, self._vendor.switches) for name in (body.old_name, body.new_name))
        except NotAPath as wrong:
            raise Refused(self._vendor.failure(400, str(wrong))) from None
        try:
            self._live.rename(request, old, new)
        except CannotChange as trouble:
            return self._refused(trouble, new)
        return self._folder(request, new, "Renamed")

    async def delete(self, request: Request, session: Session) -> Response:
        """Answer ``DELETE /rest/folders/{Name}``."""
        levels = self._named(request)
        try:
            self._live.delete(request, levels)
        except CannotChange as trouble:
            return self._refused(trouble, levels)
        return self._folder(request, levels, "Deleted")

    def _named(self, request: Request) -> Levels:
        lowered = request.raw_path.lower()
        try:
            return url_levels(request.raw_path[lowered.index("/folders/") + len("/folders/") :])
        except NotAPath as wrong:
            raise Refused(self._vendor.failure(400, str(wrong))) from None

    def _folder(self, request: Request, levels: Levels, status: str) -> Response:
        odd = request.fault("odd_status")
        return self._shown(levels, str(odd.detail.get("status", "Pending")) if odd else status)

    def _shown(self, levels: Levels, status: str) -> Response:
        cases = {StatusCase.LOWER: status.lower(), StatusCase.UPPER: status.upper()}
        shown = cases.get(self._vendor.switches.status_case, status)
        return Response.json(200, {"Id": None, "Name": "/".join(levels), "Status": shown})

    def _refused(self, trouble: CannotChange, levels: Levels) -> Response:
        switches = self._vendor.switches
        answers = {
            Trouble.EXISTS: switches.existing,
            Trouble.MISSING: switches.missing,
            Trouble.NOT_EMPTY: switches.not_empty,
            Trouble.READ_ONLY: switches.read_only,
        }
        answer = answers.get(trouble.trouble, Answer.ERROR)
        status, reason = _SAYS[trouble.trouble]
        if answer is Answer.STATUS:
            return self._shown(levels, status)
        return self._vendor.failure(HTTP_STATUS[answer], reason.format(path=trouble.path))
