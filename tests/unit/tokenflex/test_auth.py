from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import date
from typing import Any

import msgspec
import pytest

from include.standins.tokenflex.contracts import PEOPLE
from nightshift.errors import AuthFailed, Forbidden, Rejected, Unreachable
from nightshift.tokenflex import auth
from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.oauth import SignInHook, fingerprint
from nightshift.tokenflex.tokens import (
    REFUSED_CONF,
    Grant,
    Journal,
    Part,
    RefreshOutcome,
    Renewed,
    decode,
    encode,
    granted_connections,
    key_of,
)
from tests.unit.tokenflex.records import (
    CONN,
    GRANT,
    JOURNAL,
    REFUSED,
    RENEWED,
    connection,
    granted,
    renew_task,
    renewing_api,
)
from tests.unit.tokenflex.sign_in import PUBLIC, SECRET, SERVICE, SignInVendor
from tests.unit.tokenflex.token_api import TokenApi
from tests.unit.tokenflex.vendor import CONTRACT

ADMIN, NO_ADMIN = (next(one.name for one in PEOPLE if one.admin is admin) for admin in (True, False))


class ThingHook(SignInHook):
    """A consumer, as the hook of the exports is one."""

    async def authorize(self) -> Any:
        return await auth.authorization(self)

    async def reauthorize(self, error: AuthFailed) -> bool:
        return await auth.renewed(self, error)


def ask(server: SignInVendor, api: TokenApi, times: int = 1, at_once: int = 1, **overrides: Any) -> list[str]:
    """Return the numbers of the tokens that the server saw, for requests one after the other, some at a time."""

    async def run() -> list[str]:
        async with ThingHook(CONN, **overrides) as hook:
            before = len(server.seen)
            for _ in range(times):
                await asyncio.gather(*(hook.request("GET", "/tokenflex/v1/contract") for _ in range(at_once)))
            return server.seen[before:]

    with api.away():
        return asyncio.run(run())


def api_of(server: SignInVendor, variables: dict[str, str] | None = None, **extra: Any) -> TokenApi:
    return TokenApi(connections={CONN: connection(server.url, **extra)}, variables=variables or {})


def reads(api: TokenApi) -> int:
    return sum(path.endswith(".grant") for _, path in api.calls)


def test_a_granted_token_is_read_once_and_held(server: SignInVendor) -> None:
    api = api_of(server, {GRANT: granted(server, left=1000)})
    assert ask(server, api, times=5) == ["1"] * 5
    assert (reads(api), server.asked, api.puts) == (1, [], [])
    assert ask(server, api) == ["1"]
    assert reads(api) == 1


def test_bearer(server: SignInVendor) -> None:
    token, _ = server.new_pair()
    assert ask(server, api_of(server, auth="bearer", token=token)) == ["1"]
    assert ask(server, api_of(server, token=token)) == ["1"]
    with pytest.raises(AuthFailed):
        ask(server, api_of(server, auth="bearer", token="another-token-12345"))


def test_two_legged_asks_for_its_own_token_once(server: SignInVendor) -> None:
    api = api_of(server, auth="two_legged")
    assert ask(server, api, times=3) == ["1"] * 3
    assert server.asked == ["client_credentials"]
    assert server.forms[0]["scope"] == "data:read data:write"
    assert "client_id" not in server.forms[0]


def test_two_legged_asks_again_after_a_refusal(server: SignInVendor) -> None:
    api = api_of(server, auth="two_legged")
    assert ask(server, api) == ["1"]
    server.grants.end_access()
    assert ask(server, api) == ["2"]


def test_two_legged_asks_again_when_the_token_ends(server: SignInVendor) -> None:
    server.turn(expires_in=59)
    assert ask(server, api_of(server, auth="two_legged"), times=2) == ["1", "2"]


def test_nobody_has_granted(server: SignInVendor) -> None:
    with pytest.raises(AuthFailed, match=r"nobody has granted access.*Admin, Token Flex sign-in"):
        ask(server, api_of(server))


def test_a_wrong_way_names_the_right_ones(server: SignInVendor) -> None:
    with pytest.raises(Rejected, match="three_legged, two_legged, bearer"):
        ask(server, api_of(server, auth="saml"))


def test_a_held_token_does_not_outlive_a_change_of_the_connection(server: SignInVendor) -> None:
    api = api_of(server, auth="two_legged")
    assert ask(server, api) == ["1"]
    of_service = {"login": SERVICE.id, "password": SERVICE.secret}
    api.connections = {CONN: {**connection(server.url, auth="two_legged"), **of_service}}
    assert ask(server, api) == ["2"]


