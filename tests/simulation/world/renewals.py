"""The world of renewals: the access of one person to Token Flex is kept alive for hours, and used meanwhile.

Autodesk does what the reference allows: access for half an hour or a whole one, and a second use of a refresh token
that is refused, that ends all of the grant, or that gives another pair. The person grants access anew where it is lost,
and at times where it is not.

Promises: a refresh token whose answer was saved is never used again; no answer that came to a living attempt is thrown
away; what is stored is never replaced by what came before it; whoever works with the access can, as long as the grant
lives, and the access does not end where the renewals run.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from include.standins.routing import Handler, Request, Response
from include.standins.tokenflex import TokenFlexStandIn, TokenFlexSwitches
from include.standins.tokenflex.grants import CLIENTS, READ, WRITE, Access, _hash
from include.standins.tokenflex.switches import Reuse
from nightshift.errors import VendorError
from nightshift.tokenflex import tokens
from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.oauth import TokenPair, fingerprint
from nightshift.tokenflex.operators import RenewTokensOperator
from nightshift.tokenflex.tokens import Grant, Journal, Part, Renewed
from tests.simulation.world.airflow import Airflow, ApiFailed
from tests.simulation.world.harm import Harm
from tests.simulation.world.loop import PROCESS, Killed, Process
from tests.simulation.world.universe import Broken, Universe

CONN = "tokenflex_default"
HOURS = 3.0
USED_TWICE = "a refresh token whose answer was saved is not used again"
LOST = "no answer to a renewal is thrown away"
SERVED = "who works with the access can, at the latest when tried again, while the grant lives"
BODY = "the store has what Autodesk gave"
NEWEST = "what is stored is not replaced by what came before it"
AWAKE = "the access does not end where renewals run"
LOOKED_AT = 20.0
"""Seconds after its last look at the store in which a write arrives, unless its process stood still on the way."""


class Variables:
    """Airflow's Variables, as a task reaches them: late, and failing at times."""

    def __init__(self, universe: Universe, airflow: Airflow) -> None:
        self._universe = universe
        self._airflow = airflow
        self.kept: dict[str, str] = {}
        self.history: list[tuple[float, str, str]] = []
        self.replaced: list[tuple[float, Renewed, Renewed]] = []
        """What was written by who had looked at the store just before, and what it took the place of."""
        self.held_up = float("-inf")
        """When a pair was written that had stood still on its way: it may have taken the place of a newer one, which
        nothing can keep from happening (a Variable cannot be written on a condition)."""
        self.fails = 0.0
        self._looks: dict[Process | None, float] = {}

    def _asked(self, what: str) -> float:
        process = PROCESS.get()
        if self._universe.is_over:
            raise Killed
        if process is None:
            return 1.0
        loop, random = self._universe.loop, self._universe.random
        wait = 0.002 + 0.05 * random.random() ** 2
        if loop.blocks:
            if process.name.startswith("renew"):
                self._airflow.befall(f"variable {what}", self._airflow.fates.at_write / 2)
            loop.sleep_blocking(wait)
        drawn = random.random()
        if drawn < self.fails / 2:
            self._universe.note(f"{process} variable {what} failed")
            raise ApiFailed(what)
        return drawn

    def get(self, key: str, default: Any = None, **_: Any) -> Any:
        try:
            self._asked("get")
        except ApiFailed:
            # As Airflow has it: a failed read looks like a Variable that does not exist.
            return default
        self._looks[PROCESS.get()] = self._universe.loop.time()
        return self.kept.get(key, default)

    def keys(self, prefix: str = "", **_: Any) -> list[str]:
        self._asked("keys")
        return [key for key in sorted(self.kept) if key.startswith(prefix)]

    def set(self, key: str, value: str, **_: Any) -> None:
        drawn = self._asked("set")
        process, now = PROCESS.get(), self._universe.loop.time()
        if key.endswith(f".{Part.RENEWED}") and now - self._looks.get(process, now) >= LOOKED_AT:
            self.held_up = now
        elif key.endswith(f".{Part.RENEWED}") and key in self.kept:
            before, after = (tokens.decode(text, Renewed, key) for text in (self.kept[key], value))
            self.replaced.append((now, before, after))
        self.kept[key] = value
        self.history.append((self._universe.loop.time(), key, value))
        self._universe.note(f"{PROCESS.get()} variable {key.rsplit('.', 1)[1]} set")
        if drawn < self.fails:
            raise ApiFailed("the answer was lost")


@dataclass
class Use:
    """One use of a refresh token at Autodesk.

    :param given: fingerprint of the new refresh token; empty: it was refused
    :param by: who asked
    """

    at: float
    spent: str
    given: str
    pair: tuple[str, str] = ("", "")


