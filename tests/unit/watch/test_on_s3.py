"""The watch on an object store, over a real socket: listings from a night on, and conditions that hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.watch.incident import IncidentKind
from nightshift.watch.incidents import Incidents
from nightshift.watch.once import watch_once
from tests.published import publish_night
from tests.unit.lake.test_s3 import bucket, endpoint  # noqa: F401 - fixtures
from tests.unit.watch.looks import NIGHT, at
from tests.unit.watch.test_incidents import incident


async def test_a_listing_begins_at_a_night(bucket: Lake) -> None:  # noqa: F811
    for night in ("2026-11-01", "2026-11-20", "2026-11-27"):
        assert await Incidents(bucket).write(incident(night))
        assert not await Incidents(bucket).write(incident(night))
    assert [one.night for one in (await Incidents(bucket).read("2026-11-20")).incidents] == ["2026-11-20", "2026-11-27"]
    # One after the other: the server that stands in for S3 looks and writes in two steps, S3 in one.
    claims = [await Incidents(bucket).claim(incident(), 1, "team", at("06:00")) for _ in range(3)]
    assert claims == [1, None, None]


def test_a_night_is_missing_until_it_is_there(
    bucket: Lake,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text(
        f"flexnet: {{due: '06:00', reports: [{{name: usage, since: {NIGHT}}}, {{name: user, since: {NIGHT}}}]}}\n"
    )
    publish_night(bucket, "flexnet/user", NIGHT)
    looks = [watch_once(bucket, by="dag", folder=tmp_path, now=at("06:00")) for _ in range(3)]
    assert sum(len(look.changed) for look in looks) == 1
    (one,) = next(look.open for look in looks if look.changed)
    assert (one.subject.name, one.kind) == ("flexnet/usage", IncidentKind.MISSING)
    publish_night(bucket, "flexnet/usage", NIGHT)
    assert watch_once(bucket, by="dag", folder=tmp_path, now=at("06:30")).exit_code == 0
