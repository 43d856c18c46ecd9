"""Whatever a person fills into the form of a connection changes what reaches the vendor, or how the client waits for
it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from include.standins import StandIn
from nightshift.errors import Unreachable
from nightshift.http.hook import VendorHook
from nightshift.provider import get_provider_info
from nightshift.sources import VENDORS
from tests.certificates import self_signed
from tests.forms import Elsewhere, Form, Row, Seen

FIELDS = {one["connection-type"]: one["conn-fields"] for one in get_provider_info()["connection-types"]}
TESTS = Path(__file__).resolve().parent
NUMBERS = itertools.count()
CLOSED = "http://127.0.0.1:9"


def shared(certificate: Path) -> dict[str, Row]:
    """The fields that every form has."""
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(certificate)

    async def twice(hook: VendorHook) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.7):
                for _ in range(2):
                    await hook.request("GET", "/nowhere", ok={200, 400, 401, 403, 404, 405, 500}, credentials=False)

    def failed(seen: Seen) -> bool:
        return isinstance(seen.error, Unreachable)

    return {
        "timeout": Row(0.2, failed, True, standin={"latency": 1.0}),
        "proxy": Row(CLOSED, failed, True),
        "verify": Row(False, failed, False, standin={"tls": secured}),
        "requests_per_minute": Row(1, lambda seen: len(seen.requests), 1, ask=twice),
    }


def form_of(room: str) -> Form:
    found: Form = import_module(f"tests.forms.{room}").FORM
    return found


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls") / "vendor.pem")


@pytest.fixture
def hook_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[..., VendorHook]]:
    def of(room: str) -> Callable[..., VendorHook]:
        vendor = VENDORS[room]

        def connected(standin: StandIn[Any], extra: Mapping[str, Any]) -> VendorHook:
            fields = {"conn_type": room, "host": f"{standin.url}", **form_of(room).connection}
            # A connection of its own: what is paced is the process's, by its id.
            conn_id = f"form_{next(NUMBERS)}"
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({**fields, "extra": dict(extra)}))
            hook: VendorHook = vendor.load(vendor.hook)(conn_id, attempts=1)
            return hook

        return connected

    return of


@pytest.mark.parametrize(("room", "name"), [(room, name) for room, fields in FIELDS.items() for name in fields])
def test_a_field_that_is_filled_in_counts(
    room: str, name: str, certificate: Path, hook_of: Callable[[str], Callable[..., VendorHook]]
) -> None:
    form = form_of(room)
    row = {**shared(certificate), **form.rows}[name]
    if isinstance(row, Elsewhere):
        assert any(f"def {row.test}(" in one.read_text() for one in TESTS.rglob("*.py"))
        return
    empty, filled = (form.see(row, hook_of(room), extra) for extra in ({}, {name: row.value}))
    assert row.look(filled) == row.seen
    assert row.look(empty) != row.seen


@pytest.mark.parametrize("room", VENDORS)
def test_no_row_is_of_a_field_that_is_gone(room: str) -> None:
    assert set(form_of(room).rows) <= set(FIELDS[room])


@pytest.mark.parametrize(
    ("room", "name"),
    [(room, name) for room, fields in FIELDS.items() for name, one in fields.items() if "default" in one["schema"]],
)
def test_what_a_form_begins_with_is_what_counts_where_it_is_empty(
    room: str, name: str, certificate: Path, hook_of: Callable[[str], Callable[..., VendorHook]]
) -> None:
    form = form_of(room)
    row = {**shared(certificate), **form.rows}[name]
    assert isinstance(row, Row)
    begun = FIELDS[room][name]["schema"]["default"]
    empty, filled = (form.see(row, hook_of(room), extra) for extra in ({}, {name: begun}))
    assert row.look(filled) == row.look(empty)
