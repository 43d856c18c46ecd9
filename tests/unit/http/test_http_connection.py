from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest

from include.standins.scripted import Scripted, answer, raw, scripted
from nightshift.errors import AuthFailed, BadResponse, Rejected, Unreachable, VendorError
from tests.certificates import self_signed
from tests.unit.http.acme import AcmeHook, MakeHook

PASSWORD = "swordfish-97"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path / "vendor.pem")


async def test_tls(connect: MakeHook, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with scripted(context) as secured:
        conn = {"host": secured.url}
        async with connect(conn=conn, attempts=1) as hook:
            with pytest.raises(Unreachable, match=r"certificate is refused.*verify"):
                await hook.request("POST", "/")
        for verify in (str(certificate), False, "false"):
            async with connect(conn={**conn, "extra": {"verify": verify}}) as hook:
                assert (await hook.request("GET", "/")).status == 200
        async with connect(conn=conn, attempts=1, verify=False) as hook:
            secured.plays(answer(302, Location=secured.url.replace("https", "http") + "/"))
            with pytest.raises(BadResponse, match="from https to"):
                await hook.request("GET", "/")
            with pytest.raises(BadResponse, match="from https to"):
                async with hook.stream("GET", "http://127.0.0.1:1/file"):
                    pass


async def test_https_to_a_plain_port(connect: MakeHook) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(conn={"host": f"https://127.0.0.1:{port}"}, attempts=1) as hook:
            with pytest.raises(Unreachable, match="plain HTTP"):
                await hook.request("POST", "/")


async def test_a_ca_file_that_is_not_there(connect: MakeHook) -> None:
    with pytest.raises(Rejected, match="'verify'"):
        async with connect(verify="/nowhere/ca.pem"):
            pass


async def test_an_unknown_host(connect: MakeHook) -> None:
    async with connect(conn={"host": "http://nobody.invalid"}, attempts=1) as hook:
        with pytest.raises(Unreachable, match=r"nobody\.invalid"):
            await hook.request("POST", "/")


@pytest.mark.parametrize("extra", [{"proxy": "{}"}, {"proxies": {"http": "{}"}}])
async def test_proxy(vendor: Scripted, other: Scripted, connect: MakeHook, extra: dict[str, Any]) -> None:
    given = json.loads(json.dumps(extra).replace("{}", other.url))
    async with connect(conn={"host": "http://vendor.example.com", "extra": given}) as hook:
        await hook.request("GET", "/x")
    assert other.seen[0].target == "http://vendor.example.com/x"
    assert vendor.seen == []


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A login for every host in ~/.netrc, and no proxy but those that a test names."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ftp password me@example.com\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("credentials", [True, False])
async def test_a_login_in_netrc_is_nobodys(
    vendor: Scripted, connect: MakeHook, environment: pytest.MonkeyPatch, credentials: bool
) -> None:
    async with connect(conn={"extra": {"trust_env": True}}) as hook:
        await hook.request("GET", "/x", credentials=credentials)
    ours = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    assert vendor.seen[0].headers.get("authorization") == (ours if credentials else None)


@pytest.mark.parametrize("user", ["", "night:s%40fe@"])
@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_the_proxy_of_the_environment(
    other: Scripted, connect: MakeHook, environment: pytest.MonkeyPatch, user: str, scheme: str
) -> None:
    environment.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    environment.setenv("http_proxy", scheme + user + other.url.removeprefix("http://"))
    async with connect(conn={"host": "http://vendor.example.com", "extra": {"trust_env": True}}) as hook:
        await hook.request("GET", "/x", credentials=False)
    [seen] = other.seen
    assert seen.target == "http://vendor.example.com/x"
    login = "Basic " + base64.b64encode(b"night:s@fe").decode()
    assert seen.headers.get("proxy-authorization") == (login if user else None)
    assert "authorization" not in seen.headers


@pytest.mark.parametrize("how", ["not asked for", "not for this host", "another is named"])
async def test_where_the_proxy_of_the_environment_does_not_count(
    vendor: Scripted, other: Scripted, connect: MakeHook, environment: pytest.MonkeyPatch, how: str
) -> None:
    environment.setenv("http_proxy", "http://127.0.0.1:1")
    extra: dict[str, Any] = {"trust_env": how != "not asked for"}
    if how == "not for this host":
        environment.setenv("no_proxy", "example.com, 127.0.0.1")
    if how == "another is named":
        extra["proxy"] = other.url
    async with connect(conn={"extra": extra}) as hook:
        await hook.request("GET", "/x")
    assert len((other if how == "another is named" else vendor).seen) == 1


@pytest.mark.parametrize("verify", [False, "false", "False"])
async def test_a_proxy_that_could_read_everything(
    vendor: Scripted, other: Scripted, connect: MakeHook, verify: Any
) -> None:
    given = {"proxy": other.url, "verify": verify}
    with pytest.raises(Rejected, match="'proxy' and 'verify'"):
        async with connect(conn={"host": "https://vendor.example.com", "extra": given}):
            pass
    assert not other.seen
    async with connect(conn={"host": "https://vendor.example.com", "extra": {"verify": verify}}):
        pass


async def test_the_test_button_sends_no_stored_password_through_a_proxy_in_the_clear(
    other: Scripted, connect: MakeHook
) -> None:
    hook = connect(conn={"host": "vendor.example.com", "schema": "http", "extra": {"proxy": other.url}})
    done, told = await asyncio.to_thread(hook.test_connection)
    assert not done
    assert "proxy" in told
    assert not other.seen


async def test_a_proxy_that_wants_a_login(other: Scripted, connect: MakeHook) -> None:
    other.plays(answer(407))
    for scheme in ("http", "https"):
        async with connect(conn={"host": f"{scheme}://vendor.example.com"}, proxy=other.url) as hook:
            with pytest.raises(AuthFailed, match="extra proxy"):
                await hook.request("POST", "/x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", "soon"),
        ("timeout", 0),
        ("timeout", True),
        ("connect_timeout", -1),
        ("read_timeout", []),
        ("headers", ["a"]),
        ("headers", {"a": {"b": 1}}),
        ("headers", {"a": "x\r\ny"}),
        ("verify", 7),
        ("proxy", "socks5://x"),
        ("proxies", {"http": 1}),
        ("requests_per_minute", "many"),
        ("max_connections", 1.5),
        ("trust_env", "perhaps"),
        ("verify_ssl", {}),
    ],
)
async def test_a_wrong_extra_is_named(connect: MakeHook, name: str, value: Any) -> None:
    with pytest.raises(Rejected, match=f"extra '{name}'"):
        async with connect(conn={"extra": {name: value}}):
            pass


