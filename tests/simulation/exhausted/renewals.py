"""Every way in which the one use of a refresh token can go: the real :func:`~nightshift.tokenflex.renewal.renew`
against Airflow's Variables and Autodesk in memory, in a time of its own.

At each read and write of a Variable, each question and each answer an attempt may be killed, or frozen so long that its
successor has begun, and thaw at any effect of that one; a write may fail before or after it counts; the question or its
answer may be lost, or refused; a person may grant access anew. What must hold:

* a refresh token is used only if it is the newest that was seen, by a look of the same minute;
* it is sent a second time only where the answer to the first is not known, by an attempt after that;
* what an attempt was given is stored, unless it was killed: a grant is lost only by a kill or a lost answer;
* a newer grant is never replaced by what was under way for an older one;
* in the end the stored token is good, or the error says that only a person can help, and Autodesk is not asked again.
"""

from __future__ import annotations

import asyncio
import time
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from greenlet import getcurrent

from nightshift.errors import Ambiguous, Unreachable
from nightshift.tokenflex import renewal, tokens
from nightshift.tokenflex.oauth import GrantSpent, TokenPair
from nightshift.tokenflex.renewal import DUE_SECONDS, RenewalStep, renew
from nightshift.tokenflex.tokens import Chain, Grant, Part, RefreshOutcome
from tests.simulation.exhausted.actors import Actor, drive, effect, patched
from tests.simulation.exhausted.actors import explore as explore_all
from tests.simulation.exhausted.world import CURRENT, Choices, DisturbedWorld, Window, sent_within

CONN = "tokenflex_default"
LONG = 400.0
"""Seconds of a freeze: Airflow has missed the worker, and the next attempt has begun."""
OLD = 60.0
"""Seconds after which a look at what is stored says nothing any more."""
DAY = 86400.0


@dataclass
class Autodesk(DisturbedWorld):
    """Autodesk, Airflow's Variables, and the time of one run.

    :param revokes: whether the second use of a refresh token ends the chain
    :ivar looks: what each attempt has seen stored, and when
    :ivar replaced: attempts that were refused when a newer pair was stored already
    :ivar sent: how often each refresh token was sent
    :ivar lost: an answer of Autodesk is lost for good
    """

    revokes: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    valid: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    looks: dict[Any, tuple[str, float]] = field(default_factory=dict)
    replaced: set[Any] = field(default_factory=set)
    sent: Counter[str] = field(default_factory=Counter)
    given: int = 0
    lost: bool = False
    grants: int = 0

    def pair(self) -> TokenPair:
        """Give a new pair, which is due to be renewed."""
        self.given += 1
        token = f"r{self.grants}.{self.given}"
        self.valid.add(token)
        return TokenPair(
            access_token=f"a{self.grants}.{self.given}",
            refresh_token=token,
            issued=self.now,
            ends=self.now + DUE_SECONDS / 2,
            lapses=self.now + 15 * DAY,
        )

    def granted(self) -> None:
        """Let a person grant access, which ends the grant before."""
        self.grants += 1
        self.lost = False
        grant = Grant(
            grant_id=f"g{self.grants}", granted_by="Ada", granted_at=self.now, scope="data:read", pair=self.pair()
        )
        self.variables[tokens.key_of(CONN, Part.GRANT)] = tokens.encode(grant)

    def stored(self) -> Chain:
        """Return what is stored, without an effect."""

        def of(part: Part, kind: Any) -> Any:
            text = self.variables.get(tokens.key_of(CONN, part))
            return None if text is None else msgspec.json.decode(text, type=kind)

        return tokens.chain_of(
            of(Part.GRANT, Grant), of(Part.RENEWED, tokens.Renewed), of(Part.JOURNAL, tokens.Journal)
        )

    def asked(self, pair: TokenPair) -> TokenPair:
        """Answer a question for the next pair."""
        effect("before the question")
        if CURRENT.get().is_over:
            raise Unreachable("held up", vendor="Autodesk")
        token = pair.refresh_token
        stored = self.stored().pair.refresh_token
        seen, at = self.looks[getcurrent()]
        if token != seen and token.partition(".")[0] == seen.partition(".")[0]:
            raise self.broken(f"{token} is used, and this attempt has seen that {seen} is stored")
        if self.now - at > OLD:
            raise self.broken(f"{token} is used {self.now - at:.0f} s after the look at what is stored")
        if token == stored and self.stored().lost:
            raise self.broken(f"Autodesk is asked with {token} again, which it has refused")
        wrong = self.fault("Autodesk is away", "the question is lost", "the answer is lost")
        if wrong == "Autodesk is away":
            raise Unreachable("503", vendor="Autodesk")
        self.sent[token] += 1
        if self.sent[token] > 1 + len(self.happened):
            raise self.broken(f"{token} is sent for the {self.sent[token]}. time, and nothing had gone wrong")
        if wrong == "the question is lost":
            raise Ambiguous("no answer", vendor="Autodesk")
        if token not in self.valid:
            if self.revokes and token in self.used:
                # Then nothing can be done: the answer to the first use was with a worker that nobody heard of.
                self.valid = {one for one in self.valid if one.partition(".")[0] != token.partition(".")[0]}
                self.lost = True
            if stored != token and stored in self.valid:
                self.replaced.add(getcurrent())
            raise GrantSpent("spent", vendor="Autodesk")
        self.valid.remove(token)
        self.used.add(token)
        following = self.pair()
        if wrong == "the answer is lost":
            self.lost = True
            raise Ambiguous("no answer", vendor="Autodesk")
        effect("before the answer")
        return following


