"""The five verbs through which the core speaks to a vendor, and how an adapter is named in a trigger."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from nightshift.errors import NotFound, NotShown, VendorError
from nightshift.jobs.state import Intent, JobState, JobStatus, Scalar

if TYPE_CHECKING:
    from nightshift.http.hook import VendorHook


class Immediate(msgspec.Struct, frozen=True, kw_only=True):
    """The vendor answered a submit at once and made no job.

    :param outcome: a name for it, such as ``no_changes``.
    :param result: small JSON object for the task's return value.
    """

    outcome: str
    result: dict[str, Any] = {}


class Cancelled(msgspec.Struct, frozen=True):
    """The vendor took the cancellation; the job may need a while to end."""


class NotPossible(msgspec.Struct, frozen=True):
    """The job cannot be cancelled. ``message`` says why and what a person can do."""

    message: str


class JobAdapter(ABC):
    """One kind of asynchronous job at one vendor.

    Built from JSON scalars alone, so that a triggerer can build it: the dotted path of the class, a connection id and
    keyword arguments. Opened with ``async with``, used by many coroutines of one event loop at once, then closed.
    Nothing may block the loop. Errors are :class:`nightshift.errors.VendorError`; anything else counts as a defect of
    the adapter.

    :param conn_id: Airflow connection.
    """

    vendor: ClassVar[str] = "vendor"
    """Name for messages."""
    can_find: ClassVar[bool] = False
    """``find`` works: a job can be recognised by its intent's marker."""
    can_cancel: ClassVar[bool] = False
    """``cancel`` works, at least for some states."""
    bulk: ClassVar[int] = 1
    """How many ids one ``status`` call asks for at the price of one request; 1 if each id costs a request."""
    gone_ends: ClassVar[bool] = True
    """A job that the vendor says it does not have (any more) is over, and making it anew harms nobody. False: it may
    have done its work before it was forgotten, so nobody but a person can tell, and it is never made anew on a guess.
    """
    settle: ClassVar[float] = 30.0
    """Seconds after a request for which ``find`` may not list its job yet."""
    send_within: ClassVar[float] = 10.0
    """Seconds from the intent in which a request may leave; what is held up for longer (a frozen worker, a slow
    network) is not sent any more. Requests of a :class:`~nightshift.http.hook.VendorHook` keep to it down to the
    socket.
    """

    def __init__(self, conn_id: str, **options: Scalar) -> None:
        self.conn_id = conn_id
        self.options = options

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        return None

    @property
    def requests_per_minute(self) -> float | None:
        """What the connection allows all polls together, None without limit; read once the adapter is open."""
        return None

    @property
    def may_have_cancelled(self) -> bool:
        """A job that ended as cancelled may have been ended by our own :meth:`cancel`; ``False``: somebody else ended
        it, which is the answer. Read once the adapter is open.
        """
        return self.can_cancel

    def name_of(self, payload: Any, marker: str) -> str:
        """Return the exact name under which the vendor will list the job; kept in the intent before it is asked for."""
        return marker

    async def ready(self) -> None:
        """Wait for what a request has to wait for (its turn, its credentials): called before the intent is kept, so
        that the request leaves right after. Default: nothing.
        """
        return

    @abstractmethod
    async def submit(self, intent: Intent, payload: Any) -> JobStatus | Immediate:
        """Ask the vendor once for a job that carries ``intent.marker``, if the vendor has a place for it.

        Must never be repeated inside. Whatever proves that the vendor did not take the request is raised as such
        (``Unreachable``, ``RateLimited``, ``AuthFailed``, ``Forbidden``, ``NotFound``, ``Rejected``); everything else
        counts as *maybe taken*.

        :raises Ambiguous: the request was sent and no clear answer came.
        """

    async def find(self, intent: Intent) -> Sequence[JobStatus]:
        """List the jobs at the vendor that are exactly those of this intent, by its name; only for ``can_find``."""
        raise NotImplementedError(f"{type(self).__name__} cannot look a job up")

    @abstractmethod
    async def poll(self, job_id: str) -> JobStatus:
        """Ask for one job.

        :raises NotFound: there is none; read as :attr:`JobState.GONE` where it is the vendor's own word
            (:meth:`own_word`).
        """

    def own_word(self, error: NotFound) -> bool:
        """Tell whether a 404 is the vendor's own word that it has no such job.

        A page, a text that any server could send, or nothing at all is not: a proxy, or the vendor while it restarts.
        By default it is never, so an adapter has to know its vendor's form.
        """
        return False

    async def unlike(self, job_id: str, intent: Intent, payload: Any) -> str:
        """Say in what a job that a person named differs from what this task asks for; empty where it is the same.

        :param intent: of the request whose answer was lost
        :raises VendorError: the vendor does not show the job, or could not be asked
        """
        return f"{self.vendor} cannot be asked what the job {job_id} is"

    async def status(self, ids: Sequence[str]) -> Mapping[str, JobStatus | VendorError]:
        """Ask for up to ``bulk`` jobs. An id that is left out counts as a failed poll.

        An error that concerns one id is a value; one that concerns all is raised. Override together with ``bulk``.
        """
        answers: dict[str, JobStatus | VendorError] = {}
        for job_id in ids:
            try:
                answers[job_id] = await self.poll(job_id)
            except NotFound as error:
                gone = JobStatus(id=job_id, state=JobState.GONE, detail=error.detail or "")
                answers[job_id] = gone if self.own_word(error) else not_shown(error)
            except VendorError as error:
                answers[job_id] = error
        return answers

    async def cancel(self, job_id: str) -> Cancelled | NotPossible:
        """Ask the vendor to end the job. Repeating it, or a job that has ended, is no error."""
        return NotPossible(f"{self.vendor} offers no way to cancel job {job_id}; end it there by hand.")

    async def result(self, status: JobStatus) -> Any:
        """Fetch what a succeeded job gives, as small JSON. May be called again for the same job after a crash.

        Never the data itself: it goes into the task's return value.
        """
        return {}


