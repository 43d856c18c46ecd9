"""An event loop in which time is virtual and a seed chooses what runs next; and the processes whose code runs in it.

Everything runs in one thread. A coroutine is a task of this loop; code that blocks (an operator's ``execute``, a
function given to ``to_thread``) runs in a greenlet, which stands aside while it waits. Each piece of work belongs to a
process by its context: a process that was killed never runs again, not even a ``finally``; one that is frozen runs
nothing until it thaws, and finds then all that has come meanwhile.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")
AHEAD = 8
"""How far from the front of what is ready the next piece is taken."""
_ACCURACY = 1e-9
MOST_PIECES = 25_000
"""Pieces of work after which a universe is taken for one without end; a usual one has some 1,500."""


class Killed(BaseException):
    """Raised in code of a process that was killed, where it cannot simply be left standing."""


class Stuck(Exception):
    """Nothing is ready, and no time will come at which anything is."""


class Process:
    """A process: a worker, a triggerer, a vendor.

    :param name: for the trace
    :param ahead: seconds by which its wall clock is ahead of the true time
    """

    def __init__(self, name: str, ahead: float = 0.0) -> None:
        self.name = name
        self.ahead = ahead
        self.dead = False
        self.frozen_until = 0.0
        self.steps = 0
        self.fates: list[tuple[int, Callable[[], None]]] = []
        """What befalls it, by the number of the step before which it does."""
        self.held: list[events.Handle] = []
        self.stalled: greenlet | None = None
        """The code in it that blocks all the rest of it."""
        self.lines: set[Any] = set()
        """Its open connections."""
        self.globals: dict[str, Any] = {}
        self.on_death: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return self.name

    def kill(self) -> None:
        """Let it end at once, wherever it is; its connections break."""
        if self.dead:
            return
        self.dead = True
        for line in list(self.lines):
            line.break_off()
        for tell in self.on_death:
            tell()


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class PerProcess(MutableMapping[Any, Any]):
    """A module's global mapping that each process has for itself.

    :param name: of the global
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nobody: dict[Any, Any] = {}

    def _own(self) -> dict[Any, Any]:
        process = PROCESS.get()
        return self._nobody if process is None else process.globals.setdefault(self._name, {})

    def __getitem__(self, key: Any) -> Any:
        return self._own()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._own()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._own()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._own())

    def __len__(self) -> int:
        return len(self._own())


