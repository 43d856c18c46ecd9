from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from typing import Any

import msgspec
import pytest

from include.standins import FaultKind
from nightshift.errors import AuthFailed, Unreachable
from nightshift.tokenflex.oauth import GrantSpent, TokenPair, fingerprint
from nightshift.tokenflex.renewal import RenewalStep, decide, renew
from nightshift.tokenflex.tokens import Chain, Grant, Journal, RefreshOutcome, Renewed, chain_of, encode, new_seal
from tests.execution_api import LATER
from tests.unit.tokenflex.records import CONN, GRANT, JOURNAL, RENEWED, granted, renew_task, renewed_pair, renewing_api
from tests.unit.tokenflex.sign_in import SECRET, SignInVendor

NOW = 1_800_000_000.0


def pair(ends: float = 3600.0, refresh: str = "r0") -> TokenPair:
    return TokenPair(
        access_token=f"a-{refresh}", refresh_token=refresh, issued=NOW, ends=NOW + ends, lapses=NOW + 15 * 86400
    )


def grant(grant_id: str = "g", **more: float) -> Grant:
    return Grant(grant_id=grant_id, granted_by="Ada", granted_at=NOW, scope="data:read", pair=pair(**more))


def note(outcome: RefreshOutcome, refresh: str = "r0", grant_id: str = "g", **more: Any) -> Journal:
    return Journal(
        grant_id=grant_id, spent=fingerprint(refresh), asked_at=NOW - 300, by="run, try 1", outcome=outcome, **more
    )


@pytest.mark.parametrize(
    ("left", "journal", "force", "step"),
    [
        (3600, None, False, RenewalStep.KEEP),
        (1501, None, False, RenewalStep.KEEP),
        (1499, None, False, RenewalStep.RENEW),
        (-5, None, False, RenewalStep.RENEW),
        (3600, None, True, RenewalStep.RENEW),
        (3600, RefreshOutcome.SETTLED, False, RenewalStep.KEEP),
        (100, RefreshOutcome.SETTLED, False, RenewalStep.RENEW),
        (3600, RefreshOutcome.ASKED, False, RenewalStep.RECOVER),
        (100, RefreshOutcome.LOST, False, RenewalStep.GIVE_UP),
        (100, RefreshOutcome.LOST, True, RenewalStep.RENEW),
    ],
)
def test_the_decision(left: float, journal: RefreshOutcome | None, force: bool, step: RenewalStep) -> None:
    chain = chain_of(grant(ends=left), None, note(journal) if journal else None)
    assert decide(chain, NOW, force=force) is step


@pytest.mark.parametrize(
    ("age", "more", "step"),
    [
        (119.0, {}, RenewalStep.STAND_BACK),
        (-119.0, {}, RenewalStep.STAND_BACK),
        (121.0, {}, RenewalStep.RECOVER),
        (-7200.0, {}, RenewalStep.RECOVER),
        (1.0, {"words": "the answer was lost"}, RenewalStep.RECOVER),
        (300.0, {"taken_up_by": "another", "taken_up_at": NOW + 299}, RenewalStep.STAND_BACK),
        (300.0, {"words": "lost", "taken_up_by": "another", "taken_up_at": NOW + 299}, RenewalStep.STAND_BACK),
        (300.0, {"taken_up_by": "another", "taken_up_at": NOW}, RenewalStep.RECOVER),
    ],
)
def test_nobody_goes_on_from_an_attempt_that_may_still_be_at_work(
    age: float, more: dict[str, Any], step: RenewalStep
) -> None:
    asked = Journal(grant_id="g", spent=fingerprint("r0"), asked_at=NOW, by="run, try 1", **more)
    assert decide(chain_of(grant(ends=100), None, asked), NOW + age) is step


class Overwritten(dict[str, str]):
    """Variables in which another attempt's note comes right after each that is written."""

    other = ""

    def __setitem__(self, key: str, value: str) -> None:
        super().__setitem__(key, self.other or value if key == JOURNAL else value)


@pytest.mark.parametrize("recovering", [False, True], ids=["the first to ask", "asking once more"])
def test_of_two_attempts_that_thaw_beside_each_other_one_asks(server: SignInVendor, recovering: bool) -> None:
    variables = Overwritten({GRANT: granted(server, left=600)})
    api = renewing_api(server.url, variables)
    spent = fingerprint(server.pairs[-1][1])
    if recovering:
        variables[JOURNAL] = encode(Journal(grant_id="g1", spent=spent, asked_at=time.time() - 900, by="killed"))
    variables.other = encode(Journal(grant_id="g1", spent=spent, asked_at=time.time(), by="another"))
    run = api.run(renew_task())
    assert (run.state, server.asked) == ("up_for_retry", [])
    assert isinstance(run.error, Unreachable)
    assert "another attempt is renewing the same tokens" in str(run.error)
    assert variables[JOURNAL] == variables.other


