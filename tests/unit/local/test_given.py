from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.local.given import Refused, check_writable, held_alone, night_given, port_of, read_dotenv

BERLIN, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia")
NOW = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(("flag", "variable", "port"), [("8090", "8100", 8090), (None, "8100", 8100), ("", "", 8080)])
def test_a_port_is_the_flag_then_the_variable_then_8080(
    flag: str | None, variable: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", variable)
    assert port_of(flag) == port


@pytest.mark.parametrize("text", ["abc", "80", "65536", "-8080", "8080.0", "\u0668080"])
def test_another_port_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(Refused, match=f"PORT={text} is no port: give a whole number from 1024 to 65535"):
        port_of(text)


def test_the_port_of_dotenv_counts_where_the_shell_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = '{"conn_type": "flexnet", "password": "a${b} #c"}'
    (tmp_path / ".env").write_text(f"# ports\nexport PORT=8123\nNIGHTSHIFT_LAKE=from-file\nCONN='{connection}'\n")
    for name in ("PORT", "CONN"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "from-shell")
    read_dotenv(tmp_path / ".env")
    assert port_of(None) == 8123
    assert os.environ["CONN"] == connection
    assert os.environ["NIGHTSHIFT_LAKE"] == "from-shell"


def test_a_dotenv_that_cannot_be_read_is_refused_and_none_is_fine(tmp_path: Path) -> None:
    read_dotenv(tmp_path / "missing")
    (tmp_path / ".env").write_bytes(b"NAME=\xff\xfe")
    with pytest.raises(Refused, match=r"\.env cannot be read: .* Correct it or remove it"):
        read_dotenv(tmp_path / ".env")


@pytest.mark.parametrize("text", ["2026-11-31", "yesterday", "20261101", "2026-W48-1", "1.11.2026"])
def test_no_day_is_refused_with_one(text: str) -> None:
    with pytest.raises(Refused, match=f"NIGHT={text} is no day: write it as YYYY-MM-DD, such as 2026-11-27"):
        night_given(text, {"flexnet_reports": BERLIN}, NOW)


def test_a_night_is_over_where_every_vendor_has_it_behind_them() -> None:
    zones = {"flexnet_reports": BERLIN, "exago_catalog": APIA}
    assert night_given("2026-11-27", zones, NOW) == "2026-11-27"
    with pytest.raises(
        Refused, match=r"NIGHT=2026-11-28 is not over yet for flexnet_reports\. The last .* 2026-11-27\."
    ):
        night_given("2026-11-28", zones, NOW)
    with pytest.raises(Refused, match="not over yet for flexnet_reports, exago_catalog"):
        night_given("2027-01-01", zones, NOW)


def test_a_folder_that_cannot_be_made_is_refused_and_an_object_store_is_not_tried(tmp_path: Path) -> None:
    check_writable(f"file://{tmp_path}/lake")
    assert (tmp_path / "lake").is_dir()
    check_writable("s3://nobody/knows")
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=f"cannot write in {tmp_path}/file/lake. Copy the checkout"):
        check_writable(f"{tmp_path}/file/lake")


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with held_alone(tmp_path), pytest.raises(Refused, match="another `make run` is at work"), held_alone(tmp_path):
        pass
    with held_alone(tmp_path):
        pass
