"""Stand-in vendors: real HTTP servers that behave as the vendors' references say, keep a ledger and break on demand.

They are for tests, for benchmarks and for ``make run``. Each is written from the vendor's reference alone and knows
nothing of the client that calls it. No Airflow, no pyarrow; ``aiohttp`` and ``msgspec`` only.

**Run one.** ``FlexNetStandIn(port=0, seed=7, latency=0.0, switches=…, clock=…, ledger_file=…)``; port 0 takes a free
one.

* test, own thread: ``with FlexNetStandIn() as vendor: … vendor.url`` (the root that a person pastes into a connection)
* same event loop: ``async with FlexNetStandIn() as vendor: …``
* process: ``python -m include.standins --vendor flexnet=18201 --vendor tokenflex=0 --seed 7 [--latency-ms 50]
  [--switch flexnet.date_to=inclusive] [--ledger-dir DIR] [--ready-file FILE]``.
  Prints ``flexnet http://127.0.0.1:18201`` when that vendor listens; the ready file (JSON ``{"flexnet": "http://…"}``)
  appears, whole, when all listen. SIGTERM or SIGINT ends it.

**Write one.** Subclass :class:`StandIn` in a package beside this module, named as the connection type, and export that
one class there: ``make run``, Compose and the command above find it by that. What no vendor would send is for
:mod:`include.standins.scripted`::

    class ExagoSwitches(Switches, frozen=True, kw_only=True):      # one field for every [unknown] and [assumed]
        created_status: int = 200                                  # typed, with a default, explained in the docstring

    class ExagoStandIn(StandIn[ExagoSwitches]):
        name = "exago"                     # the connection type
        root = "/ExagoWebApi"              # context path; routes are under it
        switches_type = ExagoSwitches
        fault_kinds = frozenset({"tree_shifts"})        # the vendor's own faults, see below
        secret_query = frozenset({"sid"})               # query parameters that the ledger must not keep
        side_origins = ("download",)                    # further listeners: another host; self.origin("download")

        def routes(self) -> Sequence[Route]:
            return [Route("GET", "/rest/Folders/{name}", self.folder),
                    Route("GET", "/file/{id}", self.file, public=True, origin="download")]

        def authenticate(self, request: Request) -> str:      # the user's name, or raise Refused(Response.json(401, …))
        def page_of(self, request: Request) -> int | None:    # what a fault's `page` is compared with; default None

        async def folder(self, request: Request) -> Response:
            request.parts["name"]                          # path parts, each decoded exactly once
            request.query (multidict) · request.body · request.json() · request.headers · request.user
            request.effect("folder_created", key=name, parent=parent)          # into the ledger, before the answer
            fault = request.fault("tree_shifts")           # Fault or None: is this fault of ours due in this call?
            raise Refused(self.error(404, "no such folder"))
            return Response.json(200, {...}) or Response(200, body=bytes | iterable of bytes, length=…, headers=…)

* ``self.switches`` is replaced as a whole on a change: read it in each call, do not keep it.
* Time is ``self.clock.now()`` (UTC) and ``self.clock.elapsed()`` (seconds, never backwards): tests move it with
  ``vendor.clock.advance(3600)`` or fix it with ``Clock(datetime(…, tzinfo=UTC))``; so no test sleeps.
* Data come from :class:`Draw`: ``Draw(self.seed, "exago", night, index)`` gives the same values in any order of
  requests.
* ``error(status, text)`` of the base makes a JSON body; override it for the vendor's own shape. Unknown path 404, wrong
  method 405.
* ``started()`` / ``stopped()`` are coroutines to override for background work; a handler that raises anything but
  ``Refused`` answers 500 and makes the ``with`` block raise :class:`StandInBroke` at its end: a bug of the stand-in
  never looks like a vendor's fault.
* ``vendor.locked()`` guards state that a test's thread reads while the server's thread writes.

**Ledger.** ``vendor.ledger.requests(method=, path=<regex>, status=, user=, fault=, origin=, since=)`` gives frozen
:class:`Entry`, ``.effects(kind=, key=, since=)`` frozen :class:`Effect`, ``.stats()`` counts of everything (requests,
effects, connections, max in flight), ``.clear()``; ``.wait_for_request(fault="hold")`` and ``.wait_for_effect(kind=)``
block until there is one. A request is in it, with its status, before the client sees the first byte of the answer. No
secret is kept: ``credential`` is a fingerprint, ``user`` the recognised name. The last 50,000 requests and effects are
kept; the counters count all. ``ledger_file`` appends a JSON line (``{"request": …}`` or ``{"effect": …}``) for each,
written before the answer: it survives kill -9.

**Faults.** ``vendor.faults.add(Fault(kind=FaultKind.STATUS, status=503, path="/report/", page=3, times=2, after=1))``;
several can wait at once; ``times=None`` is for always; ``vendor.faults.clear()``; ``vendor.release()`` lets go what
``HOLD`` and its like hold. Kinds: see :class:`FaultKind`; a vendor's own kinds are plain strings, with their arguments
in ``detail``. In process only, ``add(fault, when=lambda call: …)`` takes any predicate.

**Control**, for other processes, on the vendor's own port and outside its ledger: ``GET /_standin/`` (what it is),
``GET /_standin/requests`` and ``/effects`` (the filters above as query, plus ``limit``), ``GET /_standin/stats``,
``DELETE /_standin/ledger``, ``GET|POST|DELETE /_standin/faults``, ``POST /_standin/release``,
``GET|PATCH /_standin/switches``, ``PUT /_standin/latency {"seconds": 0.05}``,
``GET|POST /_standin/clock {"advance": 60} | {"set": "2026-11-22T03:00:00+00:00"} | {"real": true}``.
"""

from __future__ import annotations

from include.standins.clock import Clock
from include.standins.draw import Draw
from include.standins.faults import Fault, FaultKind
from include.standins.ledger import Effect, Entry, Ledger, Stats
from include.standins.routing import Refused, Request, Response, Route
from include.standins.server import StandIn, StandInBroke
from include.standins.switches import Switches

__all__ = [
    "Clock",
    "Draw",
    "Effect",
    "Entry",
    "Fault",
    "FaultKind",
    "Ledger",
    "Refused",
    "Request",
    "Response",
    "Route",
    "StandIn",
    "StandInBroke",
    "Stats",
    "Switches",
]
