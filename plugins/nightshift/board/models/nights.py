"""The nights: the grid, and all that is known of one night of one report."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from nightshift.board.models.answers import Answer, Link, Press, Trouble
from nightshift.nights.cells import CellState


class CellNote(Answer):
    """What a cell of the grid has to say besides its state and rows; most have nothing.

    :param late_since: when the night was due and not there, or was due and came later
    :param running: a run of the night is under way now
    :param rebuilt: the night was published more than once by runs of its own
    :param added: columns that came new with this night
    :param widened: columns that got another type, in words
    :param text: why it failed or drifted, or what is unsound
    """

    late_since: AwareDatetime | None = None
    running: bool = False
    rebuilt: bool = False
    added: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    text: str = ""


class ReportRow(Answer):
    """One report: a line of the heat map. All lists are as long as ``NightsGrid.nights``, and in its order.

    :param due: clock time by which a night is to be there, ``HH:MM`` in ``due_timezone``; empty: no such promise
    :param rows: rows of the night in the table; ``null``: not published
    :param shade: rows divided by the trailing median of the same weekday; ``null``: nothing to compare with
    :param notes: night → what else there is to say
    :param waited_for_by: applications that wait for it
    """

    source: str
    report: str
    dag_id: str
    due: str = ""
    due_timezone: str = ""
    states: tuple[CellState, ...]
    rows: tuple[int | None, ...]
    shade: tuple[float | None, ...]
    notes: dict[str, CellNote] = Field(default_factory=dict)
    waited_for_by: tuple[str, ...] = ()


class NightsGrid(Answer):
    """Reports by nights.

    :param nights: the columns, oldest first
    :param newest: the last night that is over in one of the zones of the sources; ``nights`` ends there unless
        ``until`` was asked for
    :param earlier: ``until`` of the page before this one; ``null``: there is nothing earlier
    :param timezones: source → zone whose midnight ends its night
    """

    now: AwareDatetime
    nights: tuple[str, ...]
    newest: str
    earlier: str | None = None
    timezones: dict[str, str] = Field(default_factory=dict)
    reports: tuple[ReportRow, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class CheckLine(Answer):
    """A check, and what it saw."""

    name: str
    ok: bool
    detail: str = ""


class TableLine(Answer):
    """A table as it is now.

    :param version: its version; ``null``: there is no table
    :param nights: how many nights it has
    :param rows: of all nights
    """

    path: str
    version: int | None = None
    nights: int = 0
    rows: int = 0


class ExtractLine(Answer):
    """The extract in the landing that a night was published from.

    :param path: its folder under the lake
    :param bytes: as received, before compression
    """

    path: str
    pages: int | None = None
    rows: int | None = None
    bytes: int | None = None
    started: AwareDatetime | None = None
    finished: AwareDatetime | None = None
    attempt: int | None = None


class AttemptLine(Answer):
    """A run for the night in Airflow, and what its tasks for this report are at.

    :param state: Airflow's word for the run
    :param tasks: task id → Airflow's word for the task instance; empty: it has none
    :param seconds: from the run's start to its end, or to now
    """

    run_id: str
    run_type: str
    state: str
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    seconds: float | None = None
    tasks: dict[str, str] = Field(default_factory=dict)
    by: str = ""
    links: tuple[Link, ...] = ()


class CellDetail(Answer):
    """One night of one report.

    :param rows: in the table now; ``published_rows`` as they were committed
    :param bytes: size of its files in the table
    :param seconds: from the first request of the extract to its last page
    :param usual: trailing median of rows of the same weekday, and of how many nights
    :param version: version of the table that brought the night
    :param replaced: version of the table that had it before, where it was published again
    :param last_good: the newest night before this one that is published
    """

    source: str
    report: str
    night: str
    state: CellState
    note: CellNote = CellNote()
    rows: int | None = None
    published_rows: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    usual: float | None = None
    usual_of: int = 0
    published: AwareDatetime | None = None
    version: int | None = None
    replaced: int | None = None
    due: AwareDatetime | None = None
    checks: tuple[CheckLine, ...] = ()
    checks_known: bool = True
    table: TableLine | None = None
    extract: ExtractLine | None = None
    attempts: tuple[AttemptLine, ...] = ()
    last_good: str | None = None
    depends: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    presses: tuple[Press, ...] = ()
    troubles: tuple[Trouble, ...] = ()
