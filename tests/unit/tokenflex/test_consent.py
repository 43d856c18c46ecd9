from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import structlog

from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.tokens import Part, key_of
from tests.unit.tokenflex import airflow_page as web
from tests.unit.tokenflex.records import CONN, GRANT, JOURNAL, granted
from tests.unit.tokenflex.sign_in import CLIENT, SECRET, SignInVendor, allow

CALLBACK = f"{web.PAGE}callback"


@pytest.fixture(scope="module")
def app() -> Any:
    return web.airflow_app()


@pytest.fixture(autouse=True)
def connections(app: Any, server: SignInVendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")

    def one(conn_id: str, **extra: Any) -> web.Connection:
        return web.Connection(
            conn_id=conn_id,
            conn_type="tokenflex",
            host=server.url,
            login=CLIENT,
            password=SECRET,
            extra=json.dumps(extra),
        )

    with web.stored(
        one(CONN), one("own", auth="two_legged"), web.Connection(conn_id="other", conn_type="http", host="x")
    ):
        yield


async def begin(client: httpx.AsyncClient, server: SignInVendor) -> dict[str, str]:
    """Press the button, and return the parameters with which Autodesk would be asked."""
    ticket = web.ticket_of((await client.get(web.PAGE)).text, CONN)
    answer = await client.post(f"{web.PAGE}connections/{CONN}/grant", data={"ticket": ticket})
    assert answer.status_code == 303
    target = urlsplit(answer.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{server.url}/authentication/v2/authorize"
    return {name: values[0] for name, values in parse_qs(target.query).items()}


async def told(client: httpx.AsyncClient, answer: httpx.Response) -> str:
    """Follow the redirect back to the page and return what it shows."""
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("./?notice=")
    return (await client.get(httpx.URL(CALLBACK).join(answer.headers["location"]))).text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", f"connections/{CONN}/grant"),
        ("GET", "callback?code=c&state=s"),
        ("GET", "docs"),
        ("GET", "openapi.json"),
    ],
)
async def test_anonymous_gets_nothing(app: Any, method: str, path: str) -> None:
    async with web.browser(app) as client:
        answer = await client.request(method, web.PAGE + path)
    assert answer.status_code == (404 if path in ("docs", "openapi.json") else 401)
    assert CONN not in answer.text


@pytest.mark.parametrize("role", ["VIEWER", "USER"])
async def test_who_may_not_edit_connections_gets_nothing(app: Any, role: str) -> None:
    async with web.browser(app, "eve", role) as client:
        for method, path in (("GET", ""), ("POST", f"connections/{CONN}/grant"), ("GET", "callback?code=c&state=s")):
            assert (await client.request(method, web.PAGE + path)).status_code == 403


async def test_shows_what_is_there_before_anything_is_granted(app: Any) -> None:
    async with web.browser(app, "ada") as client:
        answer = await client.get(web.PAGE)
    assert answer.status_code == 200
    assert "not granted" in answer.text
    assert "needs no person" in answer.text
    assert "other" not in answer.text.replace("another", "")
    assert CALLBACK in answer.text
    assert "href=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"


