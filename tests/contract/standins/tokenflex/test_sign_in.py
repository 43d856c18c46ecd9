"""The OAuth server of the Token Flex stand-in: consent, codes, PKCE, rotation, lifetimes, refusals."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from include.standins import Clock, Fault
from include.standins.tokenflex import BEARER, RateLimit, TokenFlexStandIn, TokenFlexSwitches, vendor_fault
from tests.contract.standins.client import Answer, ask
from tests.contract.standins.tokenflex.client import CALLBACK, CONTRACT, App, Caller, came_back

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def app_with() -> Iterator[Callable[..., App]]:
    """Start stand-ins whose clock stands; the person agrees at once unless asked otherwise."""
    started: list[TokenFlexStandIn] = []

    def start(**switches: Any) -> App:
        turned = TokenFlexSwitches(**{"auto_allow": True, "rate_limit": RateLimit.OFF, **switches})
        started.append(TokenFlexStandIn(clock=Clock(NOON), switches=turned).__enter__())
        return App(started[-1])

    yield start
    for vendor in started:
        vendor.__exit__(None, None, None)


@pytest.fixture
def app(app_with: Callable[..., App]) -> App:
    return app_with()


def works(app: App, token: str) -> bool:
    return Caller(app.vendor, token).listed().status == 200


def redeemed(app: App, code: str, **form: str) -> Answer:
    return app.token(header=True, grant_type="authorization_code", code=code, **{"redirect_uri": CALLBACK, **form})


class TestConsent:
    def test_the_page_has_a_form_and_allow_leads_back_with_code_and_state(self, app_with: Callable[..., App]) -> None:
        app = app_with(auto_allow=False)
        page = app.authorize(state='"><script>')
        text = page.body.decode()
        assert page.status == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert "data:read data:write" in text
        assert "<script>" not in text
        assert app.secret not in text
        back = came_back(self.answer(app, text, "allow"))
        assert back["state"] == '"><script>'
        assert redeemed(app, back["code"]).status == 200

    def test_deny_leads_back_with_an_error(self, app_with: Callable[..., App]) -> None:
        app = app_with(auto_allow=False)
        page = app.authorize().body.decode()
        assert came_back(self.answer(app, page, "deny")) == {"error": "access_denied", "state": "s t&te"}
        assert self.answer(app, page, "allow").status == 400
        assert app.vendor.ledger.effects(kind="code_issued") == []

    def test_who_is_no_admin_can_sign_in_and_sees_nothing(self, app_with: Callable[..., App]) -> None:
        app = app_with(auto_allow=False)
        page = app.authorize().body.decode()
        back = came_back(self.answer(app, page, "allow", person="reader@standin.example"))
        caller = Caller(app.vendor, redeemed(app, back["code"]).json["access_token"])
        assert caller.call("GET", "/contract").json == []
        assert caller.call("GET", f"/contract/{CONTRACT}").json["Code"] == "ForbiddenError"
        assert caller.export().status == 403

    def answer(self, app: App, page: str, answer: str, person: str = "admin@standin.example") -> Answer:
        action, ticket = re.findall(r'action="([^"]+)"', page)[0], re.findall(r'name="ticket" value="([^"]+)"', page)[0]
        body = urlencode({"ticket": ticket, "person": person, "answer": answer}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return ask(app.vendor.url + action, method="POST", headers=headers, body=body)

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_id": "stranger"},
            {"client_id": "nightshift-service"},
            {"redirect_uri": "/callback"},
            {"redirect_uri": None},
        ],
    )
    def test_nobody_is_sent_back_to_an_address_that_was_not_checked(self, app: App, changes: dict[str, Any]) -> None:
        answer = app.authorize(**changes)
        assert (answer.status, answer.headers["Location"]) == (400, None)

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"scope": "data:everything"}, "invalid_scope"),
            ({"scope": None}, "invalid_scope"),
            ({"code_challenge": "x", "code_challenge_method": "plain"}, "invalid_request"),
            ({"client_id": "nightshift-public"}, "invalid_request"),
        ],
    )
    def test_other_mistakes_go_back_to_the_client(self, app: App, changes: dict[str, Any], error: str) -> None:
        assert came_back(app.authorize(**changes)) == {"error": error, "state": "s t&te"}


class TestCodes:
    def test_a_code_gives_the_documented_answer_once(self, app: App) -> None:
        code = app.code()
        tokens = redeemed(app, code)
        assert set(tokens.json) == {"token_type", "expires_in", "access_token", "refresh_token"}
        assert (tokens.json["token_type"], tokens.json["expires_in"]) == ("Bearer", 3599)
        assert tokens.headers["Cache-Control"] == "no-store"
        assert works(app, tokens.json["access_token"])
        assert redeemed(app, code).status == 400

    def test_a_code_is_short_lived(self, app: App) -> None:
        code = app.code()
        app.vendor.clock.advance(300)
        assert redeemed(app, code).status == 400

    def test_a_code_belongs_to_its_redirect_uri_and_client(self, app: App) -> None:
        assert redeemed(app, app.code(), redirect_uri=CALLBACK + "/other").status == 400
        other = App(app.vendor, "nightshift-stranger", "standin-tokenflex-stranger")
        assert redeemed(other, app.code()).status == 400

    def test_pkce_is_checked(self, app: App) -> None:
        assert (
            redeemed(
                app, app.code(code_challenge=CHALLENGE, code_challenge_method="S256"), code_verifier=VERIFIER
            ).status
            == 200
        )
        for verifier in ("w" * 43, "v" * 42, ""):
            code = app.code(code_challenge=CHALLENGE, code_challenge_method="S256")
            assert redeemed(app, code, code_verifier=verifier).status == 400
        assert redeemed(app, app.code(), code_verifier=VERIFIER).status == 400

    def test_a_public_client_needs_no_secret(self, app: App) -> None:
        public = App(app.vendor, "nightshift-public", "")
        code = public.code(code_challenge=CHALLENGE)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        assert public.token(header=False, client_id="nightshift-public", **form).status == 200


class TestClients:
    def test_credentials_in_the_header_or_in_the_body_not_in_both(self, app: App) -> None:
        body = {"client_id": app.name, "client_secret": app.secret}
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
        assert app.token(header=True, code=app.code(), **form).status == 200
        assert app.token(header=False, code=app.code(), **form, **body).status == 200
        assert app.token(header=True, code=app.code(), **form, **body).status == 400

    def test_a_wrong_secret_is_a_401(self, app: App) -> None:
        wrong = App(app.vendor, secret="guess").token(grant_type="refresh_token", refresh_token="x")
        assert (wrong.status, wrong.json["errorCode"]) == (401, "AUTH-003")
        assert set(wrong.json) == {"developerMessage", "userMessage", "errorCode", "more info"}
        assert app.token(header=False, grant_type="refresh_token").status == 401

    def test_the_body_has_to_be_a_form(self, app: App) -> None:
        url = f"{app.vendor.url}/authentication/v2/token"
        body = json.dumps({"grant_type": "client_credentials"}).encode()
        assert ask(url, method="POST", headers={"Content-Type": "application/json"}, body=body).status == 400

    def test_two_legged_works_for_the_client_that_is_tied_to_an_admin(self, app: App) -> None:
        service = App(app.vendor, "nightshift-service", "standin-tokenflex-service")
        tokens = service.token(grant_type="client_credentials", scope="data:read data:write").json
        assert "refresh_token" not in tokens
        assert Caller(app.vendor, tokens["access_token"]).export().status == 200
        untied = app.token(grant_type="client_credentials", scope="data:read").json["access_token"]
        assert Caller(app.vendor, untied).call("GET", "/contract").json == []
        assert service.token(grant_type="client_credentials").status == 400

    def test_a_client_that_is_not_entitled_gets_auth_001(self, app: App) -> None:
        stranger = App(app.vendor, "nightshift-stranger", "standin-tokenflex-stranger")
        answer = Caller(app.vendor, stranger.signed_in()["access_token"]).listed()
        assert (answer.status, answer.json["errorCode"]) == (403, "AUTH-001")

    def test_errors_can_look_like_rfc_6749(self, app_with: Callable[..., App]) -> None:
        answer = app_with(token_error="rfc6749").refresh("x")
        assert answer.json["error"] == "invalid_grant"


class TestRefresh:
    def test_each_refresh_gives_a_new_pair_and_the_old_token_is_dead(self, app: App) -> None:
        first = app.signed_in()
        second = app.refresh(first["refresh_token"]).json
        assert second["refresh_token"] != first["refresh_token"]
        assert works(app, second["access_token"])
        reused = app.refresh(first["refresh_token"])
        assert (reused.status, "invalid_grant" in reused.json["developerMessage"]) == (400, True)
        assert app.refresh(second["refresh_token"]).status == 200

    def test_reuse_can_end_the_whole_chain(self, app_with: Callable[..., App]) -> None:
        app = app_with(refresh_reuse="revokes")
        first, other = app.signed_in(), app.signed_in()
        second = app.refresh(first["refresh_token"]).json
        assert app.refresh(first["refresh_token"]).status == 400
        assert app.refresh(second["refresh_token"]).status == 400
        assert not works(app, second["access_token"])
        assert works(app, other["access_token"])

    def test_reuse_can_be_allowed_and_rotation_be_off(self, app_with: Callable[..., App]) -> None:
        app = app_with(refresh_reuse="allowed")
        first = app.signed_in()["refresh_token"]
        assert len({app.refresh(first).json["refresh_token"] for _ in range(3)}) == 3
        app.vendor.turn(refresh_rotates=False)
        kept = app.signed_in()["refresh_token"]
        assert app.refresh(kept).json["refresh_token"] == kept

    def test_scopes_stay_or_narrow_and_narrowing_uses_the_token_up(self, app: App) -> None:
        first = app.signed_in()["refresh_token"]
        assert app.refresh(first, scope="data:read data:write account:read").json["errorCode"] == "AUTH-004"
        narrow = app.refresh(first, scope="data:read").json
        assert app.refresh(first).status == 400
        assert app.refresh(narrow["refresh_token"], scope="data:write").status == 400
        caller = Caller(app.vendor, narrow["access_token"])
        assert caller.listed().status == 200
        refused = caller.export()
        assert (refused.status, refused.json["errorCode"]) == (403, "AUTH-010")

    def test_lifetimes(self, app_with: Callable[..., App]) -> None:
        app = app_with(access_seconds=60, refresh_seconds=600)
        tokens = app.signed_in()
        assert tokens["expires_in"] == 59
        app.vendor.clock.advance(60)
        answer = Caller(app.vendor, tokens["access_token"]).listed()
        assert (answer.status, answer.json["errorCode"]) == (401, "AUTH-006")
        tokens = app.refresh(tokens["refresh_token"]).json
        app.vendor.clock.advance(600)
        assert app.refresh(tokens["refresh_token"]).status == 400

    def test_a_refresh_token_lives_fifteen_days(self, app: App) -> None:
        kept, late = app.signed_in()["refresh_token"], app.signed_in()["refresh_token"]
        app.vendor.clock.advance(15 * 86400 - 1)
        assert app.refresh(kept).status == 200
        app.vendor.clock.advance(1)
        assert app.refresh(late).status == 400

    def test_a_lost_answer_has_used_the_token_up(self, app: App) -> None:
        token = app.signed_in()["refresh_token"]
        app.vendor.faults.add(Fault(kind="accept_then_drop", path="/token$"))
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            app.refresh(token)
        assert app.refresh(token).status == 400

    def test_the_claimed_lifetime_can_be_wrong(self, app_with: Callable[..., App]) -> None:
        assert app_with(expires_in=86400).signed_in()["expires_in"] == 86400


class TestTokensOnCalls:
    def test_no_header_a_wrong_token_and_the_fixed_bearer(self, app: App) -> None:
        missing = ask(f"{app.vendor.url}/tokenflex/v1/contract")
        assert (missing.status, missing.json["errorCode"]) == (401, "AUTH-012")
        assert Caller(app.vendor, "guess").listed().json["errorCode"] == "AUTH-006"
        assert works(app, BEARER)
        app.vendor.turn(bearer_accepted=False)
        assert not works(app, BEARER)

    def test_access_can_end_early_for_everybody(self, app: App) -> None:
        tokens = app.signed_in()
        app.vendor.faults.add(vendor_fault("access_ends"))
        assert not works(app, tokens["access_token"])
        assert not works(app, tokens["access_token"])
        assert works(app, app.refresh(tokens["refresh_token"]).json["access_token"])

    @pytest.mark.parametrize(("body", "key"), [("documented", "more info"), ("no_blank", "moreInfo"), ("empty", None)])
    def test_bodies_of_gateway_errors(self, app_with: Callable[..., App], body: str, key: str | None) -> None:
        answer = Caller(app_with(gateway_body=body).vendor, "guess").listed()
        assert answer.status == 401
        assert (key in answer.json) if key else (answer.body == b"")

    def test_the_authorize_page_has_a_rate_of_its_own(self, app: App) -> None:
        assert [app.authorize().status for _ in range(101)] == [302] * 100 + [429]
        app.vendor.clock.advance(61)
        assert app.authorize().status == 302

    def test_the_ledger_has_fingerprints_and_no_value(self, app: App) -> None:
        code = app.code()
        first = redeemed(app, code).json
        second = app.refresh(first["refresh_token"]).json
        issued = app.vendor.ledger.effects(kind="token_issued")
        assert [effect.detail["grant"] for effect in issued] == ["authorization_code", "refresh_token"]
        assert issued[1].detail["used"] == issued[0].detail["refresh"]
        told = repr((app.vendor.ledger.requests(), app.vendor.ledger.effects(), vars(app.vendor.grants)))
        for secret in (code, *map(str, (*first.values(), *second.values()))):
            assert secret in {"Bearer", "3599"} or secret not in told
