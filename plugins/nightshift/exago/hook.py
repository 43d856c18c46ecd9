"""Exago's REST service: one session a task, folders, the tree, reports (Exago reference, sections 1 to 3)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from nightshift.errors import Ambiguous, BadResponse, Rejected, Unreachable, VendorError
from nightshift.exago.paths import SEPARATORS, VENDOR, ContentPath
from nightshift.exago.report import ExecutionRequest
from nightshift.exago.responses import (
    REASON_KEYS,
    SESSIONS,
    FolderStatus,
    SessionGone,
    checked_folder,
    meaning,
    report_content,
)
from nightshift.exago.source import EXAGO
from nightshift.exago.steps import FolderStep, FolderStepKind
from nightshift.exago.tree import LIST_PATH, Tree
from nightshift.http import credentials as secret
from nightshift.http.address import segment
from nightshift.http.hook import VendorHook
from nightshift.http.response import Response

AUTH_FORMS = ("basic", "exagokey")
END_SECONDS = 10.0
JSON = "application/json"
_NOT_STARTED_AGAIN = (
    "Nothing was landed. The server may still run the report, so it was not started again within this attempt. If it "
    "needs longer, give it more minutes in reports.yaml; if a proxy in between gives up sooner, it needs more time "
    "there. Then clear the task."
)


class Signed(msgspec.Struct, frozen=True):
    """What of a request goes into its signature (``ExagoKey``, Exago reference, section 1.2), besides the date.

    :param method: HTTP method
    :param path: absolute path as sent, without the query
    :param length: Content-Length as sent; empty where none is
    :param content_type: Content-Type as sent
    :param sid: the session; empty where none is
    """

    method: str
    path: str
    length: str
    content_type: str
    sid: str

    def headers(self, user: str, key: str, now: datetime) -> dict[str, str]:
        """Return the headers that authorize the request; the server refuses a date that is 15 minutes old.

        :param user: user id; may be empty
        :param key: the REST key
        :param now: the present, in UTC
        """
        date = format_datetime(now, usegmt=True)
        parts = (self.method, self.path, self.length, self.content_type, "", self.sid, date)
        text = "".join(f"{part}\n" for part in parts)
        digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
        signature = base64.b64encode(digest).decode("ascii")
        return {"Authorization": f"ExagoKey {user}:{signature}", "X-Exago-Date": date}


_signed: ContextVar[Signed | None] = ContextVar("exago_signed", default=None)


class ExagoHook(VendorHook):
    """Asynchronous client of the REST service; use as ``async with ExagoHook() as hook``.

    A session is opened with the first request that needs one and is ended when the block ends, also after an error.
    When the server says that it does not know the session any more, a request is repeated once with a new one. The
    session's id is in no log line, message or file. A process that is killed cannot end its session; the server does.

    The connection: host = root of the web service, such as ``https://bi.example.com/ExagoWebApi``; login = user id, may
    be empty; password = REST key. Extras: ``auth`` (``basic``, the default, or ``exagokey``: each request signed),
    ``separator`` (between the levels of a path in bodies: a backslash, the default, or ``/`` from 2020.1), ``config``
    (configuration file of the server, without ``.xml``), ``session`` (object, sent when a session is opened),
    ``storage_identity`` (object, sent to StorageMgmt with each new session, from 2020.1), and those of
    :class:`nightshift.http.hook.VendorHook`.

    :param exago_conn_id: id of the Airflow connection
    """

    conn_name_attr = "exago_conn_id"
    default_conn_name = EXAGO.default_connection
    conn_type = EXAGO.type
    hook_name = EXAGO.name
    vendor = VENDOR
    detail_keys: ClassVar[tuple[str, ...]] = REASON_KEYS
    own_extras = EXAGO.extras
    advice: ClassVar[Mapping[int, str]] = {
        400: "Exago calls the request wrong: often a method that the server's version does not have.",
        401: "Correct user id (login) and REST key (password) of the connection.",
        404: "There is nothing under this path: check the host of the connection, its context path, and the names.",
        409: "Somebody else has changed the tree: look at it in Exago, then clear the task.",
        503: "The service behind Exago is not running: tell its administrator. Nothing was changed by this request.",
    }

    def __init__(self, conn_id: str | None = None, **overrides: Any) -> None:
        super().__init__(conn_id, **overrides)
        self._sid: str | None = None
        self._session_gate = asyncio.Lock()

    async def __aexit__(self, *raised: object) -> None:
        """End the session with the outermost block, then close."""
        if self._users == 1:
            await self._end_session()
            self._session_gate = asyncio.Lock()
        await super().__aexit__(*raised)

    async def authorize(self) -> Mapping[str, str]:
        """Return Basic from user id and key, also where both are empty, or the signature of this very request."""
        form = str(self.extra("auth", "basic")).lower()
        if form not in AUTH_FORMS:
            raise Rejected(f"the extra auth is {form!r}; valid: {', '.join(AUTH_FORMS)}", vendor=VENDOR)
        signed = _signed.get()
        if form == "basic" or signed is None:
            return secret.basic(self.login, self.password)
        return signed.headers(self.login or "", self.password or "", datetime.now(UTC))

    @property
    def asked_of(self) -> dict[str, Any]:
        """Who is asked, and as whom: the session decides, too."""
        names = ("config", "session", "storage_identity")
        return {**super().asked_of, **{name: self.extra(name, None) for name in names}}

    def diagnose(self, response: Response) -> VendorError | None:
        """Tell apart what the server all calls 500."""
        return meaning(response)

    async def tree_answer(self) -> bytes:
        """Return the whole tree as received; other users' changes show at once, or later where the server caches."""
        return (await self._asked("GET", LIST_PATH)).body

    async def tree(self) -> Tree:
        """Return the whole tree.

        :raises BadResponse: the answer is not a tree
        """
        return Tree.of(await self.tree_answer())

    async def create_folder(self, path: ContentPath) -> FolderStatus:
        """Create a folder, and return ``CREATED`` or, where it is there, ``EXISTS``; every user sees it at once.

        :raises Rejected: the folder is called ``rename`` and at the root, which the server takes for another request
        :raises Ambiguous: it may or may not have been made; look at the tree
        """
        if path.is_reserved:
            raise Rejected(f"a folder {path} at the root cannot be made by REST", vendor=VENDOR)
        response = await self._asked("POST", f"/rest/folders/{path.in_url}")
        return checked_folder(response, frozenset({FolderStatus.CREATED, FolderStatus.EXISTS}), f"create {path}")

    async def rename_folder(self, old: ContentPath, new: ContentPath) -> FolderStatus:
        """Rename or move a folder with all that is in it; every user sees it at once.

        :param new: new parent and new name
        :raises Rejected: the server did not do it
        :raises Ambiguous: it may or may not have been done; look at the tree
        """
        separator = self._separator()
        body = {"OldName": old.in_body(separator), "NewName": new.in_body(separator)}
        response = await self._asked("POST", "/rest/folders/rename", body=body)
        return checked_folder(response, frozenset({FolderStatus.RENAMED}), f"move {old} to {new}")

    async def delete_folder(self, path: ContentPath) -> FolderStatus:
        """Delete an empty folder, and return ``DELETED`` or, where it is not there, ``MISSING``.

        :raises Rejected: the server did not do it, for instance because it is not empty
        :raises Ambiguous: it may or may not have been done; look at the tree
        """
        response = await self._asked("DELETE", f"/rest/folders/{path.in_url}")
        return checked_folder(response, frozenset({FolderStatus.DELETED, FolderStatus.MISSING}), f"delete {path}")

    async def apply(self, step: FolderStep) -> FolderStatus:
        """Ask for one step of a plan."""
        match step.kind:
            case FolderStepKind.CREATE:
                return await self.create_folder(step.source)
            case FolderStepKind.MOVE:
                return await self.rename_folder(step.source, step.target)
            case FolderStepKind.DELETE:
                return await self.delete_folder(step.source)

    async def execute_report(self, path: ContentPath | None = None, **asked: Any) -> bytes:
        """Run a report, wait for it, and return what it holds, as text of the form that was asked for.

        The server answers when the report is done, so the connection's time-out bounds the run. The answer, at most
        64 MiB, is held in memory.

        :param path: of the report; or ``report_id``, from 2021.1 on: exactly one
        :param asked: further fields of :class:`nightshift.exago.report.ExecutionRequest`
        :raises ReportFailed: the report failed, which the server says with a status of 200
        """
        return await self.execute(ExecutionRequest(path=path, **asked))

    async def execute(self, request: ExecutionRequest) -> bytes:
        """Run a report as :meth:`execute_report` does. One whose answer was lost is not asked for again: the server may
        still be at work on it, and would begin a second time.

        :raises Unreachable: no answer in time, or none that says what became of the report
        """
        body = request.body(self._separator())
        try:
            response = await self._asked("POST", f"/rest/Reports/Execute/{request.form}", body=body, safe=False)
        except Ambiguous as lost:
            if lost.status is not None and lost.status < 300:
                raise lost.as_type(BadResponse) from None
            raise lost.as_type(Unreachable, advice=_NOT_STARTED_AGAIN) from None
        # What has come changes nothing.
        read = msgspec.structs.replace(response, context=msgspec.structs.replace(response.context, safe=True))
        return report_content(read, request)

    async def check(self) -> str:
        """Open a session and read the tree."""
        return f"Exago answers at {self.base_url}: {(await self.tree()).size()}"

    async def _asked(self, method: str, path: str, *, body: Any = None, safe: bool | None = None) -> Response:
        """Send a request within the session; a session that the server has forgotten is made anew once."""
        sid = await self._session()
        try:
            return await self._send_signed(method, path, body=body, safe=safe, sid=sid)
        except SessionGone:
            self.log.info("%s does not know the session any more; opening a new one", VENDOR)
            return await self._send_signed(method, path, body=body, safe=safe, sid=await self._session(instead_of=sid))

    async def _session(self, instead_of: str | None = None) -> str:
        async with self._session_gate:
            if self._sid is None or self._sid == instead_of:
                self._sid = None
                self._sid = await self._open_session()
            return self._sid

    async def _open_session(self) -> str:
        given = self.extra("session")
        try:
            response = await self._send_signed("POST", SESSIONS, body=given, params={"config": self.extra("config")})
            made = response.json(dict[str, Any])
        except Ambiguous as error:
            raise error.as_type(
                Unreachable,
                advice="No session was made, or one that the server ends by itself; nothing was changed. Once the "
                "server answers, clear the task.",
            ) from None
        sid = str(made.get("Id") or made.get("id") or "")
        if not sid:
            raise response.context.error(BadResponse, "the answer names no session", status=response.status)
        await self.keep_secret(sid)
        if identity := self.extra("storage_identity"):
            try:
                await self._send_signed("PATCH", "/rest/StorageMgmt", body=identity, sid=sid, safe=True)
            except BaseException:
                self._sid = sid
                await self._end_session()
                raise
        return sid

    async def _end_session(self) -> None:
        sid, self._sid = self._sid, None
        if sid is None:
            return
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._send_signed("DELETE", f"{SESSIONS}/{segment(sid)}", safe=True, ok={200, 202, 204, 404})
        except SessionGone:
            pass
        except (VendorError, TimeoutError) as error:
            self.log.warning("The session could not be ended (%s); the server ends it by itself", type(error).__name__)

    async def _send_signed(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        sid: str | None = None,
        params: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Response:
        text = None if body is None else msgspec.json.encode(body)
        length = "" if text is None and method == "GET" else str(len(text or b""))
        absolute = urlsplit(self._root().url(path)).path
        token = _signed.set(Signed(method, absolute, length, JSON, sid or ""))
        try:
            return await self.request(
                method,
                path,
                params={**(params or {}), "sid": sid},
                data=text,
                headers={"Content-Type": JSON},
                accept=JSON,
                **more,
            )
        finally:
            _signed.reset(token)

    def _separator(self) -> str:
        separator = str(self.extra("separator", SEPARATORS[0]))
        if separator not in SEPARATORS:
            raise Rejected("the extra separator is a backslash or /", vendor=VENDOR)
        return separator