class Vendor(TokenFlexStandIn):
    """A Token Flex whose uses of refresh tokens are kept."""

    def __init__(self, universe: Universe, **options: Any) -> None:
        self._universe = universe
        self.uses: list[Use] = []
        super().__init__(**options)

    def routes(self) -> Any:
        return [
            replace(one, handler=self._kept(one.handler)) if one.path.endswith("/token") else one
            for one in super().routes()
        ]

    def _kept(self, handler: Handler) -> Handler:
        async def kept(request: Request) -> Response:
            spent = fingerprint(request.form().get("refresh_token", ""))
            response = await handler(request)
            given = json.loads(bytes(response.body))  # type: ignore[arg-type]
            refresh, access = given.get("refresh_token") or "", given.get("access_token") or ""
            self.uses.append(
                Use(self._universe.loop.time(), spent, fingerprint(refresh) if refresh else "", (access, refresh))
            )
            self._universe.note(f"autodesk: {'a new pair' if refresh else 'refused'}")
            return response

        return kept

    def takes(self, refresh_token: str) -> bool:
        """Tell whether a refresh token is good for a first use."""
        access = self.grants._refresh.get(_hash(refresh_token))
        return access is not None and access.chain not in self.grants._dead_chains

    def grant(self, number: int) -> TokenPair:
        """Give the first pair of a person's consent."""
        client = next(one for one in CLIENTS if one.id == "nightshift")
        access = Access(client, self.switches.signed_in, frozenset({READ, WRITE}), number, 0.0)
        now = time.time()
        pair = self.grants._pair(access, now, self.switches)
        return TokenPair(
            access_token=pair.access,
            refresh_token=pair.refresh,
            issued=now,
            ends=now + self.switches.access_seconds,
            lapses=now + self.switches.refresh_seconds,
        )