def test_a_public_app_names_itself_in_the_form(server: SignInVendor) -> None:
    api = api_of(server, auth="two_legged")
    api.connections = {CONN: {**connection(server.url, auth="two_legged"), "login": PUBLIC.id, "password": ""}}
    with pytest.raises(Rejected, match="unsupported_grant_type"):
        ask(server, api)
    assert server.forms[-1]["client_id"] == PUBLIC.id


def test_an_ended_token_waits_for_the_writer(server: SignInVendor) -> None:
    api = api_of(server, {GRANT: granted(server, left=-10)})

    def renew(key: str) -> None:
        if key == JOURNAL and RENEWED not in api.variables:
            access, refresh = server.new_pair()
            first = msgspec.json.decode(api.variables[GRANT], type=Grant).pair
            pair = msgspec.structs.replace(first, access_token=access, refresh_token=refresh, ends=time.time() + 3600)
            api.variables[RENEWED] = encode(Renewed(grant_id="g1", number=1, pair=pair))

    api.after_get = renew
    assert ask(server, api) == ["2"]
    assert (reads(api), server.asked) == (2, [])
    assert api.puts == []


def test_an_ended_token_that_is_not_renewed_is_worth_another_attempt(server: SignInVendor) -> None:
    with pytest.raises(Unreachable, match=r"has not renewed it yet.*tokenflex_token is not paused") as caught:
        ask(server, api_of(server, {GRANT: granted(server, left=-10)}), token_wait=0.1)
    assert caught.value.retry_after == 300
    assert server.asked == []


def test_a_refused_token_is_replaced_by_the_stored_newer_one(server: SignInVendor) -> None:
    api = api_of(server, {GRANT: granted(server, left=1000)})
    assert ask(server, api) == ["1"]
    server.grants.end_access()
    api.variables[GRANT] = granted(server, left=1000, grant_id="g2")
    assert ask(server, api, at_once=8) == ["2"] * 8
    assert (server.asked, reads(api)) == ([], 2)


def test_a_new_grant_wins_where_the_token_of_the_old_one_is_forbidden(server: SignInVendor) -> None:
    """Whoever granted access before has lost the role; the process goes on for as long as it likes."""
    server.turn(signed_in=NO_ADMIN)
    api = api_of(server, {GRANT: granted(server, left=1000)})

    async def look() -> None:
        async with TokenFlexHook(CONN) as hook:
            await hook.exports(CONTRACT, date(2026, 11, 1), date(2026, 11, 2))

    with api.away():
        with pytest.raises(Forbidden):
            asyncio.run(look())
        server.turn(signed_in=ADMIN)
        api.variables[GRANT] = granted(server, left=1000, grant_id="g2")
        asyncio.run(look())
    assert server.seen == ["1", "1", "2"]
    assert (server.asked, api.puts) == ([], [])


def a_minute_later() -> None:
    """Let the last look at the store of all that is held be long ago."""
    for key, held in auth._held.items():
        auth._held[key] = msgspec.structs.replace(held, looked=float("-inf"))


def test_a_held_token_is_given_up_within_a_minute_where_another_grant_or_none_is_stored(server: SignInVendor) -> None:
    api = api_of(server, {GRANT: granted(server, left=1000)})
    assert ask(server, api) == ["1"]
    api.variables[GRANT] = granted(server, left=1000, grant_id="g2")
    assert ask(server, api) == ["1"]
    a_minute_later()
    assert ask(server, api, at_once=8) == ["2"] * 8
    del api.variables[GRANT]
    a_minute_later()
    with pytest.raises(AuthFailed, match="nobody has granted access"):
        ask(server, api)
    assert (server.asked, api.puts) == ([], [])


def test_a_look_whether_the_grant_is_still_the_stored_one_costs_a_read_a_minute(server: SignInVendor) -> None:
    api = api_of(server, {GRANT: granted(server, left=1000)})
    assert ask(server, api) == ["1"]
    a_minute_later()
    before = len(api.calls)
    assert ask(server, api, times=3, at_once=20) == ["1"] * 60
    assert [path for _, path in api.calls[before:] if path.startswith("variables/")] == [f"variables/{GRANT}"]


def test_a_held_token_is_as_good_as_before_where_the_store_cannot_be_asked(
    server: SignInVendor, caplog: pytest.LogCaptureFixture
) -> None:
    api = api_of(server, {GRANT: granted(server, left=1000)})
    assert ask(server, api) == ["1"]
    a_minute_later()
    api.unreadable = {GRANT}
    assert ask(server, api, times=3) == ["1"] * 3
    assert caplog.text.count("could not be seen") == 1


