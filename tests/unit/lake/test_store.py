from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nightshift.lake.errors import UnfitStore
from nightshift.lake.store import Lake, night_segment, segment


def test_a_path_becomes_an_absolute_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Lake.from_url("my lake").url == (tmp_path / "my lake").as_uri()
    assert Lake.from_url(f"file://{tmp_path}/x/").url == (tmp_path / "x").as_uri()
    assert Lake.from_url("my lake").is_local


@pytest.mark.parametrize(
    ("given", "url", "connection"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b", None),
        ("s3://my_aws@bucket/x", "s3://bucket/x", "my_aws"),
        ("gs://my%2Dgoogle@bucket", "gs://bucket", "my-google"),
        ("abfss://container@account.dfs.core.windows.net/x", "abfss://container@account.dfs.core.windows.net/x", None),
    ],
)
def test_a_connection_is_kept_apart_from_the_url(given: str, url: str, connection: str | None) -> None:
    lake = Lake.from_url(given)
    assert (lake.url, lake.connection_id) == (url, connection)


def test_secrets_are_never_shown() -> None:
    lake = Lake.from_url("s3://bucket", {"AWS_SECRET_ACCESS_KEY": "hush"})
    assert "hush" not in repr(lake)
    assert lake.table_options() == {"aws_secret_access_key": "hush"}
    with pytest.raises(ValueError, match="password") as refused:
        Lake.from_url("s3://user:hush@bucket/x")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("wrong", ["http://x/y", "s3:///x", "s3://@bucket/x"])
def test_what_is_no_lake_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="lake"):
        Lake.from_url(wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("file:/srv/lake", "begins with file:/, .* write file:///, or the path alone"),
        ("file:lake", "begins with file:"),
        ("s3:/bucket/lake", "begins with s3:/, which is a folder of that name here; write s3://"),
        ("S3:bucket", "write s3://"),
        ("hdfs:/lake", "write hdfs://"),
        ("file://data/lake", "the name of a machine, 'data', .* write file:///data/lake, or the path alone"),
        ("file://lake", "write file:///lake"),
        ("file://ada:hush@nas/lake", "'nas'"),
        ('"/srv/lake"', "begins or ends with '\"'"),
        ("$HOME/lake", r"begins or ends with '\$'"),
        (" /srv/lake", "begins or ends with ' '"),
        ("/srv/lake\n", r"begins or ends with '\\n'"),
        ("~nobody-of-that-name/lake", "there is no such home; write the path itself"),
    ],
)
def test_what_would_be_taken_for_another_place_is_refused(wrong: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        Lake.from_url(wrong)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("given", ["lake", "./lake", "a:b/lake", "data lake's", "file://localhost{}/lake", "~/lake"])
def test_a_folder_is_the_one_that_is_named(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = Lake.from_url(given.format(tmp_path)).folder
    wanted = given.removeprefix("file://localhost{}/").removeprefix("~/")
    assert folder == tmp_path / wanted


@pytest.mark.parametrize("name", ["lake house", "a#b", "a?b", "100%", "ü 日本", "a+b&c=d;e"])
async def test_a_folder_of_any_name_holds_a_lake(tmp_path: Path, name: str) -> None:
    from nightshift.lake.spec import PublishSpec
    from nightshift.lake.tables import publish
    from tests.unit.lake.conftest import land_night, read_table

    lake = Lake.from_url(str(tmp_path / name))
    for extract in ("first", "second"):
        publish(lake, await land_night(lake, [[{"id": extract}]], extract=extract), PublishSpec())
    assert [row["id"] for row in read_table(lake)] == ["second"]
    assert (tmp_path / name / "tables" / "flexnet" / "entitlement" / "_delta_log").is_dir()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("/lakes/feature%2Flogin", "'%2F' in it.*symbolic link"),
        ("file:///lakes/a%2520b", "'%20' in it"),
        ("/lakes/[a]", "'\\[' in it"),
        ("s3://bucket/a%20b", "'%20' in it"),
        ("s3://bucket/a?b", r"has a '\?' or '#'"),
        ("file:///lakes/a#b", r"has a '\?' or '#'"),
    ],
)
def test_a_path_that_would_be_two_is_refused(wrong: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Lake.from_url(wrong)


def test_a_lake_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        UnfitStore, match=r"cannot be written: the folder .*file/lake/raw is not there .*NIGHTSHIFT_LAKE"
    ):
        Lake.from_url(str(tmp_path / "file" / "lake")).objects("raw")


@pytest.mark.parametrize("wrong", ["", "..", "a/b", ".hidden", "a b", "a\n", "x" * 129, "ü"])
def test_names_are_safe_parts_of_a_path(wrong: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        segment(wrong, "report")


@pytest.mark.parametrize("wrong", ["2026-02-30", "20261121", "2026-11-21/..", ""])
def test_a_night_is_a_day(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"night|isoformat|day"):
        night_segment(wrong)


def test_records_are_nothing_for_strangers(tmp_path: Path) -> None:
    lake = Lake.from_url(str(tmp_path / "lake"))
    (tmp_path / "lake" / "promotions").mkdir(parents=True, mode=0o777)  # as an earlier version left it
    for path in (("promotions", "portal"), ("claims", "promotions", "portal"), ("raw", "flexnet")):
        lake.objects(*path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "lake").iterdir()}
    assert modes["promotions"] & 0o007 == modes["claims"] & 0o007 == 0
    assert modes["promotions"] & 0o700 == modes["claims"] & 0o700 == 0o700
    assert modes["raw"] & 0o007
    assert (tmp_path / "lake" / "promotions" / "portal").is_dir()


READS_AND_ENDS = """
import asyncio, os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from nightshift.lake import objects
from nightshift.lake.store import Lake
store = Lake.from_url(sys.argv[1]).objects("x")
assert asyncio.run(objects.aread(store, "a")) == b"here"
"""


def test_a_process_may_end_right_after_its_last_answer(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_bytes(b"here")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", READS_AND_ENDS, str(tmp_path)]
    ended = [subprocess.run(command, env=environment, timeout=60, check=False).returncode for _ in range(16)]
    assert ended == [0] * 16
