"""What Autodesk's token endpoint may answer: a new refresh token is never thrown away for the spelling of something
else.
"""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest

from include.standins import FaultKind
from nightshift.errors import Redirected, Unreachable
from nightshift.tokenflex.oauth import ACCESS_SECONDS
from tests.unit.tokenflex.records import GRANT, JOURNAL, RENEWED, granted, renew_task, renewed_pair, renewing_api
from tests.unit.tokenflex.sign_in import SignInVendor

NEW = '"access_token": "ACCESS", "refresh_token": "REFRESH", "token_type": "Bearer"'


def renewed(server: SignInVendor, body: str) -> tuple[Any, dict[str, Any]]:
    server.body = body
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    run = api.run(renew_task())
    return run, msgspec.structs.asdict(renewed_pair(api.variables)) if RENEWED in api.variables else {}


@pytest.mark.parametrize(
    ("spelling", "life"),
    [
        ("3599", 3599),
        ('"3599"', 3599),
        ("3599.9", 3599.9),
        ('"3599.9"', 3599.9),
        ('" 3599 "', 3599),
        ("60", 60),
        ("null", ACCESS_SECONDS),
        ('""', ACCESS_SECONDS),
        ('"an hour"', ACCESS_SECONDS),
        ('"NaN"', ACCESS_SECONDS),
        ('"Infinity"', ACCESS_SECONDS),
        ("0", ACCESS_SECONDS),
        ("-1", ACCESS_SECONDS),
        ("true", ACCESS_SECONDS),
        ("[3599]", ACCESS_SECONDS),
        ('{"seconds": 3599}', ACCESS_SECONDS),
        ("1e400", ACCESS_SECONDS),
        ("1764331200000", ACCESS_SECONDS),
        ("9" * 400, ACCESS_SECONDS),
    ],
)
def test_the_end_is_read_tolerantly_and_bounded(server: SignInVendor, spelling: str, life: float) -> None:
    run, pair = renewed(server, f'{{{NEW}, "expires_in": {spelling}}}')
    assert run.state == "success", run.error
    assert (pair["access_token"], pair["refresh_token"]) == server.pairs[-1]
    assert pair["ends"] == pytest.approx(time.time() + life, abs=30)


@pytest.mark.parametrize(
    "body",
    [
        f"{{{NEW}}}",
        f'{{{NEW.replace("Bearer", "bEARER")}, "expires_in": 3599, "scope": null}}',
        '{"access_token": "ACCESS", "refresh_token": "REFRESH", "expires_in": 3599}',
        f'\ufeff{{{NEW}, "expires_in": 3599, "x": [1e999, {{"y": null}}]}}',
    ],
    ids=["no end", "other case, null scope", "no type", "byte order mark, more"],
)
def test_what_is_not_needed_may_be_missing_or_odd(server: SignInVendor, body: str) -> None:
    run, pair = renewed(server, body)
    assert run.state == "success", run.error
    assert (pair["access_token"], pair["refresh_token"]) == server.pairs[-1]


@pytest.mark.parametrize(
    "refresh", ["", ', "refresh_token": null', ', "refresh_token": ""', ', "refresh_token": false']
)
def test_without_a_new_refresh_token_the_old_one_stays_in_force(server: SignInVendor, refresh: str) -> None:
    server.turn(refresh_rotates=False)
    run, pair = renewed(server, f'{{"access_token": "ACCESS", "expires_in": 3599{refresh}}}')
    assert run.state == "success", run.error
    assert (pair["access_token"], pair["refresh_token"]) == (server.pairs[-1][0], server.pairs[0][1])


@pytest.mark.parametrize("access", ["", '"access_token": null, ', '"access_token": {}, '])
def test_a_new_refresh_token_without_an_access_token_is_kept_and_used_next(server: SignInVendor, access: str) -> None:
    server.body = f'{{{access}"refresh_token": "REFRESH"}}'
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    assert api.run(renew_task()).state == "success"
    assert renewed_pair(api.variables).refresh_token == server.pairs[-1][1]
    server.body = ""
    assert api.run(renew_task()).state == "success"
    assert json.loads(api.variables[RENEWED])["number"] == 2
    assert renewed_pair(api.variables).access_token == server.pairs[-1][0]
    assert server.forms[-1]["refresh_token"] == server.pairs[-2][1]


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "[1]", "{", '{"access_token": "A', "{}", '"text"'])
def test_an_answer_that_cannot_be_read_says_what_happened_and_what_to_do(server: SignInVendor, body: str) -> None:
    server.body = body
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    run = api.run(renew_task())
    assert isinstance(run.error, Unreachable)
    said = str(run.error)
    assert "the answer to a renewal did not arrive whole: the answer " in said
    assert "by itself" not in said
    assert said.rstrip(".").endswith("in Airflow open Admin, Token Flex sign-in")
    words = json.loads(api.variables[JOURNAL])
    assert (words["outcome"], words["words"][:10]) == ("asked", "the answer")
    server.body = ""
    lost = api.run(renew_task())
    assert lost.state == "failed"
    assert "did not arrive whole (the answer" in str(lost.error)
    assert "was ended" not in str(lost.error)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_renewal_that_is_sent_elsewhere_uses_up_nothing_and_says_where_it_belongs(
    server: SignInVendor, status: int
) -> None:
    server.spoil(
        FaultKind.STATUS, status=status, headers={"Location": "https://sign-in.example.com/v2/token?code=s3cret"}
    )
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    run = api.run(renew_task())
    assert (run.state, type(run.error)) == ("failed", Redirected)
    said = str(run.error)
    assert "redirects this request to https://sign-in.example.com, which is not followed" in said
    assert "Put the final address into the host of the Airflow connection, then clear the task." in said
    assert "s3cret" not in said
    assert json.loads(api.variables[JOURNAL])["outcome"] == "settled"
    api.clear()
    assert api.run(renew_task()).state == "success"
    assert [form["refresh_token"] for form in server.forms] == [server.pairs[0][1]]