def test_a_refused_token_without_a_newer_one_is_not_refreshed_here(server: SignInVendor) -> None:
    api = api_of(server, {GRANT: granted(server, left=1000)})
    server.grants.end_access()
    with pytest.raises(Unreachable, match="is refused, although it should be good"):
        ask(server, api, token_wait=0.1)
    assert (server.asked, api.puts) == ([], [])


def test_a_lost_grant_says_so_at_once(server: SignInVendor) -> None:
    grant = granted(server, left=-10)
    note = Journal(
        grant_id="g1",
        spent=fingerprint(server.pairs[0][1]),
        asked_at=time.time(),
        by="x",
        outcome=RefreshOutcome.LOST,
        words="it was killed",
    )
    with pytest.raises(
        AuthFailed, match=r"granted by Ada Lovelace, cannot be renewed: it was killed.*grant access anew"
    ):
        ask(server, api_of(server, {GRANT: grant, JOURNAL: encode(note)}))


def test_warns_days_before_the_grant_lapses(server: SignInVendor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ask(server, api_of(server, {GRANT: granted(server, left=1000, days=4.5)}))
    assert "lapses on" in caplog.text
    assert "in 4.5 days" in caplog.text


def test_no_secret_in_logs_reprs_and_errors(server: SignInVendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api = api_of(server, {GRANT: granted(server, left=1000)})
    ask(server, api)
    server.grants.end_access()
    with pytest.raises(Unreachable) as caught:
        ask(server, api, token_wait=0.05)
    record = json.loads(api.variables[GRANT])["pair"]
    shown = (
        caplog.text
        + repr(caught.value)
        + str(caught.value)
        + repr(decode(api.variables[GRANT], Grant, GRANT))
        + repr(auth.Held("secret-token", 1.0))
    )
    for secret in (record["access_token"], record["refresh_token"], SECRET, "secret-token"):
        assert secret not in shown


def test_a_refused_token_starts_the_dag_that_renews_it_once_for_all_who_ask(server: SignInVendor) -> None:
    """The run is started under a name of the token, which Airflow takes once; nobody but the DAG uses the refresh
    token.
    """
    api = api_of(server, {GRANT: granted(server, left=1000)})
    assert ask(server, api) == ["1"]
    server.grants.end_access()
    with pytest.raises(Unreachable, match="is refused, although it should be good"):
        ask(server, api, at_once=3, token_wait=0.1)
    started = [path for method, path in api.calls if method == "POST" and path.startswith("dag-runs/tokenflex_token/")]
    assert len(set(started)) == 1
    assert f"refused__{fingerprint(server.pairs[0][0])}__" in started[0]
    assert (server.asked, api.puts) == ([], [])


def test_a_connection_of_the_environment_has_one_grant_however_its_id_is_spelled(
    server: SignInVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow finds it in any case of letters; the sign-in page lists it in small ones."""
    given = {**connection(server.url), "extra": {"token_wait": 0.1}}
    monkeypatch.setenv("AIRFLOW_CONN_TOKENFLEX_EU", json.dumps(given))
    kept = {key_of("tokenflex_eu", Part.GRANT): granted(server, left=1000)}
    api = TokenApi(variables={**kept, key_of("Saved_Elsewhere", Part.GRANT): granted(server)})

    async def look() -> None:
        async with TokenFlexHook("TokenFlex_EU") as hook:
            await hook.contracts()

    with api.away():
        asyncio.run(look())
        assert server.seen == ["1"]
        server.grants.end_access()
        with pytest.raises(Unreachable, match="is refused"):
            asyncio.run(look())
        assert asyncio.run(granted_connections()) == ["Saved_Elsewhere", "tokenflex_eu"]
    assert api.started == [{REFUSED_CONF: {"tokenflex_eu": fingerprint(server.pairs[0][0])}}]


def test_where_no_run_can_be_started_a_note_tells_the_next_one(
    server: SignInVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a triggerer, which knows no such message."""
    monkeypatch.setattr("nightshift.tokenflex.tokens._TASK_COMMS", ())
    api = api_of(server, {GRANT: granted(server, left=2000)})
    server.grants.end_access()
    with pytest.raises(Unreachable):
        ask(server, api, token_wait=0.1)
    assert api.puts == [REFUSED]
    assert not any(path.startswith("dag-runs/") for _, path in api.calls)
    assert not any(secret in api.variables[REFUSED] for secret in server.pairs[0])
    renewing = renewing_api(server.url, api.variables)
    assert renewing.run(renew_task()).state == "success"
    auth.forget()
    assert ask(server, api) == ["2"]
    assert renewing.run(renew_task()).state == "skipped"
