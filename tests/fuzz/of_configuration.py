"""What people write: the three files, connections, names, forms."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from airflow.sdk import Connection
from hypothesis import strategies as st

from nightshift.configuration import all_mistakes
from nightshift.errors import VendorError
from nightshift.exago.paths import ContentPath
from nightshift.http.address import Address, segment
from nightshift.lake import objects
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake, night_segment
from nightshift.nights.night import asked_nights, unknown_keys
from nightshift.promotion.form import PromotionRequest, night_of
from nightshift.promotion.store import object_name
from nightshift.sources import VENDORS
from nightshift.tokenflex.where import check_where, literal
from tests.fuzz.mutation import CANARY
from tests.fuzz.targets import Box, Skipped, target

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    name: (ROOT / "include" / "config" / f"{name}.yaml").read_bytes() for name in ("reports", "promotions", "notify")
}
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def _sections(name: str) -> list[bytes]:
    """Return the example file, and each of its sections alone."""
    whole = FILES[name]
    parts, held = [], b""
    for line in whole.splitlines(keepends=True):
        if line[:1].isalpha() and held.strip():
            parts.append(held)
            held = b""
        held += b"" if line.lstrip().startswith(b"#") else line
    return [whole, *parts, held]


def _file(name: str) -> None:
    @target(f"configuration.{name}", _sections(name), share=2.0)
    def _(data: bytes, box: Box) -> None:
        folder = box.empty() / "config"
        folder.mkdir()
        for other, text in FILES.items():
            (folder / f"{other}.yaml").write_bytes(data if other == name else text)
        os.environ["NIGHTSHIFT_KEPT"] = str(box.folder / "kept")
        mistakes = all_mistakes(folder)
        for mistake in mistakes:
            assert mistake.strip(), "a mistake that says nothing"
            assert CANARY not in mistake, f"a mistake says the secret: {mistake[:300]}"
            assert "Traceback" not in mistake, mistake
        if b"password: " + CANARY.encode() in data and not mistakes:
            kept = b"".join(path.read_bytes() for path in (box.folder / "kept").rglob("*") if path.is_file())
            assert CANARY.encode() not in kept or b"#" in data, "a secret was taken for a value and kept"


for _name in FILES:
    _file(_name)

_EXTRAS = [
    b'{"timeout": 30, "read_timeout": 5, "verify": false, "proxy": "http://u:p@127.0.0.1:1", "headers": {"X-A": "b"}}',
    b'{"requests_per_minute": 60, "max_connections": 4, "trust_env": false, "verify": "/no/such/file.pem"}',
    b'{"auth": "three_legged", "token": "t0k3n-abcdef", "mode": "batch", "page_size": 2500, "api_version": "v1"}',
    b'{"data_key": "data", "row_count_keys": ["a"], "link_keys": ["next"], "charset": "utf-8", "delimiter": ";"}',
    b'{"auth_form": "query", "limit": 1000, "pagination_timeout": 120, "verify_ssl": true, "connect_timeout": 1e400}',
    b'{"timezone": "Europe/Berlin", "proxies": {"http": "http://127.0.0.1:1"}, "storage_identity": {"userId": "x"}}',
]


@target("configuration.extras", _EXTRAS, VendorError, share=2.0)
def _extras(data: bytes, box: Box) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Skipped from None

    async def opened(conn_type: str) -> None:
        hook = VENDORS[conn_type].load(VENDORS[conn_type].hook)()
        host = "http://127.0.0.1:9"
        connection = Connection(conn_id="x", conn_type=conn_type, host=host, login="me", password=CANARY, extra=text)

        async def resolved() -> Any:
            return connection

        hook.resolved = resolved
        async with hook:
            _ = hook.requests_per_minute

    refused: VendorError | None = None
    for conn_type in VENDORS:
        try:
            asyncio.run(opened(conn_type))
        except VendorError as error:
            refused = error
    if refused is not None:
        raise refused


_HOSTS = [b"https://vendor.example.com:8443/context", b"127.0.0.1", b"http://[::1]:80/a%20b/c", b"acme", b"//x/y"]


@target("names.host", _HOSTS, VendorError)
def _host(data: bytes, box: Box) -> None:
    address = Address.of(_text(data), None, None)
    assert address.scheme in ("http", "https")
    assert address.host
    assert address.owns(address.root + "/x"), address


_PATHS = [b"/data/api/v1/report/usage?x=1", b"/a/b%2Fc", b"/rest/sessions/abc", b"/x#y", b"/..;/x", b"/%252e%252e/x"]
_BASE = Address.of("http://127.0.0.1:9000/ctx")


@target("links.path", _PATHS, VendorError)
def _path(data: bytes, box: Box) -> None:
    url = _BASE.url(_text(data))
    assert url.startswith("http://127.0.0.1:9000/ctx/"), url
    assert not {".", ".."} & set(url.partition("?")[0].split("/")), url


_LINKS = [
    b"http://127.0.0.1:9000/ctx/data?page=2",
    b"/ctx/x",
    b"https://127.0.0.1:9000/ctx/x",
    b"http://127.0.0.1:9000@evil.example/ctx/x",
    b"http://evil.example\\@127.0.0.1:9000/ctx/x",
    b"//evil.example/ctx",
    b"http://127.0.0.1:9000/ctx/../x",
    b"HTTP://127.0.0.1:09000/ctx/%2e%2e/x",
]


@target("links.own", _LINKS, VendorError, share=2.0)
def _link(data: bytes, box: Box) -> None:
    text = _text(data)
    local = _BASE.local(text)
    assert local.startswith("/"), local
    assert _BASE.url(local).startswith("http://127.0.0.1:9000/ctx"), local


_NAMES = [b"entitlement", b"2026-11-21", b"..", b"a/b", b".hidden", b"con", b"x" * 128, b"a%2fb", "ä".encode()]


@target("names.lake", _NAMES, ValueError, share=2.0)
def _lake(data: bytes, box: Box) -> None:
    name = _text(data)
    lake = Lake.from_url(str(box.empty() / "lake"))
    refusals = []
    for place in (
        lambda: Landing(lake, name, "r", "2026-11-21").extract("e"),
        lambda: Landing(lake, "flexnet", name, "2026-11-21").extract("e"),
        lambda: Landing(lake, "flexnet", "r", name).extract("e"),
        lambda: Landing(lake, "flexnet", "r", "2026-11-21").extract(name),
    ):
        try:
            folder = place()
        except ValueError as refused:
            refusals.append(refused)
            continue
        asyncio.run(objects.awrite(folder.objects, "page-00001.json.zst", b"x"))
    asyncio.run(objects.awrite(lake.objects("promotions", "app"), object_name(name), b"{}"))
    assert sorted(path.name for path in box.folder.iterdir()) == ["lake"], "something lies outside of the lake"
    for path in (box.folder / "lake").rglob("*"):
        assert path.resolve().is_relative_to((box.folder / "lake").resolve()), path
    if refusals:
        raise refusals[0]


@target("names.night", [b"2026-11-21", b"0001-01-01", b"2026-W01-1", b"20261121", b"2026-11-21T00"], ValueError)
def _night(data: bytes, box: Box) -> None:
    text = _text(data)
    found = night_segment(text)
    assert found == f"night={date.fromisoformat(text)}", found


@target(
    "names.exago", [b"App\\live", b"A/B/C", b"100% \xc3\xa4#", b"..\\x", b"/x/", b"rename"], VendorError, ValueError
)
def _content(data: bytes, box: Box) -> None:
    path = ContentPath.parse(_text(data))
    assert ContentPath.parse(path.in_body("/")) == path
    assert ".." not in path.in_url.split("/")
    assert not set(path.in_url) & set("?#")


@target("names.segment", _NAMES, VendorError)
def _segment(data: bytes, box: Box) -> None:
    assert not set(segment(_text(data))) & set("/?#\\ \r\n")


@target("names.where", [b"usageDate>='2026-11-21' AND userName LIKE 'a%'", b"x IN ('a','b''c')", b"(a=1)"], VendorError)
def _where(data: bytes, box: Box) -> None:
    text = _text(data)
    assert "'" not in literal("userName", text)[1:-1].replace("''", ""), "a quote ends the literal"
    check_where(text)


_FORMS = [
    b'{"key": "2026-11-21", "params": {"night": null, "until": null, "force": false, "reports": ["a"]}}',
    b'{"key": null, "params": {"night": "2026-11-01", "until": "2026-11-21", "force": true}}',
    b'{"key": null, "params": {"version_id": 7, "from_stage": "TEST", "emergency": "because", "dry_run": true}}',
    b'{"key": null, "params": {"inputs": {"A": "b"}, "change_tickets": ["CHG1"], "force_build": true, "night": "x"}}',
]
_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["2026-11-21", "TEST", []])
_FIELDS = st.sampled_from(["night", "until", "force", "version_id", "from_stage", "to_stage", "inputs", "emergency"])
_MADE = st.builds(
    lambda key, params: msgspec.json.encode({"key": key, "params": params}),
    st.none() | st.sampled_from(["2026-11-21", "x", ""]),
    st.dictionaries(_FIELDS, _VALUES, max_size=5),
)


@target("forms.night", _FORMS, ValueError, made=_MADE)
def _night_form(data: bytes, box: Box) -> None:
    key, params = _form(data)
    unknown_keys(params)
    nights = asked_nights(key, params, zone=ZoneInfo("Europe/Berlin"), now=NOW)
    assert 0 < len(nights) <= 400, len(nights)


@target("forms.promotion", _FORMS, ValueError, made=_MADE)
def _promotion_form(data: bytes, box: Box) -> None:
    key, params = _form(data)
    asked = PromotionRequest.of(params)
    asked.check()
    asked.stages_of(["DEV", "TEST", "PROD"])
    night_of(key, asked)


def _form(data: bytes) -> tuple[Any, dict[str, Any]]:
    try:
        found = msgspec.json.decode(data)
        key, params = found["key"], found["params"]
        if not isinstance(params, dict) or not isinstance(key, str | None):
            raise Skipped
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, KeyError, RecursionError):
        raise Skipped from None
    return key, params


def _text(data: bytes) -> str:
    """Return an input as the text that a person can type, or a vendor can write in JSON."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Skipped from None
