"""Publishes of one table, side by side: every order of two and three publishers, every crash between two effects,
every answer of the store to a commit. The real :meth:`~nightshift.lake.delta.NightTable.replace` and its reading of
a :class:`~nightshift.lake.snapshot.Snapshot`, on a log in memory.

What must hold, whenever a publisher reports, and once all have ended:

* each night is of one extract, whole: never rows of two, never a half;
* it is of the extract that was finished last of those that were reported published, unless one was forced;
* who reports a commit finds it in the log; who was overtaken, a newer one; who died leaves the table whole;
* no file that a version names is withdrawn.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction

from nightshift.lake import delta
from nightshift.lake.commit_note import iso_of, transaction
from nightshift.lake.delta import Commit, NightTable, Overtaken, Replacement, Sent
from nightshift.lake.snapshot import Snapshot
from nightshift.lake.spec import NIGHT, Column
from nightshift.lake.tables import Publishing
from tests.simulation.exhausted.actors import Actor, effect, patched
from tests.simulation.exhausted.actors import explore as explore_all
from tests.simulation.exhausted.world import Choices, DisturbedWorld

N1, N2 = "2026-11-20", "2026-11-21"
COLUMNS = (Column(name="id", type="string"),)
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "nullable": True, "type": "string", "metadata": {}},
    {"name": NIGHT, "type": "date", "nullable": True, "metadata": {}},
]


@dataclass(frozen=True)
class State:
    """The table at one version: files by path with night and rows, what the transactions say, and the entry."""

    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)
    entry: bytes = b""


@dataclass
class Log(DisturbedWorld):
    """The table's log: a state a version; an entry is put on the condition that it is not there."""

    versions: list[State] = field(default_factory=lambda: [State()])
    reported: list[tuple[Extract, Mapping[str, str], Commit]] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)

    def withdraw(self, adds: Sequence[AddAction]) -> None:
        """Delete files."""
        effect("before files are withdrawn")
        self.withdrawn |= {add.path for add in adds}


@dataclass(frozen=True)
class Extract:
    """What one publisher brings.

    :param finished: when it was finished; of two extracts of a night the later one counts
    :param attempt: at publishing it; each has files of its own
    """

    name: str
    content: int
    finished: int
    nights: tuple[str, ...] = (N1,)
    forced: bool = False
    attempt: int = 1

    @property
    def adds(self) -> list[AddAction]:
        """Its files, a night each."""
        return [
            AddAction(
                f"{NIGHT}={night}/{self.content:016x}-{self.name}-{self.attempt}.parquet",
                1,
                {NIGHT: night},
                1,
                True,
                json.dumps({"numRecords": rows}),
            )
            for night, rows in self.rows.items()
        ]

    @property
    def rows(self) -> dict[str, int]:
        """Rows by night."""
        return dict.fromkeys(self.nights, 10 + self.content)

    def publishing(self, table: NightTable, log: Log) -> Any:
        """Return as much of a :class:`~nightshift.lake.tables.Publishing` as its last step needs."""
        at = iso_of(self.finished)
        return SimpleNamespace(
            table=table,
            content=self.content,
            finished=self.finished,
            force=self.forced,
            manifest=SimpleNamespace(extract=self.name, night=self.nights[0], started=at, finished=at, begun=at),
            say=lambda _text: None,
            _withdraw=log.withdraw,
        )


class _Delta:
    """What :mod:`deltalake` is to a snapshot, on the log."""

    def __init__(self, log: Log, version: int) -> None:
        self._log, self._version = log, version
        self._state = log.versions[version]

    def transaction_version(self, name: str) -> int | None:
        """Return what a transaction says."""
        return self._state.transactions.get(name)

    def create_write_transaction(
        self,
        adds: Sequence[AddAction],
        _mode: str,
        _schema: Any,
        _by: Any,
        where: list[tuple[str, str, list[str]]] | None,
        *,
        commit_properties: Any,
    ) -> None:
        """Put the entry of the version after this one."""
        effect("before the entry is put")
        wrong = self._log.fault("the entry is refused", "the entry counts and its answer is lost")
        log = self._log
        if wrong == "the entry is refused" or (CONDITION[0] and len(log.versions) != self._version + 1):
            raise CommitFailedError("another writer came first")
        replaced = set(where[0][2]) if where else {night for night, _ in self._state.files.values()}
        files = {path: one for path, one in self._state.files.items() if one[0] not in replaced}
        for add in adds:
            night = str(add.partition_values[NIGHT])
            files[add.path] = (night, json.loads(add.stats)["numRecords"])
        transactions = {
            **self._state.transactions,
            **{one.app_id: one.version for one in commit_properties.app_transactions},
        }
        entry = "\n".join(add.path for add in adds).encode()
        log.versions[self._version + 1 :] = [State(files, transactions, entry)]
        effect("before the answer to the entry")
        if wrong:
            raise CommitFailedError("no answer")