class _NoHook:
    def __init__(self, _conn_id: str) -> None:
        pass

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_exc: object) -> None:
        return None


class StoreFailed(Exception):
    """Airflow's API server did not answer."""


def _changes(world: Autodesk) -> tuple[tuple[Any, str, Any], ...]:
    async def keys(prefix: str) -> list[str]:
        effect("before the list of Variables")
        return [key for key in world.variables if key.startswith(prefix)]

    async def read(conn_id: str, part: Part, kind: Any) -> Any:
        effect(f"before {part} is read")
        key = tokens.key_of(conn_id, part)
        text = world.variables.get(key)
        if part is Part.RENEWED:
            world.looks[getcurrent()] = (world.stored().pair.refresh_token, world.now)
        return None if text is None else tokens.decode(text, kind, key)

    async def write(conn_id: str, part: Part, record: Any) -> None:
        effect(f"before {part} is written")
        wrong = world.fault("the write does not count", "the write counts and its answer is lost")
        if wrong != "the write does not count":
            world.variables[tokens.key_of(conn_id, part)] = tokens.encode(record)
        if wrong:
            raise StoreFailed(wrong)

    async def refresh(_hook: Any, pair: TokenPair) -> TokenPair:
        return world.asked(pair)

    async def sleep(_seconds: float) -> None:
        effect("before a pause")

    async def as_it_is(work: Any) -> Any:
        return await work

    loop = types.SimpleNamespace(
        ensure_future=lambda work: work, shield=as_it_is, sleep=sleep, CancelledError=asyncio.CancelledError
    )
    return (
        (tokens, "_keys", keys),
        (tokens, "read", read),
        (tokens, "write_from_task", write),
        (renewal, "refresh", refresh),
        (renewal, "asyncio", loop),
        (renewal, "SignInHook", _NoHook),
        (renewal, "SendWindow", Window),
        (renewal, "sent_within", sent_within),
        (renewal, "time", types.SimpleNamespace(**{**vars(time), "time": lambda: world.now})),
    )


def _attempt(number: int) -> Actor[Chain | None]:
    # Each attempt is one of a new run: their names are told apart in the journal.
    return Actor(f"attempt {number}", lambda: drive(renew(CONN, by=f"run {number}, try 1")))


def run_one(choices: Choices, *, faults: int, revokes: bool) -> Autodesk:
    """Let attempts run one after the other, with those that were frozen beside them, until nothing goes wrong any more.

    :raises Broken: a promise was broken
    """
    world = Autodesk(choices, faults, revokes=revokes)
    Window.world = world
    world.granted()
    with patched(*_changes(world)):
        frozen: list[Actor[Any]] = []
        numbers = iter(range(1, 100))
        while world.faults:
            before = world.faults
            _disturbed(world, _attempt(next(numbers)), frozen)
            if world.faults == before:
                break
        world.faults = 0
        world.now += LONG
        last = _attempt(next(numbers))
        last.finish()
        _judge(world, last, held=any(_holds_the_only_copy(world, one) for one in frozen))
        for one in frozen:
            # One write cannot be made on a condition: frozen at the very moment of it, and thawed after a person has
            # granted anew and that grant was renewed, it puts the older pair in the place of the newer one.
            world.lost |= one.at == "before renewed is written" and world.grants > 1
            one.finish()
        if not world.lost and world.stored().pair.refresh_token not in world.valid:
            raise world.broken("what Autodesk gave is not stored, and nobody was killed with it")
        # The next run of the DAG.
        world.now += LONG
        _again(world, _attempt(next(numbers)))
    return world