class SimLoop(asyncio.BaseEventLoop):
    """The loop.

    :param random: chooses what runs next
    :param show: told the true time (seconds since the world began) and how far the running process's clock is ahead,
        whenever one of them changes
    """

    def __init__(self, random: Random, show: Callable[[float, float], None]) -> None:
        super().__init__()
        self.random = random
        self.pieces = 0
        self._show = show
        self._at = 0.0
        self._ahead = 0.0
        self._hub: greenlet = getcurrent()
        self._kept: set[Any] = set()
        self.listening: dict[int, Any] = {}
        self.set_task_factory(self._task)
        self.set_exception_handler(lambda loop, context: None)
        show(0.0, 0.0)

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Return virtual seconds since the world began."""
        return self._at

    def _write_to_self(self) -> None:
        return None

    def _process_events(self, event_list: Any) -> None:
        return None

    def _task(self, loop: Any, coroutine: Any, **given: Any) -> asyncio.Task[Any]:
        """Make a task that belongs to the process that made it, also where it was given a fresh context."""
        context: Context | None = given.get("context")
        if context is not None and context.get(PROCESS) is None:
            context.run(PROCESS.set, PROCESS.get())
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=self, **given)
        # A task of a dead process must not be collected: that would run its ``finally``.
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)
        return task

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)._scheduled = False
            if not scheduled:
                raise Stuck("nothing is left that could happen")
            self._move(max(scheduled[0]._when, self._at))
        while scheduled and scheduled[0]._when <= self._at + _ACCURACY:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        handle = self._next(ready)
        if handle._cancelled:
            return
        process = handle._context.get(PROCESS)
        if process is None:
            self._seen_by(0.0)
        elif not self._may_run(process, handle):
            return
        self.pieces += 1
        if self.pieces > MOST_PIECES:
            raise Stuck(f"{MOST_PIECES} pieces of work, and no end")
        if process is None:
            handle._run()
            return
        piece = greenlet(handle._run, parent=self._hub)
        piece.switch()
        if not piece.dead:
            self._kept.add(piece)

    def _may_run(self, process: Process, handle: events.Handle) -> bool:
        if process.dead:
            return False
        if self._at < process.frozen_until or process.stalled is not None:
            process.held.append(handle)
            return False
        process.steps += 1
        while process.fates and process.fates[0][0] <= process.steps:
            process.fates.pop(0)[1]()
            if process.dead:
                return False
            if self._at < process.frozen_until:
                process.held.append(handle)
                return False
        self._seen_by(process.ahead)
        return True

    def _next(self, ready: Any) -> events.Handle:
        """Take one of the first that are ready; only steps of tasks overtake, what is told in order is done in order."""
        if len(ready) > 1 and (chosen := self.random.randrange(min(len(ready), AHEAD))):
            handle = ready[chosen]
            if isinstance(getattr(handle._callback, "__self__", None), asyncio.Task):
                del ready[chosen]
                return handle  # type: ignore[no-any-return]
        return ready.popleft()  # type: ignore[no-any-return]

    def _move(self, at: float) -> None:
        self._at = at
        self._show(at, self._ahead)

    def _seen_by(self, ahead: float) -> None:
        if ahead != self._ahead:
            self._ahead = ahead
            self._show(self._at, ahead)

    # Processes.

    def freeze(self, process: Process, seconds: float) -> None:
        """Let a process stand still."""
        process.frozen_until = max(process.frozen_until, self._at + seconds)
        Context().run(self.call_at, process.frozen_until, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        if self._at + _ACCURACY >= process.frozen_until:
            process.frozen_until = 0.0
            if process.stalled is None:
                self._release(process)

    def _release(self, process: Process) -> None:
        held, process.held = process.held, []
        self._ready.extend(held)  # type: ignore[attr-defined]

    def stall(self, seconds: float) -> None:
        """Let the whole process that runs stand still inside of a call that blocks it; where it was killed, for ever."""
        process, piece = PROCESS.get(), getcurrent()
        if process is None or piece is self._hub:
            return
        task = asyncio.current_task(self)
        if task is not None:
            asyncio.tasks._leave_task(self, task)  # type: ignore[attr-defined]
        process.stalled = piece
        self._kept.add(piece)
        if not process.dead:
            Context().run(self.call_later, seconds, self._go_on, process, piece)
        self._hub.switch()
        if task is not None:
            asyncio.tasks._enter_task(self, task)  # type: ignore[attr-defined]

    def _go_on(self, process: Process, piece: greenlet) -> None:
        if process.dead:
            return
        if self._at < process.frozen_until:
            Context().run(self.call_at, process.frozen_until, self._go_on, process, piece)
            return
        process.stalled = None
        self._release(process)
        self._seen_by(process.ahead)
        piece.switch()
        if piece.dead:
            self._kept.discard(piece)

    # Code that blocks.

    def spawn(self, process: Process | None, function: Callable[[], T], delay: float = 0.0) -> asyncio.Future[T]:
        """Run code that blocks, in a process; the future is nobody's."""
        context = copy_context()
        context.run(PROCESS.set, process)
        return self._aside(function, context, delay)

    def _aside(self, function: Callable[[], T], context: Context, delay: float) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()

        def live() -> None:
            try:
                result = function()
            except Killed:
                return
            except BaseException as error:  # noqa: BLE001, RUF100 -- as a thread pool does
                if isinstance(error, StopIteration):
                    error = RuntimeError("a function raised StopIteration")
                if not future.done():
                    future.set_exception(error)
                return
            if not future.done():
                future.set_result(result)

        aside = greenlet(live, parent=self._hub)
        aside.gr_context = context
        self._kept.add(aside)
        # Not in the context of the greenlet itself: it cannot be entered twice.
        self.call_later(delay, self._switch, aside, context=context.copy())
        return future

    def _switch(self, aside: greenlet) -> None:
        aside.switch()
        if aside.dead:
            self._kept.discard(aside)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run a function aside, after a moment."""
        return self._aside(lambda: func(*args), copy_context(), self.random.random() * 0.01)

    def waited(self, awaitable: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
        """Wait for something in code that blocks.

        :raises RuntimeError: this is no such code, but the loop itself
        """
        aside = getcurrent()
        if aside is self._hub:
            raise RuntimeError("this would block the loop")
        future = asyncio.ensure_future(awaitable, loop=self)
        future.add_done_callback(lambda _: self._switch(aside), context=copy_context())
        self._hub.switch()
        return future.result()

    @property
    def blocks(self) -> bool:
        """Whether the code that runs may block."""
        return getcurrent() is not self._hub

    def run_blocking(self, coroutine: Coroutine[Any, Any, T], **_: Any) -> T:
        """Be :func:`asyncio.run` of a process."""
        return self.waited(coroutine)

    def sleep_blocking(self, seconds: float) -> None:
        """Be :func:`time.sleep` of a process."""
        if self.blocks:
            self.waited(asyncio.sleep(max(seconds, 0.0)))

    def leave(self) -> None:
        """Let go of everything that never came to its end; nothing of it changes anything any more."""
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        for one in list(self._kept):
            if isinstance(one, asyncio.Task):
                one._log_destroy_pending = False  # type: ignore[attr-defined]
        self._kept.clear()