@pytest.mark.parametrize("extra", ["[1]", "{"])
async def test_an_extra_that_is_no_object(monkeypatch: pytest.MonkeyPatch, connect: MakeHook, extra: str) -> None:
    with pytest.raises(Rejected, match="not a JSON object"):
        async with connect(conn={"extra": extra}):
            pass


async def test_extras_and_overrides(connect: MakeHook) -> None:
    extra = {
        "timeout": "7",
        "connect_timeout": None,
        "read_timeout": "",
        "mode": "BATCH",
        "page_size": 10,
        "max_connections": 3,
    }
    async with connect(conn={"extra": extra}, page_size=20) as hook:
        assert (hook.extra("mode"), hook.extra("page_size"), hook.extra("absent", 5)) == ("BATCH", 20, 5)
        settings = hook.settings
    assert (settings.timeout, settings.connect_timeout, settings.read_timeout, settings.max_connections) == (
        7,
        10,
        60,
        3,
    )


async def test_a_failed_opening_leaves_the_hook_usable(vendor: Scripted, connect: MakeHook) -> None:
    hook = connect(conn={"host": ""})
    with pytest.raises(Rejected, match="no host"):
        await hook.__aenter__()
    connect()
    async with hook:
        assert (await hook.request("GET", "/")).status == 200


def test_airflow_makes_it_from_a_connection() -> None:
    assert AcmeHook(acme_conn_id="other").conn_id == "other"
    assert AcmeHook("mine").acme_conn_id == "mine"
    assert AcmeHook().conn_id == "acme_default"


@pytest.mark.parametrize(
    ("script", "start"),
    [
        (answer(), "Acme answers at http://127.0.0.1"),
        (answer(401), "Login refused. Acme: the vendor does not accept the credentials"),
        (answer(403), "Logged in, but a permission is missing"),
        (answer(404), "Reached, but not the right host"),
        (answer(503), "Not reached"),
        (raw(b"", "reset"), "Not reached"),
        (answer(429), "Reached, but asked too often"),
    ],
)
async def test_what_the_test_button_says(vendor: Scripted, connect: MakeHook, script: Any, start: str) -> None:
    vendor.plays(script)
    hook = connect()
    ok, message = await asyncio.to_thread(hook.test_connection)
    assert message.startswith(start)
    assert ok is (start.startswith("Acme"))
    assert len(vendor.seen) == 1


async def test_the_test_button_from_inside_a_loop(connect: MakeHook) -> None:
    assert connect(conn={"host": "http://127.0.0.1:1"}).test_connection()[1].startswith("Not reached")


def test_the_test_button_without_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps({"conn_type": "acme", "host": ""}))
    ok, message = AcmeHook().test_connection()
    assert not ok
    assert message.startswith("The connection or the request is wrong. Acme: the Airflow connection has no host")
    ok, message = AcmeHook("nobody_knows_this").test_connection()
    assert not ok
    assert "nobody_knows_this" in message


async def test_no_secret_is_ever_shown(
    vendor: Scripted,
    other: Scripted,
    connect: MakeHook,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    token = "opaque.token.42"
    basic = "YW5uOnN3b3JkZmlzaC05Nw=="
    echo = f"you sent {PASSWORD} and {token} and Basic {basic} or {basic} and late-secret-11".encode()
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with connect(conn={"extra": {"token": token, "headers": {"X-Api-Key": "header-key-1"}}}, attempts=2) as hook:
        await hook.keep_secret("late-secret-11")
        told.append(repr(hook) + repr(hook.settings))
        signed = f"{other.url}/f?X-Amz-Signature=s1gn4ture&x={token}"
        for status in (400, 401, 403, 404, 429, 500, 302):
            vendor.plays(answer(status, echo, Location=f"{other.url}/?token={token}"))
            other.plays(answer(status, echo))
            for method, path in (
                ("GET", f"/x/{PASSWORD}?password={PASSWORD}"),
                ("POST", "/rest/sessions/5e55i0n/x"),
                ("GET", signed),
            ):
                with pytest.raises(VendorError) as caught:
                    async with hook.stream(method, path):
                        pass
                told += [str(caught.value), repr(caught.value), repr(caught.value.__dict__), repr(caught.value.args)]
        vendor.plays(answer(body=echo))
        got = await hook.request("GET", f"/x?token={token}")
        told += [repr(got), got.url, repr(got.context)]
        with pytest.raises(BadResponse) as caught:
            got.json()
        told.append(str(caught.value))
    logged = caplog.text + "".join(capfd.readouterr())
    assert "attempt 2 of 2" in logged
    everything = "\n".join([*told, logged])
    for secret in (PASSWORD, token, basic, "header-key-1", "late-secret-11", "s1gn4ture", "5e55i0n"):
        assert secret not in everything