def _disturbed(world: Autodesk, actor: Actor[Any], frozen: list[Actor[Any]]) -> None:
    """Run an attempt to its end, or until it is killed or frozen."""
    for _ in range(200):
        actor.step()
        if actor.is_over:
            if isinstance(actor.error, GrantSpent) and actor.is_one_of(world.replaced):
                raise world.broken("the grant is said to be lost, and a newer pair was stored")
            world.now += LONG
            return
        beside = ["one thaws", "one thaws for a step"] if frozen else []
        wrong = world.fault("killed", "frozen", "a new grant", *beside)
        if wrong == "killed":
            world.lost |= _holds_the_only_copy(world, actor)
            actor.kill()
        elif wrong == "frozen":
            frozen.append(actor)
        elif wrong == "a new grant":
            world.granted()
        elif wrong == "one thaws":
            frozen.pop().finish()
        elif wrong:
            frozen[-1].step()
            if frozen[-1].is_over:
                frozen.pop()
        if wrong in ("killed", "frozen"):
            world.now += LONG
            return
    raise world.broken("an attempt does not end")


def _holds_the_only_copy(world: Autodesk, actor: Actor[Any]) -> bool:
    """Say whether what Autodesk gave is with this attempt and nowhere else."""
    return actor.at == "before the answer" or world.stored().pair.refresh_token in world.used


def _judge(world: Autodesk, last: Actor[Any], *, held: bool) -> None:
    chain = world.stored()
    token = chain.pair.refresh_token
    if chain.grant.grant_id != f"g{world.grants}":
        raise world.broken("a new grant was replaced")
    if not token.startswith(f"r{world.grants}."):
        raise world.broken("a token of an older grant is stored as one of the new")
    if last.error is None:
        if token not in world.valid and not world.revokes:
            raise world.broken(f"renewed, and {token} is not good")
        return
    if isinstance(last.error, GrantSpent):
        if not world.lost and not held:
            raise world.broken(f"the grant is lost, and nobody had lost an answer: {last.error}")
        if token in world.valid:
            raise world.broken(f"the grant is said to be lost, and {token} is good")
        return
    raise world.broken(f"nothing disturbed the last attempt, and it ended with {last.error!r}")


def _again(world: Autodesk, actor: Actor[Any]) -> None:
    """What is good goes on; what is lost stays lost until a person grants access."""
    good = world.stored().pair.refresh_token in world.valid
    actor.finish()
    if good and actor.error is not None:
        raise world.broken(f"the stored token was good, and the next attempt ended with {actor.error!r}")
    if not good and not isinstance(actor.error, GrantSpent):
        raise world.broken(f"the stored token was not good, and the next attempt ended with {actor.error!r}")


def explore(*, faults: int, most: int | None = None) -> dict[str, int]:
    """Try all runs; return how many there were, where a second use is refused and where it ends the chain.

    :raises Broken: one broke a promise
    """
    return {
        name: explore_all(lambda choices, revokes=revokes: run_one(choices, faults=faults, revokes=revokes), most=most)
        for name, revokes in (("a second use is refused", False), ("a second use ends the chain", True))
    }


def _never_recovers(chain: Chain, now: float, **more: Any) -> RenewalStep:
    found = _DECIDE(chain, now, **more)
    return RenewalStep.KEEP if found is RenewalStep.RECOVER else found


def _asks_for_ever(chain: Chain, now: float, **more: Any) -> RenewalStep:
    found = _DECIDE(chain, now, **more)
    return RenewalStep.RENEW if found is RenewalStep.GIVE_UP else found


async def _not_compared(self: Any, renewed: Any) -> None:
    await tokens.write_from_task(self.conn_id, Part.RENEWED, renewed)


async def _refused_is_lost(self: Any, error: GrantSpent) -> Chain:
    note = msgspec.structs.replace(self.note, outcome=RefreshOutcome.LOST, words="refused")
    await tokens.write_from_task(self.conn_id, Part.JOURNAL, note)
    raise renewal.lost(self.conn_id, msgspec.structs.replace(self.chain, journal=note), error)


def _of_any_grant(grant: Grant, renewed: Any, journal: Any) -> Chain:
    pair = renewed.pair if renewed is not None else grant.pair
    return Chain(grant=grant, pair=pair, number=renewed.number if renewed else 0, journal=journal)


class _NoWindow(Window):
    is_over = False  # type: ignore[assignment]


_DECIDE: Callable[..., RenewalStep] = renewal.decide
MUTANTS: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "the answer is stored without a look": ((renewal._Renewal, "_save", _not_compared),),
    "every refusal is a lost grant": ((renewal._Renewal, "_refused", _refused_is_lost),),
    "what was asked before is forgotten": ((renewal, "decide", _never_recovers),),
    "a lost grant is asked for again": ((renewal, "decide", _asks_for_ever),),
    "a pair counts for any grant": ((tokens, "chain_of", _of_any_grant),),
    "a question leaves however late it is": ((Window, "is_over", False),),
    "one failed save is enough": ((renewal, "SAVE_PAUSES", ()),),
}
"""Renewals that are wrong on purpose: what is put in the place of what."""
