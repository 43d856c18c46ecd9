"""What a job is: its state, one observation of it, the intent to make one; and how a task keeps such things."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec

from nightshift.errors import Rejected

Scalar = str | int | float | bool | None
"""What may travel in an event, a trigger or the state store besides the models themselves."""


class JobState(StrEnum):
    """Where a job stands at the vendor, in words that every vendor's own words are mapped to."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """It waits for a person or a time (an approval, a schedule); that can take days and is nobody's fault."""
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    """The vendor used a word we do not know. Waited on and reported by name, never read as an end."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GONE = "gone"
    """The vendor has no such job any more."""


ACTIVE = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.CANCELLING, JobState.UNKNOWN})
SUCCEEDED = frozenset({JobState.SUCCEEDED})
FAILED = frozenset({JobState.FAILED, JobState.CANCELLED, JobState.GONE})
TERMINAL = SUCCEEDED | FAILED


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One observation of one job.

    :param id: the vendor's id of the job, never empty. An adapter whose submit makes several at once joins their ids
        in one text of its own, and answers for all of them together.
    :param vendor_state: the vendor's word, as given.
    :param detail: what the vendor says about it, one line, without secrets.
    :param url: a page a person can open; never a signed link.
    :param since: when this state began, seconds since the epoch, if the vendor says so.
    :param retry_after: the vendor asks not to be called again within this many seconds; an hour of them is heeded.
    :param attributes: vendor facts needed by ``result``; JSON scalars only, because they go through the database.
    """

    id: str
    state: JobState
    vendor_state: str = ""
    detail: str = ""
    url: str | None = None
    since: float | None = None
    retry_after: float | None = None
    attributes: dict[str, Scalar] = {}

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a job status needs the vendor's id of the job")

    def label(self) -> str:
        """Our word for the state and, where it differs, the vendor's."""
        if not self.vendor_state or self.vendor_state.lower() == self.state:
            return str(self.state)
        return f"{self.state} ({self.vendor_state})"


class RunIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The logical task a job is made for: one mapped instance of one task in one DAG run.

    :param scope: tells two Airflow installations apart that run the same DAG ids against the same vendor account.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    scope: str = ""

    def marker(self, generation: int) -> str:
        """Name the n-th job of this task.

        24 characters of ``a-z0-9-``, safe as a file name and in a query. The same on every attempt, so that a later
        attempt finds what an earlier one made.

        :param generation: 1 for the first job; one more for each job that is made anew on purpose.
        """
        parts = [self.scope, self.dag_id, self.run_id, self.task_id, self.map_index, generation]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return f"nightshift-{digest[:13]}"

    def seed(self) -> int:
        """Seed the jitter of this task's polls: different between tasks, the same on every attempt."""
        parts = f"{self.dag_id}\0{self.run_id}\0{self.task_id}\0{self.map_index}"
        return int.from_bytes(hashlib.sha256(parts.encode()).digest()[:6])


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """The decision to make one job, stored before the vendor is asked for it.

    :param marker: the name by which the vendor's copy can be found again (:meth:`RunIdentity.marker`).
    :param generation: which job of this task it is, from 1.
    :param payload_hash: of what is asked for (:func:`payload_hash`); a job for another payload is another job.
    :param at: when, seconds since the epoch.
    :param name: exactly what the vendor was given as the job's name, where it has a place for one; empty in an intent
        of an earlier version.
    """

    marker: str
    generation: int
    payload_hash: str
    at: float
    attempt: int
    run: RunIdentity
    name: str = ""


def payload_hash(payload: Any) -> str:
    """Fingerprint a JSON payload, whatever the order of its keys.

    :raises TypeError: the payload is not JSON.
    """
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


_Model = TypeVar("_Model")


def to_json(model: object) -> dict[str, Any]:
    """Turn a model into plain JSON types, for the state store, a trigger or an event."""
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(model)))


def from_json(kind: type[_Model], plain: object) -> _Model:
    """Read a model back.

    :raises ValueError: it is not what we wrote; the message names the field, never its value.
    """
    try:
        return msgspec.convert(plain, kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(f"not a valid {kind.__name__}: {error}") from None


class StateStore(Protocol):
    """What we need of ``context["task_state_store"]``."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or the default."""

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Write the value."""

    def delete(self, key: str) -> None:
        """Remove the key, if it is there."""


class TaskState(Generic[_Model]):
    """What a task keeps for its next attempt under one key: a model, or a plain JSON value, written whole and checked
    when it is read.

    Airflow ties a write to the attempt that makes it: once a newer attempt exists, a write of the older one fails.

    :param store: ``context["task_state_store"]``
    :param advice: what a person does about a value that cannot be read
    :param retention: how long it is kept after its last change; default: as long as Airflow keeps any
    """

    def __init__(
        self, store: StateStore, key: str, kind: type[_Model], *, advice: str = "", retention: timedelta | None = None
    ) -> None:
        self._store, self._key, self._kind = store, key, kind
        self._advice, self._retention = advice, retention

    def load(self) -> _Model | None:
        """Return what an earlier attempt has kept, ``None`` where there is nothing.

        :raises Rejected: it is there but is not ours, or not of this version
        """
        plain = self._store.get(self._key, None)
        if plain is None:
            return None
        try:
            return from_json(self._kind, plain)
        except ValueError as error:
            problem = f"cannot read the key {self._key!r} of the task state store: {error}"
            raise Rejected(problem, advice=self._advice) from None

    def load_if_sound(self) -> _Model | None:
        """Return what can be worked out again where it is missing or cannot be read."""
        try:
            return self.load()
        except Rejected:
            return None

    def save(self, model: _Model) -> _Model:
        """Keep a model in the place of what was there, and return it."""
        self._store.set(self._key, to_json(model), retention=self._retention)
        return model

    def forget(self) -> None:
        """Keep nothing any more."""
        self._store.delete(self._key)
