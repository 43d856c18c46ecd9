"""What the server's answers mean: 200 is not yet a success, 500 not always a failure (reference, 3.2, 3.5, 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

import msgspec

from nightshift.errors import AuthFailed, BadResponse, NotFound, Rejected, Unreachable, VendorError
from nightshift.exago.report import NO_ROWS_ADVICE, ExecutionRequest, says_no_rows
from nightshift.http.bodies import BOM
from nightshift.http.response import Response

REASON_KEYS = ("reason", "Reason", "message", "Message", "error", "detail")
SESSIONS = "/rest/sessions"
_MOST_WORDS = 1000

_NO_SERVICE = (
    "Nothing was changed. A service that restarts answers like this for a while: clearing the task asks again. If it "
    "lasts, put the root of the web service into the host of the connection, such as "
    "https://bi.example.com/ExagoWebApi, and check ExagoREST in appSettings.config of the server."
)
_BAD_KEY = (
    "Correct user id (login) and REST key (password) of the connection; they are set in Exago's Admin Console, "
    "General, Other Settings."
)
_NO_CONFIG = (
    "Correct the extra config of the connection: the name of the file without .xml; upper and lower case count."
)


class SessionGone(VendorError):
    """The server does not know the session any more; the request was not carried out."""

    default_advice = (
        "Nothing was changed by this request. Clearing the task asks in a new session; if that one goes, too, the "
        "server may be restarting."
    )


class NoService(Unreachable, NotFound):
    """A page of a web server came where the service should answer: it is restarting, or it is not there or not enabled.

    Nothing in the answer tells which (Exago reference, section 5), so it is asked again, and the message says both.
    """


class ReportFailed(BadResponse):
    """The server ran a report and the report failed, although the answer's status is 200."""

    default_advice = (
        f"Nothing was taken over. Run the report in Exago itself; if it works there, clear the task. {NO_ROWS_ADVICE}"
    )


class FolderStatus(StrEnum):
    """What became of a folder."""

    EXISTS = "Exists"
    MISSING = "DoesNotExist"
    CREATED = "Created"
    DELETED = "Deleted"
    RENAMED = "Renamed"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, text: str | None) -> FolderStatus:
        """Read the vendor's word, in any case of letters."""
        return next((one for one in cls if one.value.lower() == (text or "").strip().lower()), cls.UNKNOWN)


class FolderResponse(msgspec.Struct, frozen=True):
    """Answer of a change of a folder.

    :param name: whole path, as the server writes it
    :param word: the vendor's own word for the status
    """

    name: str | None = msgspec.field(default=None, name="Name")
    word: str | None = msgspec.field(default=None, name="Status")

    @property
    def status(self) -> FolderStatus:
        """The status."""
        return FolderStatus.of(self.word)


class ReportResponse(msgspec.Struct, frozen=True):
    """Answer of a report's execution.

    :param path: path of the report
    :param data_type: what ``content`` holds: ``Data``, or ``Url`` of a file
    :param content: the report
    :param is_error: whether the report failed
    :param errors: why
    """

    path: str | None = msgspec.field(default=None, name="ReportPath")
    data_type: str | int | None = msgspec.field(default=None, name="DataType")
    content: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"null"), name="ExecuteData")
    is_error: bool | None = msgspec.field(default=None, name="IsError")
    errors: Any = msgspec.field(default=None, name="ErrorList")


def checked_folder(response: Response, wanted: frozenset[FolderStatus], what: str) -> FolderStatus:
    """Return the status of a folder's change.

    :param response: with a status of 200
    :param wanted: which statuses are a success
    :param what: what was asked for, for the message
    :raises Rejected: another status, which says that it was not done
    :raises Ambiguous: no status, or one that is not known
    """
    found = response.json(FolderResponse)
    if found.status in wanted:
        return found.status
    if found.status is FolderStatus.UNKNOWN:
        raise response.refused(f"to {what} has the status {found.word!r}, which is not known")
    raise response.context.error(
        Rejected,
        f"the server did not {what}: its status is {found.word}",
        status=response.status,
        advice="Look at the tree in Exago: somebody else may have changed it. Nothing was changed by this request.",
    )


