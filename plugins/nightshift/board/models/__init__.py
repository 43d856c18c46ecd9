"""What every route of the board answers, typed. The front end builds on these names and on nothing else.

All routes are under ``/nightshift/board`` (:data:`nightshift.board.MOUNT`), beside Airflow's own UI; the answers are
JSON:

=====================================================  ==============================
``GET  api/overview``                                  :class:`Overview`
``GET  api/nights?count=30&until=YYYY-MM-DD``          :class:`NightsGrid`
``GET  api/nights/{source}/{report}/{night}``          :class:`CellDetail`
``GET  api/promotions``                                :class:`Lanes`
``GET  api/promotions/{application}?before=<cursor>``  :class:`TimeLine`
``GET  api/figures?days=28``                           :class:`FiguresAnswer`
``GET  api/jobs``                                      :class:`JobsAnswer`
``GET  api/connections``                               :class:`ConnectionsAnswer`
``GET  api/incidents``                                 :class:`IncidentsAnswer`
``GET  api/holds``                                     :class:`HoldsAnswer`
``POST api/holds``                                     :class:`HoldRequest` → :class:`HoldsAnswer`
``POST api/holds/lift``                                :class:`LiftRequest` → :class:`HoldsAnswer`
``POST api/revoke``                                    :class:`RevokeRequest` → :class:`Revoked`
``POST api/doubts/settle``                             :class:`SettleRequest` → :class:`Settled`
``GET  questions/{application}/{run_id}/{task}.svg``   who has answered a question, as a picture in it
``GET  static/{file}``                                 the ES module ``board.js`` and its files
``GET  /``                                             the page for hosts without Airflow's UI
=====================================================  ==============================

Every ``GET`` has an ``ETag`` and answers ``If-None-Match`` with 304. Every error is a :class:`Problem`: 401 not signed
in, 403 no permission, 404 no such thing or none that this person may see, 503 a part that is broken. A part that is
broken beside others that are not is a :class:`Trouble` in the answer. Every ``POST`` is JSON and carries the header
``X-Nightshift-Board: 1``, which no form of another site can send.

What may be pressed is a :class:`Press`: the calls to make, to Airflow's REST API or to ours, each with the path
relative to the base of the Airflow UI. They carry the person's own session; nothing is done in anybody else's name.

Moments are UTC, ISO 8601; nights are ``YYYY-MM-DD``; durations are seconds. Every text that comes from the lake, from a
vendor or from a person is data: show it as text, never as markup. A link is ``http``, ``https``, or a path relative to
the base of the Airflow UI.
"""

from __future__ import annotations

from nightshift.board.models.answers import Answer, ApiCall, Ask, BoardPart, Link, Press, PressKind, Problem, Trouble
from nightshift.board.models.nights import (
    AttemptLine,
    CellDetail,
    CellNote,
    CheckLine,
    ExtractLine,
    NightsGrid,
    ReportRow,
    TableLine,
)
from nightshift.board.models.operations import (
    ConnectionLine,
    ConnectionsAnswer,
    ConnectionState,
    HoldRequest,
    HoldsAnswer,
    IncidentLine,
    IncidentsAnswer,
    JobLine,
    JobsAnswer,
    LiftRequest,
    Seen,
    SignInLine,
    SignInState,
)
from nightshift.board.models.overview import LineTile, NightTile, Overview, PromotionTile, SignInTile
from nightshift.board.models.promotions import (
    DoubtLine,
    FigureLine,
    FiguresAnswer,
    FreezeLine,
    HoldLine,
    Lane,
    Lanes,
    LaneStage,
    PromotionLine,
    Revoked,
    RevokeRequest,
    Settled,
    SettleRequest,
    StageState,
    StepLine,
    TimeLine,
    VersionShown,
    WaitFor,
    WaitLine,
)
from nightshift.jobs.state import JobState
from nightshift.nights.cells import CellState

__all__ = [
    "Answer",
    "ApiCall",
    "Ask",
    "AttemptLine",
    "BoardPart",
    "CellDetail",
    "CellNote",
    "CellState",
    "CheckLine",
    "ConnectionLine",
    "ConnectionState",
    "ConnectionsAnswer",
    "DoubtLine",
    "ExtractLine",
    "FigureLine",
    "FiguresAnswer",
    "FreezeLine",
    "HoldLine",
    "HoldRequest",
    "HoldsAnswer",
    "IncidentLine",
    "IncidentsAnswer",
    "JobLine",
    "JobState",
    "JobsAnswer",
    "Lane",
    "LaneStage",
    "Lanes",
    "LiftRequest",
    "LineTile",
    "Link",
    "NightTile",
    "NightsGrid",
    "Overview",
    "Press",
    "PressKind",
    "Problem",
    "PromotionLine",
    "PromotionTile",
    "ReportRow",
    "RevokeRequest",
    "Revoked",
    "Seen",
    "SettleRequest",
    "Settled",
    "SignInLine",
    "SignInState",
    "SignInTile",
    "StageState",
    "StepLine",
    "TableLine",
    "TimeLine",
    "Trouble",
    "VersionShown",
    "WaitFor",
    "WaitLine",
]