class RenewalWorld:
    """See the module."""

    name = "renewals"

    def __init__(self, universe: Universe, folder: Path) -> None:
        self.universe = universe
        self.airflow = Airflow(universe, Random(f"{universe.seed} fates"))
        switches = TokenFlexSwitches(
            access_seconds=universe.random.choice((3600.0, 3600.0, 1800.0)),
            refresh_reuse=universe.random.choice((Reuse.REFUSED, Reuse.REVOKES, Reuse.ALLOWED)),
        )
        self.vendor = Vendor(universe, seed=7, switches=switches)
        self.variables = universe.variables = Variables(universe, self.airflow)
        self._calm_since = float("inf")
        self._grants: list[float] = []

    async def story(self) -> None:
        """Let it happen."""
        random = self.universe.random
        async with self.vendor:
            connection = {
                "conn_type": "tokenflex",
                "host": self.vendor.url,
                "login": "nightshift",
                "password": "standin-tokenflex",
                "extra": {"auth": "three_legged", "requests_per_minute": 60},
            }
            os.environ["AIRFLOW_CONN_TOKENFLEX_DEFAULT"] = json.dumps(connection)
            self._grant()
            Harm.drawn(random).strike(self.universe, self.airflow)
            self.variables.fails = random.choice((0.0, 0.0, 0.05, 0.2))
            self.universe.loop.call_later(HOURS * 3600.0 - 4000.0, self._calm)
            await asyncio.gather(self._schedule(), self._consumer(), self._person())
            self._judge()

    def _calm(self) -> None:
        self._calm_since = self.universe.loop.time()
        self.airflow.calm()
        self.variables.fails = 0.0

    def _grant(self) -> None:
        """Let a person grant access, as the sign-in page stores it."""
        number = len(self._grants) + 1
        self._grants.append(self.universe.loop.time())
        pair = self.vendor.grant(number)
        grant = Grant(grant_id=f"g{number}", granted_by="ada", granted_at=time.time(), scope="", pair=pair)
        self.variables.set(tokens.key_of(CONN, Part.GRANT), tokens.encode(grant))

    async def _person(self) -> None:
        """Look now and then whether access is lost, and grant it anew; at times for no reason."""
        until = self.universe.loop.time() + HOURS * 3600.0
        random = self.universe.random
        restless = random.choice((0.0, 0.0, 0.05))
        while True:
            await asyncio.sleep(random.uniform(60.0, 1500.0))
            if self.universe.loop.time() > until:
                return
            journal = self.variables.kept.get(tokens.key_of(CONN, Part.JOURNAL))
            grant = tokens.decode(self.variables.kept[tokens.key_of(CONN, Part.GRANT)], Grant, "grant")
            noted = tokens.decode(journal, Journal, "journal") if journal else None
            if tokens.chain_of(grant, self._renewed(), noted).lost or random.random() < restless:
                self._grant()

    async def _schedule(self) -> None:
        """Let the DAG run every ten minutes, one run at a time; until it is calm, it is missed at times."""
        until = self.universe.loop.time() + HOURS * 3600.0
        number = 0
        while self.universe.loop.time() < until:
            number += 1
            missed = self.universe.random.random() >= 0.9
            if not missed or self.universe.loop.time() >= self._calm_since:
                await self._run(number)
            await asyncio.sleep(600.0 - self.universe.loop.time() % 600.0)

    async def _run(self, number: int) -> None:
        self.airflow.max_tries[f"renew {number}"] = 2

        def make() -> Any:
            return RenewTokensOperator(task_id="renew")

        await self.airflow._tried(f"renew {number}", make)

    async def _consumer(self) -> None:
        """Work with the access, from workers that nothing befalls but the network."""
        until = self.universe.loop.time() + HOURS * 3600.0
        number = failures = 0
        while True:
            number += 1
            await asyncio.sleep(700.0 if failures else self.universe.random.uniform(200.0, 1500.0))
            if self.universe.loop.time() > until:
                return
            calm_for = self.universe.loop.time() - max(self._calm_since, self.variables.held_up)
            access = self._stored().access_token
            if calm_for > 1500.0 and not self._is_lost() and not self.vendor.grants.access(access, time.time()):
                raise Broken(AWAKE, "the stored access token has ended")
            error = await self.universe.loop.spawn(Process(f"consumer {number}"), self._works)
            failures = 0 if error is None else failures + 1
            calm_for = self.universe.loop.time() - self._calm_since
            # The first failure may be what tells that the token is refused; a renewal comes before the retry.
            if error is not None and failures > 1 and calm_for > 1500.0 and not self._is_lost():
                raise Broken(SERVED, f"{type(error).__name__}: {error}")

    def _is_lost(self) -> bool:
        """Whether the refresh token that is stored is none that Autodesk takes any more."""
        return not self.vendor.takes(self._stored().refresh_token)

    def _works(self) -> Exception | None:
        async def work() -> None:
            async with TokenFlexHook(CONN) as hook:
                await hook.contracts()

        try:
            self.universe.loop.run_blocking(work())
        except VendorError as error:
            return error
        return None

    def _stored(self) -> TokenPair:
        grant = tokens.decode(self.variables.kept[tokens.key_of(CONN, Part.GRANT)], Grant, "grant")
        return tokens.chain_of(grant, self._renewed(), None).pair

    def _renewed(self) -> Renewed | None:
        text = self.variables.kept.get(tokens.key_of(CONN, Part.RENEWED))
        return tokens.decode(text, Renewed, "renewed") if text else None

    def _judge(self) -> None:
        saved = {
            fingerprint(tokens.decode(text, Renewed, key).pair.refresh_token): at
            for at, key, text in self.variables.history
            if key.endswith(f".{Part.RENEWED}")
        }
        first: dict[str, Use] = {}
        for use in self.vendor.uses:
            before = first.setdefault(use.spent, use)
            if before is not use and saved.get(before.given, float("inf")) < use.at - 25.0:
                raise Broken(USED_TWICE, f"at {use.at:.0f} s; its answer of {before.at:.0f} s was saved")
        given = [use for use in self.vendor.uses if use.given]
        thrown = [use for use in given if use.given not in saved and use.given not in first]
        for use in thrown:
            if not self._is_excused(use.at) and not any(use.at - 5.0 <= at <= use.at + 130.0 for at in self._grants):
                raise Broken(LOST, f"the pair of {use.at:.0f} s is in no store")
        for at, before, after in self.variables.replaced:
            if _age(after) < _age(before):
                raise Broken(NEWEST, f"at {at:.0f} s, pair {after.number} of {after.grant_id} over {before.number}")
        pairs = {use.given: use.pair for use in given}
        stored = self._stored()
        known = pairs.get(fingerprint(stored.refresh_token))
        if known is not None and known[0] != stored.access_token:
            raise Broken(BODY, "the access token is another than was given")

    def _is_excused(self, at: float) -> bool:
        """Whether something befell about a use that loses its answer: a kill, a freeze for longer than Airflow waits,
        a network that loses or delays it.
        """
        for line in self.universe.trace:
            moment = float(line.partition(" ")[0])
            if at - 180.0 <= moment <= at + 400.0 and any(word in line for word in _LOSES):
                return True
        return False


def _age(renewed: Renewed) -> tuple[int, int]:
    """Return what orders the pairs that are stored, the newest last."""
    return int(renewed.grant_id.removeprefix("g")), renewed.number


_LOSES = ("killed", "network: answer", "network: request", "given up", "frozen")
