"""What ends a grant, which only a person can give again, and what is a passing refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.standins import FaultKind
from nightshift.errors import AuthFailed, Rejected, Unreachable
from nightshift.tokenflex.oauth import GrantSpent
from tests.unit.tokenflex.records import GRANT, JOURNAL, RENEWED, granted, renew_task, renewing_api
from tests.unit.tokenflex.sign_in import SignInVendor
from tests.unit.tokenflex.token_api import TokenApi

GRANT_WORDS = "The refresh token is invalid or expired"


def scheduled(server: SignInVendor) -> TokenApi:
    return renewing_api(server.url, {GRANT: granted(server, left=600)}, run_type="scheduled")


def refuses(server: SignInVendor, status: int, body: Any) -> None:
    """Refuse the next renewal, by JSON or by a text."""
    text, kind = (body, "text/plain") if isinstance(body, str) else (json.dumps(body), "application/json")
    server.spoil(FaultKind.STATUS, status=status, body=text, content_type=kind)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, "Response code 400: invalid Content-Type header"),
        (400, "<html>Error code: invalid request</html>"),
        (400, {"fault": {"faultstring": "Failed to resolve API Key variable", "detail": {"errorcode": "invalid"}}}),
        (400, {"error": "invalid_request", "error_description": "Error code AUTH-001: client_id used is invalid"}),
        (400, {"error": "invalid_scope", "error_description": f"{GRANT_WORDS} for this scope"}),
        (400, {"error": "invalid_client", "error_description": "client is invalid"}),
        (401, {"error": "invalid_client", "error_description": GRANT_WORDS}),
        (401, {"developerMessage": GRANT_WORDS}),
    ],
)
def test_a_refusal_that_is_not_about_the_grant_does_not_end_it(server: SignInVendor, status: int, body: Any) -> None:
    api = scheduled(server)
    refuses(server, status, body)
    error = api.run(renew_task()).error
    assert isinstance(error, AuthFailed if status == 401 else Rejected)
    assert not isinstance(error, GrantSpent)
    assert json.loads(api.variables[JOURNAL])["outcome"] == "settled"
    assert api.run(renew_task()).state == "success"
    assert server.asked == ["refresh_token"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "invalid_grant", "error_description": GRANT_WORDS}),
        (400, {"error": "invalid_grant"}),
        (401, {"error": "invalid_grant", "error_description": GRANT_WORDS}),
        (400, {"developerMessage": GRANT_WORDS, "errorCode": "AUTH-006"}),
        (400, f"invalid_grant: {GRANT_WORDS}"),
    ],
)
def test_a_refusal_of_the_grant_asks_for_a_person(server: SignInVendor, status: int, body: Any) -> None:
    api = scheduled(server)
    refuses(server, status, body)
    error = api.run(renew_task()).error
    assert isinstance(error, GrantSpent)
    assert "A person must grant access anew" in str(error)
    assert "client secret" not in str(error)
    assert json.loads(api.variables[JOURNAL])["outcome"] == "lost"
    assert isinstance(api.run(renew_task()).error, GrantSpent)
    assert server.asked == []


def test_a_run_that_a_person_triggers_asks_once_more_with_a_token_that_was_refused(server: SignInVendor) -> None:
    api = scheduled(server)
    refuses(server, 400, {"error": "invalid_grant"})
    lost = api.run(renew_task()).error
    assert "triggered by hand asks once more" in str(lost)
    before = api.variables[JOURNAL]
    api.run_type = "manual"
    server.spoil(FaultKind.STATUS, status=503, times=None)
    assert isinstance(api.run(renew_task()).error, Unreachable)
    # What a passing trouble has seen says nothing of the grant: a run of the schedule asks nothing.
    assert api.variables[JOURNAL] == before
    server.faults.clear()
    api.run_type = "scheduled"
    assert isinstance(api.run(renew_task()).error, GrantSpent)
    api.run_type = "manual"
    assert api.run(renew_task()).state == "success"
    assert json.loads(api.variables[RENEWED])["number"] == 1
    assert server.asked == ["refresh_token"]


def test_a_task_whose_access_token_was_refused_does_not_ask_again_with_a_lost_grant(server: SignInVendor) -> None:
    api = scheduled(server)
    server.end_refresh()
    assert isinstance(api.run(renew_task()).error, GrantSpent)
    api.run_type, api.conf = "operator_triggered", {"refused": {"tokenflex_default": "0123456789abcdef"}}
    assert isinstance(api.run(renew_task()).error, GrantSpent)
    assert server.asked == ["refresh_token"]