def test_who_asks_once_more_announces_it_and_leaves_the_note_that_it_found(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    before = Journal(grant_id="g1", spent=fingerprint(server.pairs[-1][1]), asked_at=time.time() - 900, by="killed")
    api.variables[JOURNAL] = encode(before)
    notes: list[str] = []
    api.after_get = lambda key: notes.append(api.variables[JOURNAL]) if key == JOURNAL else None
    server.spoil(FaultKind.STATUS, status=503, times=None)
    run = api.run(renew_task())
    assert run.state == "up_for_retry"
    assert any(json.loads(one)["taken_up_by"] and json.loads(one)["by"] == "killed" for one in notes)
    assert api.variables[JOURNAL] == encode(before)


@pytest.mark.parametrize(
    ("refused", "noted", "age", "journal", "step"),
    [
        ("a-r0", "", 3600, None, RenewalStep.RENEW),
        ("", "a-r0", 3600, None, RenewalStep.RENEW),
        ("a-other", "a-other", 3600, None, RenewalStep.KEEP),
        ("a-r0", "", 29, None, RenewalStep.KEEP),
        ("a-r0", "", -60, None, RenewalStep.RENEW),
        ("", "a-r0", -7200, None, RenewalStep.RENEW),
        ("", "", -60, None, RenewalStep.KEEP),
        ("", "", -7200, None, RenewalStep.RENEW),
        ("a-r0", "", 3600, RefreshOutcome.LOST, RenewalStep.GIVE_UP),
        ("a-r0", "", 3600, RefreshOutcome.ASKED, RenewalStep.RECOVER),
    ],
)
def test_a_token_that_is_refused_before_its_end_is_renewed_unless_it_was_already(
    refused: str, noted: str, age: float, journal: RefreshOutcome | None, step: RenewalStep
) -> None:
    chain = chain_of(grant(ends=10_000), None, note(journal) if journal else None)
    chain = msgspec.structs.replace(chain, refused=fingerprint(noted))
    assert decide(chain, NOW + age, refused=fingerprint(refused)) is step


def test_what_belongs_to_another_grant_does_not_count() -> None:
    newer = Renewed(grant_id="g", number=3, pair=pair(refresh="r3"))
    assert chain_of(grant(), newer, note(RefreshOutcome.LOST, "r3")) == Chain(
        grant=grant(), pair=newer.pair, number=3, journal=note(RefreshOutcome.LOST, "r3")
    )
    assert chain_of(grant("g2"), newer, note(RefreshOutcome.LOST, "r3")) == Chain(grant=grant("g2"), pair=pair())
    assert chain_of(grant(), newer, note(RefreshOutcome.LOST, "r2")).journal is None


def test_renews_what_is_due_and_stores_it(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    run = api.run(renew_task())
    assert (run.state, server.asked) == ("success", ["refresh_token"])
    stored, pair = json.loads(api.variables[RENEWED]), renewed_pair(api.variables)
    assert (pair.access_token, pair.refresh_token) == server.pairs[-1]
    assert (stored["grant_id"], stored["number"]) == ("g1", 1)
    assert pair.ends == pytest.approx(time.time() + 3599, abs=60)
    assert api.puts == [JOURNAL, RENEWED]
    assert run.result[0]["connection"] == CONN
    assert run.result[0]["granted_by"] == "Ada Lovelace"
    assert not any(secret in str(run.result) for one in server.pairs for secret in one)


def test_nothing_that_a_task_stores_has_a_token_in_it(server: SignInVendor) -> None:
    """Airflow's supervisor writes what a task stores into its own log, at DEBUG."""
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    assert api.run(renew_task()).state == "success"
    assert api.puts == [JOURNAL, RENEWED]
    left = "".join(api.variables[key] for key in api.puts)
    assert not any(secret in left for one in server.pairs for secret in one)


def test_a_grant_of_an_earlier_version_goes_on_without_a_seal(server: SignInVendor) -> None:
    before = json.loads(granted(server, left=600))
    del before["seal"]
    api = renewing_api(server.url, {GRANT: json.dumps(before)})
    assert api.run(renew_task()).state == "success"
    stored = json.loads(api.variables[RENEWED])
    assert (stored["pair"]["refresh_token"], stored["sealed"]) == (server.pairs[-1][1], "")


def test_what_does_not_open_is_refused_before_anything_is_asked(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    server.turn(expires_in=600)
    assert api.run(renew_task()).state == "success"
    renewed = json.loads(api.variables[RENEWED])
    spoilt = json.loads(api.variables[GRANT])
    for grant, newest in (
        (spoilt, {**renewed, "sealed": renewed["sealed"][:-8] + "AAAAAAA="}),
        (spoilt, {**renewed, "sealed": ""}),
        ({**spoilt, "seal": new_seal()}, renewed),
        ({**spoilt, "seal": "no key"}, renewed),
    ):
        api.variables |= {GRANT: json.dumps(grant), RENEWED: json.dumps(newest)}
        run = api.run(renew_task())
        assert run.state == "failed"
        assert re.search(f"'({GRANT}|{RENEWED})' does not hold what Nightshift wrote there", str(run.error))
    assert server.asked == ["refresh_token"]


def test_a_grant_shows_neither_its_tokens_nor_its_seal() -> None:
    shown = repr(msgspec.structs.replace(grant(), seal=(seal := new_seal())))
    assert "Ada" in shown
    assert seal not in shown
    assert "a-r0" not in shown


def test_the_chain_goes_on_from_the_newest_pair(server: SignInVendor) -> None:
    server.turn(expires_in=600)
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    for number in (1, 2, 3):
        assert api.run(renew_task()).state == "success"
        assert json.loads(api.variables[RENEWED])["number"] == number
    assert [form["refresh_token"] for form in server.forms] == [refresh for _, refresh in server.pairs[:3]]


def test_nothing_due_is_skipped_without_asking(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=1800)})
    assert api.run(renew_task()).state == "skipped"
    assert (server.asked, api.puts) == ([], [])


def test_nobody_has_granted_is_skipped(server: SignInVendor) -> None:
    assert renewing_api(server.url, {"some_other": "x"}).run(renew_task()).state == "skipped"
    assert server.asked == []


def test_a_refresh_token_that_stays_is_kept_to_its_old_end(server: SignInVendor) -> None:
    server.turn(refresh_rotates=False)
    api = renewing_api(server.url, {GRANT: granted(server, left=600, days=3)})
    assert api.run(renew_task()).state == "success"
    stored = renewed_pair(api.variables)
    assert stored.refresh_token == server.pairs[0][1]
    assert stored.lapses == pytest.approx(time.time() + 3 * 86400, abs=120)
    assert api.run(renew_task()).state == "skipped"


def test_a_refused_refresh_token_is_lost_and_asked_once_only(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)}, run_type="scheduled")
    server.end_refresh()
    first, second = api.run(renew_task()), api.run(renew_task(), try_number=1)
    for run in (first, second):
        assert run.state == "failed"
        assert isinstance(run.error, GrantSpent)
        assert "Ada Lovelace" in str(run.error)
        assert "Admin, Token Flex sign-in" in str(run.error)
        assert "still good until" in str(run.error)
    assert server.asked == ["refresh_token"]


