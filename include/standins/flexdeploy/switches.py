"""What the reference of FlexDeploy leaves open or ties to a version, each as a switch."""

from __future__ import annotations

from datetime import time
from enum import StrEnum

import msgspec

from include.standins.switches import Switches


class ListShape(StrEnum):
    """Shape of a v1 list. ``BARE_ONE``: an array, but a bare object where exactly one is found. ``LAST_BARE``: the last
    one found, bare, whatever there is, as the page's example of a query by application. ``ITEMS``: wrapped as in v2.
    """

    ARRAY = "array"
    BARE_ONE = "bare_one"
    LAST_BARE = "last_bare"
    ITEMS = "items"


class AnswerForm(StrEnum):
    """What a started build, deploy or execute answers: the documented object, ``{"workflowRequestId": "12019"}`` of
    5.2, or the bare number (3.6).
    """

    DOCUMENTED = "documented"
    ID_OBJECT = "id_object"
    BARE_ID = "bare_id"


class ListKey(StrEnum):
    """Key of the list of requests. ``EXAMPLES``: ``wfrequests`` for execute, ``workflowRequests`` for the others
    (3.5).
    """

    EXAMPLES = "examples"
    WORKFLOW_REQUESTS = "workflowRequests"
    WFREQUESTS = "wfrequests"


class Nothing(StrEnum):
    """The list of requests in a 200 answer, where nothing was started (3.6)."""

    EMPTY = "empty"
    NULL = "null"
    ABSENT = "absent"


class Names(StrEnum):
    """Names of a request's attributes in v1: the documented ones, or the entity-style names of 6.0 (3.6)."""

    DOCUMENTED = "documented"
    ENTITY = "entity"


class ErrorBody(StrEnum):
    """Body of an error (5). ``NULL_POINTER``: a Java exception, whatever went wrong."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    EMPTY = "empty"
    NULL_POINTER = "null_pointer"


class Taken(StrEnum):
    """What is done with something that no page describes."""

    IGNORE = "ignore"
    REJECT = "reject"


class Told(StrEnum):
    """Where v2 tells in which folder a project or a folder lies, which no source says: in each row of a list, only
    where it is asked for by its id, there as ``folderPath`` instead of ``folderId``, or nowhere.
    """

    ROWS = "rows"
    BY_ID = "by_id"
    PATH_BY_ID = "path_by_id"
    NOWHERE = "nowhere"


class Changes(StrEnum):
    """When the source control of a stream has something new: each day at midnight UTC and by a commit, only by a
    commit, or always.
    """

    DAILY = "daily"
    COMMITS = "commits"
    ALWAYS = "always"


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Deployment window of an environment, UTC; past midnight where ``closes`` is not after ``opens``.

    :param opens: ``HH:MM``
    :param closes: ``HH:MM``, the first minute that is outside
    :param days: ISO weekdays (1 is Monday) on which it opens; empty: all
    """

    opens: str
    closes: str
    days: list[int] = []

    def __post_init__(self) -> None:
        for text in (self.opens, self.closes):
            time.fromisoformat(text)
        if not set(self.days) <= set(range(1, 8)):
            raise ValueError(f"days are 1 to 7, not {self.days}")