CONDITION = [True]
"""Whether an entry is put on the condition that it is not there."""


class _Snapshot(Snapshot):
    _transactions = None  # type: ignore[assignment]
    """Each number is asked of the table."""

    def __init__(self, log: Log, version: int) -> None:
        state = log.versions[version]
        self._table = _Delta(log, version)  # type: ignore[assignment]
        self.version = version
        self.fields = FIELDS
        self._may_have_vectors = False
        self._files = [
            {"path": path, f"partition.{NIGHT}": night, "num_records": rows}
            for path, (night, rows) in state.files.items()
        ]

    def later(self, version: int | None = None) -> Snapshot | None:
        """Have it read again, as whole as it is."""
        return None


class _Table(NightTable):
    def __init__(self, log: Log) -> None:
        self.name = "flexnet/usage"
        self._log = log

    def snapshot(self, version: int | None = None) -> Snapshot | None:
        """Return the table as it is now, or was."""
        effect("before the log is read")
        newest = len(self._log.versions) - 1
        if version is not None and version > newest:
            return None
        return _Snapshot(self._log, newest if version is None else version)

    def _entry(self, version: int) -> bytes | None:
        effect("before an entry is read")
        return self._log.versions[version].entry if version < len(self._log.versions) else None


class _Commitments:
    """Stands for the library's ``CommitProperties``: what was given is kept as it is."""

    def __init__(self, *, custom_metadata: Any, max_commit_retries: int, app_transactions: Any) -> None:
        self.max_commit_retries, self.app_transactions = max_commit_retries, app_transactions


@dataclass(frozen=True)
class _Transaction:
    app_id: str
    version: int


CHANGES = (
    (delta, "refuse_foreign", lambda _name, _now: None),
    (delta, "CommitProperties", _Commitments),
    (delta, "Transaction", _Transaction),
    (delta, "schema_of", lambda fields: fields),
    (delta.time, "sleep", lambda _seconds: effect("before a pause")),
    (delta.random, "uniform", lambda _low, _high: 0.0),
)


def _publish(log: Log, extract: Extract) -> Callable[[], Any]:
    def work() -> Any:
        table = _Table(log)
        counts = SimpleNamespace(nights=extract.rows, duplicates=0, outside=0)
        cast: Any = SimpleNamespace(counts=counts, checks=(), columns=COLUMNS, added=(), changes=(), kept={})
        publishing: Any = extract.publishing(table, log)
        kept, commit = Publishing._replace(publishing, cast, extract.adds, {}, None)
        if commit is not None:
            log.reported.append((extract, kept, commit))
        return kept, commit

    return work


SCENES: dict[str, tuple[Extract, ...]] = {
    "two extracts of one night": (Extract("old", 1, 100), Extract("new", 2, 200)),
    "an extract twice": (Extract("first", 1, 100), Extract("again", 1, 100)),
    "an older one that is forced": (Extract("new", 2, 200), Extract("old", 1, 100, forced=True)),
    "look-back over two nights": (Extract("both", 1, 200, (N1, N2)), Extract("one", 2, 300, (N2,))),
    "three nights at once": (Extract("a", 1, 100, (N1,)), Extract("b", 2, 100, (N2,)), Extract("c", 3, 300, (N1, N2))),
}


