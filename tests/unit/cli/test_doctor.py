"""What the doctor makes of what it sees, where no Airflow is needed to see it."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.standins.flexnet import LOGIN, PASSWORD, FlexNetStandIn
from nightshift.cli.doctor import vendors
from nightshift.cli.doctor.finding import Level
from nightshift.cli.doctor.here import settings
from nightshift.cli.doctor.lake import judged
from nightshift.lake.objects import Tried
from nightshift.lake.store import Lake
from tests.certificates import self_signed
from tests.published import publish_night
from tests.unit.cli.conftest import Run

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kept", "skew", "seconds", "levels"),
    [
        (True, 0, 0.1, {"conditional writes": "ok", "clock of the lake": "ok"}),
        (False, 0, 0.1, {"conditional writes": "bad", "clock of the lake": "ok"}),
        (True, 29, 0.1, {"conditional writes": "ok", "clock of the lake": "ok"}),
        (True, 31, 0.1, {"conditional writes": "ok", "clock of the lake": "bad"}),
        (True, -31, 0.1, {"conditional writes": "ok", "clock of the lake": "bad"}),
        (True, 31, 6.0, {"conditional writes": "ok", "clock of the lake": "ok", "speed of the lake": "warn"}),
    ],
)
def test_what_a_try_of_the_lake_means(kept: bool, skew: float, seconds: float, levels: dict[str, str]) -> None:
    found = list(judged("s3://lake", Tried(kept, NOW + timedelta(seconds=skew)), seconds, NOW))
    assert {one.about: str(one.level) for one in found} == levels
    assert all(one.fix for one in found if one.level is not Level.OK)


@pytest.mark.parametrize(("kept", "told"), [(True, "If-Match"), (False, "If-None-Match")])
def test_a_condition_that_is_ignored_is_named(kept: bool, told: str) -> None:
    found = list(judged("s3://lake", Tried(kept, NOW, is_compared=False), 0.1, NOW))
    assert [told in one.fix for one in found if one.level is Level.BAD] == [True]


@pytest.mark.parametrize(("level", "told"), [("DEBUG", ["warn"]), ("debug", ["warn"]), ("INFO", [])])
def test_a_log_that_would_hold_tokens_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, level: str, told: list[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", level)
    found = [one for one in settings() if one.about == "logging_level"]
    assert [str(one.level) for one in found] == told
    assert all("INFO" in one.fix for one in found)


def findings(run: Run) -> dict[str, dict[str, str]]:
    found = run("doctor", "--no-airflow", "--json")
    assert PASSWORD not in found.output
    return {one["about"]: one for one in json.loads(found.stdout)["findings"]}


def test_a_connection_of_this_machine_is_tested_by_the_vendors_hook(
    run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings(run)["connection flexnet_default"]["level"] == "warn"
    with FlexNetStandIn() as vendor:
        named = {"conn_type": "flexnet", "host": vendor.url, "login": LOGIN, "password": PASSWORD}
        monkeypatch.setenv("AIRFLOW_CONN_FLEXNET_DEFAULT", json.dumps(named))
        found = findings(run)["connection flexnet_default"]
        assert (found["level"], "tested from this machine" in found["text"]) == ("ok", True)
        monkeypatch.setenv("AIRFLOW_CONN_FLEXNET_DEFAULT", json.dumps({**named, "password": "another-one"}))
        refused = findings(run)["connection flexnet_default"]
        assert refused["level"] == "bad"
        assert "Login refused" in refused["text"]
        assert "another-one" not in str(refused)
        monkeypatch.setenv("AIRFLOW_CONN_FLEXNET_DEFAULT", json.dumps({**named, "conn_type": "http"}))
        assert "is of the type 'http'" in findings(run)["connection flexnet_default"]["text"]


def test_a_connection_that_checks_no_certificate_is_warned_of(
    run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path / "vendor.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    named = {"conn_type": "flexnet", "login": LOGIN, "password": PASSWORD}
    with FlexNetStandIn(tls=context) as vendor, FlexNetStandIn() as plain:
        for host, verify, level in (
            (vendor.url, False, "warn"),
            (vendor.url, "false", "warn"),
            (vendor.url, str(certificate), "ok"),
            (plain.url, False, "ok"),
        ):
            connection = json.dumps({**named, "host": host, "extra": {"verify": verify}})
            monkeypatch.setenv("AIRFLOW_CONN_FLEXNET_DEFAULT", connection)
            found = findings(run)["connection flexnet_default"]
            assert (found["level"], "certificate is not checked" in found["text"]) == (level, level == "warn")
            assert ("CA file" in (found["fix"] or "")) is (level == "warn")


def test_a_vendors_clock_is_asked_for_by_the_settings_of_its_connection(
    run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path / "vendor.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with FlexNetStandIn(tls=context) as vendor:
        named = {"conn_type": "flexnet", "host": vendor.url, "login": LOGIN, "password": PASSWORD}
        connection = json.dumps({**named, "extra": {"verify": str(certificate)}})
        monkeypatch.setenv("AIRFLOW_CONN_FLEXNET_DEFAULT", connection)
        assert "clock of connection flexnet_default" not in findings(run)
        monkeypatch.setattr(vendors, "SKEW", timedelta(seconds=-1))
        assert findings(run)["clock of connection flexnet_default"]["level"] == "bad"
        [asked] = [one for one in vendor.ledger.requests() if one.method == "HEAD"][1:]
        assert asked.credential is None


def test_an_index_that_is_behind_and_a_mistake_are_found(run: Run, lake: Lake, config: Path) -> None:
    assert findings(run)["index of the nights"]["level"] == "ok"
    publish_night(lake, "flexnet/entitlement", "2026-11-20")
    behind = findings(run)["index of the nights"]
    assert (behind["level"], "flexnet/entitlement" in behind["text"]) == ("warn", True)
    assert run("nights", "rebuild-index").exit_code == 0
    assert findings(run)["index of the nights"]["level"] == "ok"
    (config / "reports.yaml").write_text("flexnet:\n  reports: [{nmae: entitlement}]\n")
    wrong = run("doctor", "--no-airflow")
    assert wrong.exit_code == 1
    assert "did you mean 'name'?" in wrong.stdout


def test_a_section_that_is_gone_is_bad(run: Run, lake: Lake, config: Path) -> None:
    assert findings(run)["configuration"]["level"] == "ok"
    (config / "reports.yaml").write_text("exago: {}\n")
    gone = findings(run)["configuration"]
    assert (gone["level"], "flexnet: is no longer here" in gone["text"]) == ("bad", True)


def test_two_applications_that_bring_the_same_to_a_stage_are_told(run: Run, lake: Lake, config: Path) -> None:
    one = "{project: A/B, stream: main, build: {environment: DEV}, stages: [{environment: DEV}, {environment: TEST}]%s}"
    (config / "promotions.yaml").write_text(
        f"portal: {one % ''}\nhotfix: {one.replace('main', 'x') % ''}\nother: {one.replace('A/B', 'A/C') % ''}"
    )
    found = json.loads(run("doctor", "--no-airflow", "--json").stdout)["findings"]
    [told] = [each for each in found if each["about"] == "configuration" and each["level"] == "warn"]
    assert told["text"].startswith("portal and hotfix bring the same project to DEV, TEST: neither waits for the other")
    (config / "promotions.yaml").write_text(f"portal: {one % ''}\ncopied: {one % ''}")
    assert "portal and copied bring the same project" in run("doctor", "--no-airflow", "--json").stdout
    packages = [", packages: [{name: INVOICES}]", ", packages: [{name: LEDGER}]"]
    (config / "promotions.yaml").write_text(f"portal: {one % packages[0]}\ncopied: {one % packages[1]}")
    assert "bring the same" not in run("doctor", "--no-airflow", "--json").stdout


def test_a_configuration_that_is_nowhere_hides_no_other_finding(
    run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NIGHTSHIFT_CONFIG")
    monkeypatch.setattr("nightshift.config.reading._CHECKOUT", None)
    monkeypatch.setenv("NIGHTSHIFT_AIRFLOW_URL", "http://127.0.0.1:9")
    told = {one["about"]: one["level"] for one in json.loads(run("doctor", "--json").stdout)["findings"]}
    assert (told["configuration"], told["conditional writes"], told["Airflow"]) == ("bad", "ok", "bad")


def test_a_lake_that_cannot_be_reached_is_bad_and_the_rest_is_looked_at(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "file/lake"))
    found = findings(run)
    assert found["lake"]["level"] == "bad"
    assert found["configuration"]["level"] == "ok"


def test_strict_ends_with_1_for_what_warns(run: Run, lake: Lake) -> None:
    assert run("doctor", "--no-airflow").exit_code == 0
    assert run("doctor", "--no-airflow", "--strict").exit_code == 1