def report_content(response: Response, request: ExecutionRequest) -> bytes:
    """Return what a report holds; nothing where the server's words for a report without rows are all that there is, as
    an error, in the list of errors or in the report's place.

    :param response: of the execution
    :param request: what was asked for; upper and lower case of the path count, which separator it has does not (Exago
        reference, section 6)
    :raises ReportFailed: the report failed; with the server's list of errors
    :raises BadResponse: no content, or a link instead of it, or another report
    """
    form, asked = request.form, request.answered_as or request.path
    found = response.json(ReportResponse)
    has_none = _has_no_rows(found, request.no_rows_texts)
    if found.is_error and not has_none:
        raise response.context.error(
            ReportFailed, "the report failed at the server", status=response.status, detail=_listed(found.errors)
        )
    if str(found.data_type).lower() == "url" and not has_none:
        raise response.refused("has a link instead of the report", advice="Ask for data_type Data.")
    shown = re.sub(r"[\\/]+", "/", found.path or "").strip("/")
    if asked is not None and shown not in ("", str(asked)):
        raise response.refused(
            f"holds the report {shown!r}, not {str(asked)!r}",
            advice="Nothing was landed. If that is the same report, put the path that the server shows under "
            "answered_as of this report in reports.yaml. Else tell Exago's administrator; clearing the task asks "
            "again.",
        )
    if has_none:
        return b""
    raw = bytes(found.content).strip()
    if raw.startswith(b'"'):
        try:
            text = msgspec.json.decode(raw, type=str)
        except UnicodeDecodeError:
            raise response.refused(f"has a {form} in ExecuteData that is not UTF-8") from None
        return text.encode("utf-8", "surrogatepass").removeprefix(BOM)
    if raw == b"null" or form == "csv":
        raise response.refused(f"has no {form} in ExecuteData")
    return raw


def meaning(response: Response) -> VendorError | None:
    """Return the error that a 500, or a page with 404, really means; ``None`` where it says nothing more (Exago
    reference, section 5).
    """
    error, at_the_door = response.context.error, response.context.path.lower().endswith(SESSIONS)
    if response.is_page and (response.status == 404 or (response.status == 500 and at_the_door)):
        problem = "a page of a web server came where the REST service should answer"
        return error(NoService, problem, status=response.status, advice=_NO_SERVICE)
    if response.status != 500 or response.is_page:
        return None
    words = response.words(REASON_KEYS).strip().lower()
    if "setupd is null" in words:
        return error(SessionGone, "the server does not know the session any more", status=500)
    if words.startswith("unauthorized") or re.search(r"base-?64", words):
        return error(AuthFailed, "the server does not accept the credentials", status=500, advice=_BAD_KEY)
    if "unable to load configuration" in words:
        return error(Rejected, "the server has no such configuration file", status=500, advice=_NO_CONFIG)
    return None


def _has_no_rows(found: ReportResponse, texts: Sequence[str]) -> bool:
    """Tell whether an answer says that the report has no rows, and says and holds nothing else."""
    content = bytes(found.content).strip()
    if len(content) > _MOST_WORDS:
        return False
    held = content.decode(errors="replace")
    if content.startswith(b'"'):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            held = msgspec.json.decode(content, type=str)
    said = [*_words(found.errors), *([held] if held.strip() not in ("", "null", "[]") else [])]
    return bool(said) and all(says_no_rows(text, texts) for text in said)


def _words(errors: Any) -> list[str]:
    """Return the texts of a list of errors, which may be objects."""
    entries = errors if isinstance(errors, list) else [] if errors is None else [errors]
    named = [
        next((one[key] for key in REASON_KEYS if one.get(key)), one) if isinstance(one, Mapping) else one
        for one in entries
    ]
    return [str(one) for one in named]


def _listed(errors: Any) -> str:
    if isinstance(errors, list):
        return " · ".join(str(one) for one in errors)
    return "" if errors is None else str(errors)