def run_one(choices: Choices, extracts: Sequence[Extract], *, faults: int, switches: int) -> Log:
    """Let publishers run side by side; each that was killed is tried once more, undisturbed, when all others are over.

    :param switches: how often another one goes on although the one that runs could
    :raises Broken: a promise was broken
    """
    log = Log(choices, faults)
    actors = [Actor(one.name, _publish(log, one)) for one in extracts]
    killed: list[Extract] = []
    current = 0
    while any(not one.is_over for one in actors):
        if actors[current].is_over:
            left = [at for at, one in enumerate(actors) if not one.is_over]
            current = left[choices.pick(len(left))] if len(left) > 1 else left[0]
        actors[current].step()
        _whole(log)
        if actors[current].is_over:
            continue
        if log.fault("killed"):
            actors[current].kill()
            killed.append(extracts[current])
            continue
        others = [at for at, one in enumerate(actors) if at != current and not one.is_over]
        if switches and others and (turn := choices.pick(len(others) + 1)):
            switches -= 1
            current = others[turn - 1]
    log.faults = 0
    for one in killed:
        again = Actor(one.name, _publish(log, replace(one, attempt=2)))
        again.finish()
        actors.append(again)
    _judge(log, actors, extracts)
    return log


def _whole(log: Log) -> None:
    """Each night of the newest version is of one extract, as its transactions say, and the files of each are there."""
    for number, one in enumerate(log.versions):
        if gone := log.withdrawn & one.files.keys():
            raise log.broken(f"version {number} has files that were withdrawn: {sorted(gone)}")
    state = log.versions[-1]
    there = {name.split("/")[1] for name, rows in state.transactions.items() if name.endswith("/rows") and rows}
    for night in there | {night for night, _ in state.files.values()}:
        here = [(path, rows) for path, (its, rows) in state.files.items() if its == night]
        content, rows = (state.transactions.get(transaction(night, what)) for what in ("", "rows"))
        if len(here) != 1 or f"/{content:016x}-" not in here[0][0] or here[0][1] != rows:
            raise log.broken(f"the night {night} is not of one extract: {here}, {content}, {rows}")


def _judge(log: Log, actors: Sequence[Actor[Any]], extracts: Sequence[Extract]) -> None:
    _whole(log)
    state = log.versions[-1]
    for one in actors:
        if one.error is not None:
            raise log.broken(f"{one.name} ended with {one.error!r}")
    for extract, kept, commit in log.reported:
        left = {night: rows for night, rows in extract.rows.items() if night not in kept}
        if not commit.now.holds(extract.content, left):
            raise log.broken(f"{extract.name} reports version {commit.now.version}, which does not hold it")
    for night in {night for one in extracts for night in one.nights}:
        of_night = [one for one in extracts if night in one.nights]
        is_there = state.transactions.get(transaction(night))
        if any(one.forced for one in of_night):
            continue
        last = max(one.finished for one in of_night)
        if is_there not in {one.content for one in of_night if one.finished == last}:
            raise log.broken(f"the night {night} is of content {is_there}, and a newer extract was finished")


def explore(*, faults: int, switches: int, most: int | None = None) -> dict[str, int]:
    """Try all runs of every scene; return how many there were of each.

    :raises Broken: one broke a promise
    """
    random.seed(0)
    counts = {}
    with patched(*CHANGES):
        for name, extracts in SCENES.items():
            counts[name] = explore_all(
                lambda choices, extracts=extracts: run_one(choices, extracts, faults=faults, switches=switches),
                most=most,
            )
    return counts


def _not_read_back(self: NightTable, what: Replacement, sent: Sent) -> Commit:
    now = self.snapshot()
    assert now is not None
    if overruled := now.newer(what.nights, what.finished):
        raise Overtaken(overruled)
    self._refusal(now, what, sent)
    after = self.snapshot()
    assert after is not None
    return Commit(after, {})


_THIS = sys.modules[__name__]
_TRANSACTIONS = delta._transactions
MUTANTS: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "the entry is put without a condition": ((_THIS, "CONDITION", [False]),),
    "nobody looks whether it is newer": ((Snapshot, "newer", lambda _self, _nights, _finished: {}),),
    "a refusal is taken for a commit": ((NightTable, "replace", _not_read_back),),
    "a commit whose answer was lost is not looked for": (
        (NightTable, "_landed", lambda _self, _what, _sent: None),
        (delta, "ATTEMPTS", 2),
    ),
    "files are withdrawn although their entry may count": (
        (NightTable, "_landed", lambda _self, _what, sent: setattr(sent, "version", None)),
    ),
    "one night is replaced, and all are": ((delta, "sorted", lambda _nights: [N1, N2]),),
    "the time of the extract is not kept": (
        (
            delta,
            "_transactions",
            lambda what, version: [one for one in _TRANSACTIONS(what, version) if not one.app_id.endswith("finished")],
        ),
    ),
}
"""Publishes that are wrong on purpose: what is put in the place of what."""