class FlexDeploySwitches(Switches, frozen=True, kw_only=True):
    """Switches of the FlexDeploy stand-in. Numbers in brackets are sections of the reference; times are seconds of the
    stand-in's clock.

    **Life.** ``initiated_seconds`` in INITIATED (0: the answer of the POST has the next state, READY in the page's
    examples). ``ready_seconds``: least time in READY. ``build_seconds``, ``deploy_seconds`` (all instances, one after
    the other), ``utility_seconds``: in SUBMITTED. ``visible_after``: a new request is not found by a poll before that.
    ``threads``: requests that run at a time (4.4).

    **Gates** (4.4), by environment code. ``approvals``: how many approval tasks a deploy or utility run opens;
    ``approve_after``: somebody approves each after so long, default nobody. ``windows``: deployment windows.
    ``external_approvals``: decided in another system, so not through this API.

    **Source control.** ``changes``: what a build without ``forceBuild`` finds.

    **Answers.** ``project_list``: of the project query (3.1); ``lists``: of all other v1 lists. ``answer_form``,
    ``list_key``, ``nothing``, ``names`` (3.6). ``project_path_shown``: ``projectPath``, which no example has (3.1).
    ``folder_told``: where v2 names the folder; ``sub_folders``: whether its ``folderId`` and ``parentFolderId`` find
    what lies in folders below as well; ``most_items``: rows of a v2 list at most, with ``hasMore`` (none is known).
    ``messages_key``: what an execution calls its messages; empty: it has none (2: "and their logs").

    **Errors.** ``error_body``; ``unknown_project_status``: of GET by id and execute, where the page lists no 404;
    ``unknown_request_status``; ``bad_reference_status``: for an environment, stream, instance, version, package or
    release that is not there or does not fit.

    **Requests.** ``unknown_keys`` of a body, ``unknown_codes`` of inputs and FlexFields. ``project_id_required``: in
    the deploy body, as the table says and the example does not (3.4).

    **Generations.** ``v1``, ``v2``: whether the server has them. ``tokens``: API tokens, from 6.0 on.

    **What was deployed** (:mod:`~include.standins.flexdeploy.applications`). ``bad_versions``: ids that answer 503.
    ``bad_after_seconds``, ``bad_after_calls``: every deployment turns bad so long after it was first asked, or after so
    many answers; in ``bad_environments`` only, where any are named by their codes. ``health_signs_in``: the endpoints
    want a login.

    At the start only: ``documented_site``: the projects of the vendor's page instead of the default ones;
    ``first_request_id``. Paths that no source has, under the context path, empty: not there; a person at the vendor's
    site would fill them in: ``approve_path`` (assumed: mirrors reject), ``run_path`` and ``cancel_path`` of scheduled
    tasks, with ``{taskId}``, taken with PUT and POST; ``abort_path`` with ``{workflowRequestId}``, likewise.
    """

    initiated_seconds: float = 0.0
    ready_seconds: float = 0.2
    build_seconds: float = 0.8
    deploy_seconds: float = 0.8
    utility_seconds: float = 0.8
    visible_after: float = 0.0
    threads: int = 20

    approvals: dict[str, int] = msgspec.field(default_factory=dict)
    approve_after: float | None = None
    windows: dict[str, Window] = msgspec.field(default_factory=dict)
    external_approvals: bool = False

    changes: Changes = Changes.DAILY

    project_list: ListShape = ListShape.BARE_ONE
    lists: ListShape = ListShape.ARRAY
    answer_form: AnswerForm = AnswerForm.DOCUMENTED
    list_key: ListKey = ListKey.EXAMPLES
    nothing: Nothing = Nothing.EMPTY
    names: Names = Names.DOCUMENTED
    project_path_shown: bool = False
    folder_told: Told = Told.ROWS
    sub_folders: bool = False
    most_items: int | None = None
    messages_key: str = "messages"

    error_body: ErrorBody = ErrorBody.TEXT
    unknown_project_status: int = 404
    unknown_request_status: int = 404
    bad_reference_status: int = 400

    unknown_keys: Taken = Taken.IGNORE
    unknown_codes: Taken = Taken.IGNORE
    project_id_required: bool = False
    package_details_required: bool = True

    v1: bool = True
    v2: bool = True
    tokens: bool = True

    bad_versions: list[int] = msgspec.field(default_factory=list)
    bad_after_seconds: float | None = None
    bad_after_calls: int | None = None
    bad_environments: list[str] = msgspec.field(default_factory=list)
    health_signs_in: bool = False

    documented_site: bool = False
    first_request_id: int = 12001
    approve_path: str = "/rest/v1/tasks/approval/approve/{taskId}"
    run_path: str = "/rest/v1/tasks/scheduled/run/{taskId}"
    cancel_path: str = "/rest/v1/tasks/scheduled/cancel/{taskId}"
    abort_path: str = ""
