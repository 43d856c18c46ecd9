from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.flexnet.configuration import FlexNet
from nightshift.lake.store import Lake
from nightshift.settings import ConfigError, kept_folder, read_section

SOUND = """
flexnet:
  reports:
    - name: entitlement
      key: [EntitlementID]
"""


@pytest.fixture
def read(tmp_path: Path):
    def of(text: str) -> FlexNet | None:
        (tmp_path / "reports.yaml").write_text(text)
        return read_section("flexnet", FlexNet, folder=tmp_path)

    return of


def test_a_short_section_has_all_defaults(read) -> None:
    section = read(SOUND)
    assert section.connection == "flexnet_default"
    assert section.settle_hours == 4
    # What the connection may say, and then the request.
    assert (section.reports[0].page_size, section.reports[0].mode, section.date_to) == (None, None, None)


def test_a_source_that_is_not_configured_is_none(read) -> None:
    assert read("tokenflex: {}") is None
    assert read("{}") is None


def test_the_shipped_configuration_is_sound() -> None:
    assert len(read_section("flexnet", FlexNet).reports) >= 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "flexnet:\n  reports:\n    - name: a\n      kye: [x]\n",
            [":4:", "flexnet.reports[0].kye", "did you mean 'key'"],
        ),
        (
            "flexnet:\n  conection: x\n  reports: [{name: a}]\n",
            [":2:", "flexnet.conection", "did you mean 'connection'"],
        ),
        (
            "flexnet:\n  reports:\n    - name: a\n      mode: interactiv\n",
            [":4:", "flexnet.reports[0].mode", "'interactiv' is not valid", "did you mean 'interactive'"],
        ),
        ("flexnet:\n  reports:\n    - name: a\n      page_size: 9999\n", [":4:", "page_size", "2500", "9999"]),
        ("flexnet:\n  reports:\n    - key: [x]\n", [":3:", "flexnet.reports[0].name", "is missing"]),
        (
            "flexnet:\n  timezone: Europe/Berln\n  reports: [{name: a}]\n",
            [":2:", "flexnet.timezone", "is not the name of a time zone; did you mean 'Europe/Berlin'?"],
        ),
        ("flexnet:\n  reports: [{name: a}, {name: a}]\n", [":1:", "listed twice"]),
        ("flexnet:\n  reports: [{name: a}]\n  reports: [{name: b}]\n", [":3:", "given twice", "line 2"]),
        (
            "flexnet:\n  reports:\n    - name: a\n      checks: {not_emty: true}\n",
            [":4:", "checks.not_emty", "did you mean 'not_empty'"],
        ),
        ("flexnet:\n  reports:\n   - name: [a\n", ["not valid YAML"]),
        ("flexnet:\n  reports:\n    - name: ../up\n", [":3:", "name", "letters"]),
        ("flexnet:\n  window_overlap_days: 1\n  reports: [{name: a}]\n", [":1:", "night_column", "'a'"]),
        ("- a\n", [":1:", "expected sections"]),
    ],
)
def test_a_mistake_names_file_line_field_and_the_nearest_valid_value(read, text: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    for part in ["reports.yaml", *told]:
        assert part in str(caught.value)


def test_all_mistakes_are_told_at_once(read) -> None:
    with pytest.raises(ConfigError) as caught:
        read("flexnet:\n  reports:\n    - name: a\n      page_size: 0\n      formt: csv\n")
    assert len(str(caught.value).splitlines()) == 2


def test_a_mistake_in_one_section_breaks_no_other(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text(SOUND + "tokenflex:\n  nonsense: true\n")
    assert read_section("flexnet", FlexNet, folder=tmp_path) is not None


def test_a_missing_file_says_how_to_name_another_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="NIGHTSHIFT_CONFIG"):
        read_section("flexnet", FlexNet, folder=tmp_path / "none")


@pytest.mark.parametrize("lake", ["{}/lake", "lake", "file://{}/a%20b", "file://localhost{}/lake", "~/lake"])
def test_what_was_right_is_kept_in_the_folder_of_the_lake(
    lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NIGHTSHIFT_KEPT", raising=False)
    monkeypatch.setenv("NIGHTSHIFT_LAKE", lake.format(tmp_path))
    folder = Lake.from_url(lake.format(tmp_path)).folder
    assert folder is not None
    assert kept_folder() == folder / "configuration"


@pytest.mark.parametrize("lake", ["s3://bucket/lake", "file:/srv/lake", "s3:/bucket/lake", "file://data/lake"])
def test_where_the_lake_is_no_folder_it_is_kept_in_the_home_of_airflow(
    lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NIGHTSHIFT_KEPT", raising=False)
    monkeypatch.setenv("NIGHTSHIFT_LAKE", lake)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert kept_folder() == tmp_path / "nightshift"
