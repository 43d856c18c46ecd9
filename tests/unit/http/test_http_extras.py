"""Which extras a connection has: one list, of the form, of what is read, and of what is told when one is mistyped."""

from __future__ import annotations

import ast
import logging
from importlib import import_module
from pathlib import Path

import pytest

from nightshift.errors import Rejected
from nightshift.http.client_settings import SHARED_EXTRAS, check_names
from nightshift.http.hook import VendorHook
from nightshift.provider import get_provider_info

ROOMS = Path(__file__).resolve().parents[3] / "plugins" / "nightshift"
TYPES = {one["connection-type"]: one for one in get_provider_info()["connection-types"]}


def hook_of(kind: str) -> type[VendorHook]:
    module, _, name = TYPES[kind]["hook-class-name"].rpartition(".")
    found = getattr(import_module(module), name)
    assert issubclass(found, VendorHook)
    return found


def read_in(room: str) -> set[str]:
    """Names that are read of a hook's extras anywhere in a room: ``….extra("name")``, ``….chosen("name", …)``."""
    found = set()
    for path in (ROOMS / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                names = {"extra": node.args[:1], "chosen": node.args}.get(node.func.attr, [])
                found |= {one.value for one in names if isinstance(one, ast.Constant)}
    return found


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_what_is_read_and_what_the_form_has_is_known(kind: str) -> None:
    own, form, read = hook_of(kind).own_extras, set(TYPES[kind]["conn-fields"]), read_in(kind)
    assert read, kind
    assert form - SHARED_EXTRAS <= own
    assert read - SHARED_EXTRAS <= own


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_what_is_known_is_read(kind: str) -> None:
    """An extra that is only listed would be taken and ignored."""
    by_table = {"row_count_keys", "page_count_keys", "link_keys"} if kind == "flexnet" else set()
    assert hook_of(kind).own_extras - by_table <= read_in(kind)


@pytest.mark.parametrize("kind", sorted(TYPES))
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("timout", "timeout"),
        ("Timeout", "timeout"),
        ("verfy", "verify"),
        ("request_per_minute", "requests_per_minute"),
        ("proxys", "proxy"),
    ],
)
def test_a_slip_is_refused_with_the_nearest(kind: str, given: str, meant: str) -> None:
    with pytest.raises(Rejected) as caught:
        check_names({given: "hunter22"}, hook_of(kind).own_extras, vendor="Vendor")
    assert f"the extra {given!r} of the Airflow connection is not known; did you mean '{meant}" in str(caught.value)
    assert "hunter22" not in str(caught.value)


async def test_so_it_is_when_a_hook_opens_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_FLEXNET_DEFAULT",
        '{"conn_type": "flexnet", "host": "http://127.0.0.1:9", "extra": {"tokn": "hunter22"}}',
    )
    with pytest.raises(Rejected, match="did you mean 'token'"):
        async with hook_of("flexnet")("flexnet_default"):
            pass


def test_what_nobody_reads_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_names({"our_ticket": "hunter22", "timeout": 3}, (), vendor="FlexNet")
    (told,) = caplog.messages
    assert told.startswith(
        "FlexNet: nobody reads the extra 'our_ticket' of the Airflow connection; known: connect_timeout"
    )
    assert "hunter22" not in told
