"""What the reference of Exago leaves open or ties to a version, each as a switch."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from include.standins.switches import Switches

USER_ID, REST_KEY = "nightshift", "standin-exago"


class Version(StrEnum):
    """What is tied to a version: the storage identity and ``/`` in bodies come with 2020.1, ``Entity`` and four more
    keys of a node with 2021.1.
    """

    V2019 = "2019.2"
    V2020 = "2020.1"
    V2021 = "2021.1"


class AuthType(StrEnum):
    """Types of ``Authorization`` that are taken."""

    BASIC = "basic"
    EXAGO_KEY = "exagokey"


class WrongAuth(StrEnum):
    """How wrong credentials look: status 500 whose reason is *Unauthorized* (or a message about base 64), or 401."""

    ERROR = "error"
    UNAUTHORIZED = "unauthorized"


class ErrorBody(StrEnum):
    """Shape of an error's body: JSON with ``reason``, plain text, or HTML."""

    JSON = "json"
    TEXT = "text"
    HTML = "html"


class ChildKey(StrEnum):
    """Key of a node's children."""

    LOWER = "entity"
    UPPER = "Entity"


class Separator(StrEnum):
    """What splits the levels of a path in a body."""

    BACKSLASH = "backslash"
    SLASH = "slash"
    EITHER = "either"


class Answer(StrEnum):
    """What an operation that cannot be done gets: 200 with a Status that says so, or an HTTP error."""

    STATUS = "status"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    ERROR = "error"


HTTP_STATUS = {
    Answer.STATUS: 200,
    Answer.BAD_REQUEST: 400,
    Answer.NOT_FOUND: 404,
    Answer.CONFLICT: 409,
    Answer.ERROR: 500,
}


class StatusCase(StrEnum):
    """Letter case of a folder's ``Status``."""

    DOCUMENTED = "documented"
    LOWER = "lower"
    UPPER = "upper"


class JsonResult(StrEnum):
    """Whether ``ExecuteData`` of a JSON execution is text that holds JSON, or the JSON itself."""

    TEXT = "text"
    VALUE = "value"


class NoRows(StrEnum):
    """What comes of a report without rows: the report, or the server's words as an error or in the report's place."""

    SHOWN = "shown"
    ERROR = "error"
    TEXT = "text"


class ExagoSwitches(Switches, frozen=True, kw_only=True):
    """Every open point of the reference, with the default that it recommends or that seems likeliest.

    ``user_id`` and ``rest_key``: the credentials, the user may be blank; ``secured`` off: an unsecured configuration,
    which takes ``Basic Og==``. ``rest_enabled`` off: every request gets 500 with HTML. ``words_case_sensitive``: words
    of the path as the reference prints them; ``names_case_sensitive``: of folders and reports. ``configs``: what
    ``?config=`` may name. ``session_seconds``: life of a session since its last request; ``session_calls``: it ends
    after so many. ``session_id_key``: of the session's JSON. ``role``: ``user`` of every node. ``child_key``,
    ``separator``: instead of what ``version`` says. ``numeric_types``: of nodes. ``existing``, ``missing``,
    ``not_empty``, ``read_only``: answer to a folder that is there, is not (or its parent), holds something, may not be
    changed. ``parents_made``: creating a folder makes the folders above it. ``listing_lag_calls``: a listing does not
    show what the last so many requests changed. ``parties``: path of a top folder → whom it is shown to (a value of the
    storage identity), from 2020.1 on and unless ``IsAdmin``. ``report_rows``: rows of a report by path;
    ``failing_reports``: path → what its ``ErrorList`` says; ``no_rows``: what a report without rows is, and
    ``no_rows_words`` what it then says.

    At the start only: ``tree``: paths of all that there is, a folder's with ``/`` at its end; ``documented_tree``: the
    tree of the vendor's page and nothing else.
    """

    version: Version = Version.V2019
    user_id: str = USER_ID
    rest_key: str = REST_KEY
    secured: bool = True
    auth_types: list[AuthType] = msgspec.field(default_factory=lambda: list(AuthType))
    wrong_auth: WrongAuth = WrongAuth.ERROR
    error_body: ErrorBody = ErrorBody.JSON
    rest_enabled: bool = True
    words_case_sensitive: bool = False
    names_case_sensitive: bool = True
    configs: list[str] = msgspec.field(default_factory=lambda: ["WebReports"])
    session_seconds: float = 1200
    session_calls: int | None = None
    session_id_key: str = "Id"
    role: str = "Admin"
    child_key: ChildKey | None = None
    separator: Separator | None = None
    numeric_types: bool = False
    existing: Answer = Answer.STATUS
    missing: Answer = Answer.STATUS
    not_empty: Answer = Answer.CONFLICT
    read_only: Answer = Answer.ERROR
    status_case: StatusCase = StatusCase.DOCUMENTED
    parents_made: bool = False
    listing_lag_calls: int = 0
    parties: dict[str, str] = msgspec.field(default_factory=dict)
    report_rows: dict[str, int] = msgspec.field(default_factory=dict)
    failing_reports: dict[str, str] = msgspec.field(default_factory=dict)
    no_rows: NoRows = NoRows.SHOWN
    no_rows_words: str = "No data qualified for the report."
    json_result: JsonResult = JsonResult.TEXT
    tree: list[str] | None = None
    documented_tree: bool = False