def test_a_new_grant_heals_a_lost_one(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    server.says(400, f"invalid_grant: {server.pairs[0][1]} was used")
    run = api.run(renew_task())
    assert isinstance(run.error, GrantSpent)
    assert server.pairs[0][1] not in str(run.error)
    api.variables[GRANT] = granted(server, left=600, grant_id="g2")
    assert api.run(renew_task()).state == "success"
    assert json.loads(api.variables[RENEWED])["grant_id"] == "g2"


def test_a_grant_made_during_a_refresh_wins(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})

    def grant_anew(key: str) -> None:
        if key == RENEWED:
            api.variables[GRANT] = granted(server, left=1700, grant_id="g2")

    api.before_put = grant_anew
    assert api.run(renew_task()).state == "success"
    stored = msgspec.json.decode(api.variables[GRANT], type=Grant)
    chain = chain_of(stored, msgspec.json.decode(api.variables[RENEWED], type=Renewed), None)
    assert (chain.grant.grant_id, chain.pair) == ("g2", stored.pair)


def test_a_lost_answer_is_tried_again_and_told(server: SignInVendor) -> None:
    server.turn(refresh_reuse="allowed")
    server.spoil(FaultKind.ACCEPT_THEN_DROP)
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    first = api.run(renew_task())
    assert first.state == "up_for_retry"
    assert isinstance(first.error, Unreachable)
    assert "Consumers can work until" in str(first.error)
    assert json.loads(api.variables[JOURNAL])["outcome"] == "asked"
    assert api.run(renew_task()).state == "success"
    assert server.asked == ["refresh_token"] * 2