class HookAdapter(JobAdapter):
    """An adapter that speaks through a hook of ours, which is opened and closed with it and keeps its pace."""

    hook: VendorHook

    async def __aenter__(self) -> Self:
        await self.hook.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.hook.__aexit__(*exc)

    @property
    def requests_per_minute(self) -> float | None:
        """What the connection says, or what the vendor allows one user."""
        return self.hook.requests_per_minute

    async def ready(self) -> None:
        """Wait for the turn of the next request, and for its credentials."""
        await self.hook.ready()


def not_shown(error: NotFound) -> NotShown:
    """Return what a 404 is that is not the vendor's own word on a job."""
    given = {name: getattr(error, name) for name in ("vendor", "method", "path", "status", "attempt", "detail")}
    return NotShown("the job is not shown, and not in the vendor's own words", **given)


class AdapterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter by name, as it travels in a trigger.

    :param path: dotted path of a :class:`JobAdapter` class.
    :param conn_id: Airflow connection.
    :param options: the class's keyword arguments, JSON scalars.
    """

    path: str
    conn_id: str
    options: dict[str, Scalar] = {}

    @classmethod
    def of(cls, kind: type[JobAdapter] | str, conn_id: str, **options: Scalar) -> AdapterSpec:
        """Name an adapter class, which must be importable by its module and name.

        :param kind: the class, or its dotted path, so that a DAG can be parsed without the vendor's client
        """
        path = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        return cls(path=path, conn_id=conn_id, options=options)

    def build(self) -> JobAdapter:
        """Import and make the adapter; no I/O.

        :raises TypeError: the path names something else than an adapter.
        """
        module, _, name = self.path.rpartition(".")
        kind = getattr(import_module(module), name)
        if not (isinstance(kind, type) and issubclass(kind, JobAdapter)):
            raise TypeError(f"{self.path} is not a JobAdapter")
        return kind(self.conn_id, **self.options)

    def scope(self) -> str:
        """Tell which waits can share one poller: those with equal text."""
        return json.dumps([self.path, self.conn_id, sorted(self.options.items())])