async def test_shows_connections_of_the_environment_and_only_good_ones(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TOKENFLEX_OF_ENV", json.dumps({"conn_type": "tokenflex", "login": CLIENT}))
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"conn_type": ')
    async with web.browser(app, "ada") as client:
        page = (await client.get(web.PAGE)).text
    assert "tokenflex_of_env" in page
    assert key_of("TokenFlex_Of_Env", Part.GRANT) == key_of("tokenflex_of_env", Part.GRANT)
    assert "broken" not in page


async def test_a_person_grants_access(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as client:
        asked = await begin(client, server)
        assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT, "data:read data:write")
        assert (asked["redirect_uri"], asked["code_challenge_method"]) == (CALLBACK, "S256")
        page = await told(client, await client.get(CALLBACK, params=allow(server, asked)))
    assert f"Access for {CONN} is granted" in page
    assert "<dd>ada</dd>" in page
    assert "Grant lapses" in page
    stored = web.raw_variables()
    assert list(stored) == [GRANT]
    assert not any(secret in stored[GRANT] for secret in (*server.pairs[0], '"ada"'))
    grant = json.loads(web.Variable.get(GRANT))
    assert (grant["pair"]["access_token"], grant["pair"]["refresh_token"]) == server.pairs[0]
    assert (grant["granted_by"], grant["scope"]) == ("ada", "data:read data:write")
    assert grant["pair"]["ends"] == pytest.approx(time.time() + 3599, abs=60)


async def test_no_secret_on_the_page_or_in_the_logs(
    app: Any, server: SignInVendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as access_log:
        async with web.browser(app, "ada") as client:
            callback = allow(server, await begin(client, server))
            granted_page = await told(client, await client.get(CALLBACK, params=callback))
            server.turn(code_seconds=0)
            failed_page = await told(
                client, await client.get(CALLBACK, params=allow(server, await begin(client, server)))
            )
    shown = granted_page + failed_page + caplog.text + str(access_log)
    assert len(access_log) >= 8
    assert "/callback" in str(access_log)
    for secret in (*callback.values(), *server.pairs[0], SECRET, server.forms[0]["code_verifier"]):
        assert secret not in shown


async def test_a_callback_is_good_once(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as client:
        callback = allow(server, await begin(client, server))
        await client.get(CALLBACK, params=callback)
        assert "was finished before" in await told(client, await client.get(CALLBACK, params=callback))
    assert server.asked == ["authorization_code"]


async def test_a_state_that_was_never_given_out_is_refused(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as client:
        await begin(client, server)
        for callback in ({"code": "x", "state": "guess"}, {"code": "x"}, {}):
            assert "This sign-in is unknown" in await told(client, await client.get(CALLBACK, params=callback))
    assert server.asked == []


async def test_a_callback_belongs_to_the_user_who_began(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as ada, web.browser(app, "bob") as bob:
        callback = allow(server, await begin(ada, server))
        assert "begun by another Airflow user" in await told(bob, await bob.get(CALLBACK, params=callback))
        assert "was finished before" in await told(ada, await ada.get(CALLBACK, params=callback))
    assert (server.asked, web.raw_variables()) == ([], {})


async def test_a_wrong_verifier_grants_nothing(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as client:
        asked = await begin(client, server)
        callback = allow(server, {**asked, "code_challenge": "of-somebody-else"})
        assert "does not accept the grant" in await told(client, await client.get(CALLBACK, params=callback))
    assert web.raw_variables() == {}


async def test_the_person_says_no(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as client:
        for error, shown in (("access_denied", "(access_denied)"), ("<script>alert(1)", "did not grant access.")):
            state = (await begin(client, server))["state"]
            page = await told(client, await client.get(CALLBACK, params={"error": error, "state": state}))
            assert shown in page
            assert "<script" not in page


async def test_a_form_of_a_foreign_page_is_refused(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as ada, web.browser(app, "bob") as bob:
        bobs = web.ticket_of((await bob.get(web.PAGE)).text, CONN)
        for form in ({}, {"ticket": "x"}, {"ticket": bobs}):
            assert (await ada.post(f"{web.PAGE}connections/{CONN}/grant", data=form)).status_code == 403
        assert (await ada.get(f"{web.PAGE}connections/{CONN}/grant")).status_code == 405
    assert web.raw_variables() == {}


async def test_a_notice_cannot_be_made_by_others(app: Any, server: SignInVendor) -> None:
    async with web.browser(app, "ada") as ada, web.browser(app, "bob") as bob:
        answer = await ada.get(CALLBACK, params={"state": "guess"})
        assert "unknown" in await told(ada, answer)
        assert "unknown" not in await told(bob, answer)
        assert "forged" not in (await ada.get(f"{web.PAGE}?notice=forged")).text


async def test_sign_ins_that_nobody_finished_are_swept_away(app: Any, server: SignInVendor) -> None:
    from nightshift.tokenflex.consent import store
    from nightshift.tokenflex.oauth import Pkce

    old = store.Consent(connection=CONN, user="ada", pkce=Pkce.new(), redirect_uri=CALLBACK, ends=time.time() - 1)
    state = store.start(old)
    async with web.browser(app, "ada") as client:
        assert len(web.raw_variables()) == 1
        fresh = (await begin(client, server))["state"]
        assert len(web.raw_variables()) == 1
        assert store.finish(state) is None
        assert store.finish(fresh) is not None
        assert store.finish(fresh) is None


@pytest.mark.parametrize(
    ("left", "days", "standing"),
    [
        (1800, 15, "granted"),
        (-60, 14, "granted, but not renewed in time"),
        (-60, 4, "about to lapse"),
        (-60, -1, "lapsed"),
    ],
)
async def test_how_it_stands(app: Any, server: SignInVendor, left: float, days: float, standing: str) -> None:
    web.Variable.set(GRANT, granted(server, left=left, days=days))
    async with web.browser(app, "bob") as client:
        page = (await client.get(web.PAGE)).text
    assert f">{standing}</span>" in page
    assert "Ada Lovelace" in page
    assert "Grant access anew" in page


async def test_a_lost_grant_and_a_damaged_one(app: Any, server: SignInVendor) -> None:
    from nightshift.tokenflex.oauth import fingerprint
    from nightshift.tokenflex.tokens import Journal, RefreshOutcome, encode

    web.Variable.set(GRANT, granted(server))
    note = Journal(
        grant_id="g1",
        spent=fingerprint(server.pairs[0][1]),
        asked_at=time.time(),
        by="x",
        outcome=RefreshOutcome.LOST,
        words="it was <killed>",
    )
    web.Variable.set(JOURNAL, encode(note))
    async with web.browser(app, "ada") as client:
        page = (await client.get(web.PAGE)).text
        assert ">lost</span>" in page
        assert "it was &lt;killed&gt;" in page
        web.Variable.set(GRANT, "{}")
        assert ">unreadable</span>" in (await client.get(web.PAGE)).text


async def press_test(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> tuple[bool, str]:
    """Test a connection as Airflow does: as a copy under a name that it makes up."""
    given = {"conn_type": "tokenflex", "login": CLIENT, "password": SECRET, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_QGZXWFYP", json.dumps(given))
    return await asyncio.to_thread(TokenFlexHook("QGZXWFYP").test_connection)


async def test_the_test_button_signs_in_with_the_grant_of_the_saved_connection(
    app: Any, server: SignInVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.Variable.set(GRANT, granted(server))
    told = await press_test(monkeypatch, host=server.url)
    good, words = told
    assert good
    assert words.startswith(
        f"Signed in to Token Flex with the grant of '{CONN}'; this user sees 2 contracts: 110000917988"
    )
    apart = urlsplit(server.url)
    assert await press_test(monkeypatch, host="http://127.0.0.1", port=apart.port) == told


async def test_the_test_button_signs_in_with_the_grant_that_was_just_given(
    app: Any, server: SignInVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.Variable.set(GRANT, granted(server, left=2000))
    assert (await press_test(monkeypatch, host=server.url))[0]
    async with web.browser(app, "ada") as client:
        await client.get(CALLBACK, params=allow(server, await begin(client, server)))
    assert (await press_test(monkeypatch, host=server.url))[0]
    assert server.seen == ["1", "2"]


async def test_the_test_button_says_what_a_person_has_to_do_first(
    app: Any, server: SignInVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, words = await press_test(monkeypatch, host=server.url)
    assert not good
    assert words.startswith(f"Failed. Token Flex: nobody has granted access for '{CONN}' yet. ")
    assert words.endswith(
        "Nothing was sent. Save the connection; then a person grants access once: "
        "in Airflow open Admin, Token Flex sign-in."
    )


@pytest.mark.parametrize("other", [{"login": "another-client"}, {"host": "http://127.0.0.1:9"}])
async def test_the_test_button_lends_no_grant_to_another_address_or_client(
    app: Any, server: SignInVendor, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    web.Variable.set(GRANT, granted(server))
    good, words = await press_test(monkeypatch, **{"host": server.url, **other})
    assert not good
    assert "none is saved with this URL and client id" in words


async def test_the_test_button_lends_no_grant_between_teams(
    app: Any, server: SignInVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.Variable.set(GRANT, granted(server))
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    good, words = await press_test(monkeypatch, host=server.url)
    assert (good, "none is saved" in words) == (False, True)


async def test_the_callback_is_the_one_that_the_connection_names(app: Any, server: SignInVendor) -> None:
    named = "https://airflow.example.com/nightshift/tokenflex/callback"
    fields = {"conn_type": "tokenflex", "host": server.url, "login": CLIENT, "password": SECRET}
    with web.stored(web.Connection(conn_id=CONN, **fields, extra=json.dumps({"callback_url": named}))):
        async with web.browser(app, "ada") as client:
            assert (await begin(client, server))["redirect_uri"] == named