def test_a_run_that_a_consumer_started_renews_the_refused_token_and_no_newer_one(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=2000)})
    api.run_type, api.conf = "operator_triggered", {"refused": {CONN: fingerprint(server.pairs[0][0])}}
    assert api.run(renew_task()).state == "success"
    assert api.run(renew_task()).state == "skipped"
    assert server.asked == ["refresh_token"]


def test_what_was_surely_not_taken_leaves_the_chain_whole(server: SignInVendor) -> None:
    server.says(429, "later", retry_after="60")
    api = renewing_api(server.url, {GRANT: granted(server, left=600, days=2)})
    first = api.run(renew_task())
    assert first.state == LATER
    assert "the grant lapses on" in str(first.error)
    assert "in 2.0 days" in str(first.error)
    assert json.loads(api.variables[JOURNAL])["outcome"] == "settled"
    assert api.run(renew_task()).state == "success"


def test_a_wrong_client_secret_fails_at_once_and_loses_nothing(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    api.connections[CONN]["password"] = "wrong-secret-1234"
    server.says(401, "wrong secret wrong-secret-1234")
    run = api.run(renew_task())
    assert run.state == "failed"
    assert isinstance(run.error, AuthFailed)
    assert "client secret" in str(run.error)
    assert "wrong-secret" not in str(run.error)
    api.connections[CONN]["password"] = SECRET
    assert api.run(renew_task()).state == "success"


def test_an_answer_is_saved_although_airflow_is_away_for_a_while(server: SignInVendor) -> None:
    api, tries = renewing_api(server.url, {GRANT: granted(server, left=600)}), []

    def away(key: str) -> None:
        if key == RENEWED and len(tries) < 2:
            tries.append(key)
            raise ConnectionError

    api.before_put = away
    assert api.run(renew_task()).state == "success"
    assert len(tries) == 2
    assert renewed_pair(api.variables).refresh_token == server.pairs[-1][1]


def test_one_connection_that_fails_does_not_keep_the_others(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    api.connections["another"] = dict(api.connections[CONN], password="a-wrong-secret")
    api.variables["nightshift_tokenflex_token.another.grant"] = granted(server, left=600)
    run = api.run(renew_task())
    assert run.state == "failed"
    assert "client secret" in str(run.error)
    assert json.loads(api.variables[RENEWED])["number"] == 1


def test_a_connection_that_is_gone_is_told_and_does_not_keep_the_others(server: SignInVendor) -> None:
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    api.variables["nightshift_tokenflex_token.gone.grant"] = granted(server, left=600)
    run = api.run(renew_task())
    assert run.state == "failed"
    assert "delete the Variable 'nightshift_tokenflex_token.gone.grant'" in str(run.error)
    assert json.loads(api.variables[RENEWED])["number"] == 1


def test_a_damaged_record_says_what_to_do_and_shows_nothing(server: SignInVendor) -> None:
    run = renewing_api(server.url, {GRANT: '{"secret-refresh-token": 1'}).run(renew_task())
    assert run.state == "failed"
    assert GRANT in str(run.error)
    assert "secret-refresh" not in str(run.error)


def test_a_time_out_of_the_task_does_not_fall_between_answer_and_save(server: SignInVendor) -> None:
    api, stop = renewing_api(server.url, {GRANT: granted(server, left=600)}), threading.Event()
    api.before_put = lambda key: stop.wait(10) and None if key == RENEWED else None

    async def time_out() -> None:
        renewing = asyncio.ensure_future(renew(CONN, by="run, try 1"))
        await asyncio.to_thread(server.ledger.wait_for_effect, kind="token_issued")
        renewing.cancel()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        with pytest.raises(asyncio.CancelledError):
            await renewing

    with api.away():
        asyncio.run(time_out())
    assert renewed_pair(api.variables).refresh_token == server.pairs[-1][1]


@pytest.mark.parametrize("part", [GRANT, RENEWED, JOURNAL])
def test_a_failed_read_is_never_taken_for_nothing_there(server: SignInVendor, part: str) -> None:
    server.turn(expires_in=600)
    api = renewing_api(server.url, {GRANT: granted(server, left=600)})
    assert api.run(renew_task()).state == "success"
    api.unreadable = {part}
    run = api.run(renew_task())
    assert run.state == "up_for_retry"
    assert "which exists" in str(run.error)
    assert len(server.asked) == 1
    api.unreadable = set()
    assert api.run(renew_task()).state == "success"
