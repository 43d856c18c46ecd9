from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from nightshift.lake.store import Lake
from nightshift.promotion.page import image_path, page, svg
from nightshift.promotion.page.headers import allows
from nightshift.promotion.record import PromotionOutcome, StepKind, StepState
from nightshift.promotion.store import Records
from tests.unit.promotion.page.conftest import BASE, browser, stored
from tests.unit.promotion.page.one_hidden import HIDDEN
from tests.unit.promotion.page.records import ONE, STAGES, TWO, deploy, promoted, record, run_of, runs, step

EVIL = "<script>alert(1)</script>"
RUN_LINK = "../../dags/promote_portal/runs/asset_triggered__2026-11-21T22%3A00%3A00%2B00%3A00_x"


def said(answer: httpx.Response) -> str:
    """Return what a page says, without its tags and its style."""
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", answer.text, flags=re.DOTALL)
    return " ".join(text.split())


@pytest.mark.parametrize("path", ["", "portal", "portal/versions.svg", "unknown", "unknown/versions.svg"])
async def test_anonymous_gets_nothing(app: Any, lake: Lake, path: str) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    async with browser(app) as client:
        answer = await client.get(path)
    assert answer.status_code == 401
    assert "1.1" not in answer.text


async def test_who_may_not_read_the_dag_sees_nothing_of_the_application(app: Any, ada: Any, lake: Lake) -> None:
    async with browser(app, "eve", "VIEWER") as eve:
        assert (await eve.get("portal")).status_code == 200
        for path in (HIDDEN, f"{HIDDEN}/versions.svg"):
            assert (await eve.get(path)).status_code == 403
        overview = await eve.get("")
    assert overview.status_code == 200
    assert HIDDEN not in overview.text
    assert HIDDEN in (await ada.get("")).text


async def test_a_mistake_of_an_application_is_shown_to_who_may_read_it(
    app: Any, ada: Any, lake: Lake, config: Path
) -> None:
    (config / "promotions.yaml").write_text(f"{HIDDEN}:\n  bild: 1\n")
    await Records(lake, HIDDEN).write(promoted(1, ONE).changed(application=HIDDEN))
    async with browser(app, "eve", "VIEWER") as eve:
        assert "bild" not in (await eve.get("")).text
    for path in ("", HIDDEN):
        text = said(await ada.get(path))
        assert f"promotions.yaml:2: {HIDDEN}.bild: unknown field" in text
        assert "1.1" in text


async def test_a_file_that_cannot_be_read_is_told(ada: Any, lake: Lake, config: Path) -> None:
    (config / "promotions.yaml").write_text("[portal\n")
    answers = [await ada.get(path) for path in ("", "portal", "portal/versions.svg")]
    assert [one.status_code for one in answers] == [200, 503, 200]
    assert all("not valid YAML" in said(one) for one in answers)


async def test_unknown_applications_and_pages_are_not_found(ada: Any, lake: Lake) -> None:
    answer = await ada.get("unknown")
    assert answer.status_code == 404
    assert "no such application" in answer.text
    image = await ada.get("unknown/versions.svg")
    assert (image.status_code, image.headers["content-type"]) == (404, "image/svg+xml")
    assert "no such application" in image.text
    assert [(await ada.get(path)).status_code for path in ("docs", "openapi.json", "a/b/c")] == [404, 404, 404]


async def test_the_overview_shows_versions_runs_and_outcomes(ada: Any, lake: Lake) -> None:
    records = Records(lake, "portal")
    await records.write(promoted(1, ONE, outcome=PromotionOutcome.PROMOTED))
    approve = step("TEST.approve", StepKind.APPROVAL, 130, StepState.STARTED)
    before = {stage: runs(ONE, 71, 1) for stage in STAGES}
    await records.write(record(2, deploy("DEV", TWO, 121), approve, outcome=None, before=before))
    answer = await ada.get("")
    text = said(answer)
    assert "DEV TEST Underway Last outcome portal 1.2 id 2, run since 2026-11-21 00:02 UTC 1.1 id 1, run" in text
    assert "night 2026-11-21 , run TEST.approve since 2026-11-21 00:10 UTC promoted night 2026-11-20 , run" in text
    assert f'href="{RUN_LINK}"' in answer.text
    assert str(httpx.URL(f"{BASE}/nightshift/promotions/").join(RUN_LINK)).startswith(
        f"{BASE}/dags/promote_portal/runs/"
    )


async def test_the_page_of_an_application_tells_all_of_its_records(ada: Any, lake: Lake) -> None:
    steps = (
        step(
            "build", StepKind.BUILD, 60, outcome="built", version=ONE, requests=(501,), url="https://fd.test/x?a=1&b=2"
        ),
        step(
            "TEST.approve", StepKind.APPROVAL, 70, StepState.REJECTED, outcome="Reject", by="grace", detail="Not today."
        ),
        step("DEV.deploy", StepKind.DEPLOY, 65, version=ONE, requests=(502, 503), url="javascript:alert(1)", attempt=2),
    )
    await Records(lake, "portal").write(
        record(1, *steps, outcome=PromotionOutcome.REJECTED, reason="TEST was rejected by grace", by="ada", version=ONE)
    )
    answer = await ada.get("portal")
    text = said(answer)
    assert "The &lt;portal&gt;. promote_portal" in text
    assert "rejected night 2026-11-20 , 1.1 id 1 , by ada, 2026-11-20 23:00 UTC" in text
    assert f"Run {run_of(1)} Asked for by ada" in text
    assert "Why TEST was rejected by grace" in text
    assert "build done built 1.1 id 1 501 2026-11-20 23:00 UTC 2026-11-20 23:01 UTC" in text
    assert "TEST.approve rejected Reject grace 2026-11-20 23:10 UTC 2026-11-20 23:11 UTC Not today." in text
    assert "DEV.deploy attempt 2 done 1.1 id 1 502, 503" in text
    assert '<a href="https://fd.test/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">501</a>' in answer.text
    assert "javascript:" not in answer.text
    assert f'href="{RUN_LINK}"' in answer.text


async def test_shows_the_newest_thirty(ada: Any, lake: Lake) -> None:
    records = Records(lake, "portal")
    for number in range(33):
        await records.write(record(1, run_id=f"run-{number:02d}", outcome=PromotionOutcome.NO_CHANGES))
    assert (await ada.get("portal")).text.count("<details") == 30


async def test_whatever_a_record_says_is_text(ada: Any, lake: Lake) -> None:
    bad = ONE.changed(name=EVIL)
    steps = (
        deploy(
            "DEV", bad, 61, outcome=EVIL, detail=EVIL, by=EVIL, start_time=EVIL, url=f"https://x/{EVIL}", requests=(1,)
        ),
    )
    await Records(lake, "portal").write(
        record(
            1,
            *steps,
            run_id=f'run"{EVIL}',
            night=EVIL,
            by=EVIL,
            reason=EVIL,
            stages=(EVIL,),
            superseded_by=EVIL,
            version=bad,
        )
    )
    for path in ("", "portal", "portal/versions.svg"):
        text = (await ada.get(path)).text
        assert "<script" not in text
        assert 'run"' not in text


async def test_without_records_it_says_so(ada: Any, lake: Lake) -> None:
    assert "nothing deployed yet" in said(await ada.get(""))
    assert "There is no record of a promotion yet." in said(await ada.get("portal"))
    assert said(await ada.get("portal/versions.svg")).count("nothing yet") == 2


async def test_the_image_is_where_the_form_looks_for_it(app: Any, lake: Lake) -> None:
    await Records(lake, "portal").write(promoted(1, ONE))
    async with browser(app, "ada") as client:
        answer = await client.get(f"{BASE}/{image_path('portal')}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert "1.1" in [one.text for one in ElementTree.fromstring(answer.content).iter() if one.text]


@pytest.mark.parametrize("path", ["", "portal", "portal/versions.svg", "unknown"])
async def test_headers_keep_scripts_copies_and_foreign_frames_away(ada: Any, lake: Lake, path: str) -> None:
    answer = await ada.get(path)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = dict(one.strip().split(" ", 1) for one in answer.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'self'")
    assert "script-src" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, flags=re.DOTALL)
    assert style in (page.style(), svg.style())
    assert allows(style) in policy["style-src"]
    assert not re.search(r"<script|\bstyle=|\bon\w+=", answer.text)


async def test_a_lake_that_cannot_be_read_is_told_in_page_and_image(ada: Any, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    for path in ("", "portal", "portal/versions.svg"):
        answer = await ada.get(path)
        assert answer.status_code == 200
        assert "The lake cannot be written: the folder" in said(answer)


async def test_a_connection_that_is_not_there_is_told(ada: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "s3://nobody@bucket/prefix")
    for path in ("", "portal", "portal/versions.svg"):
        answer = await ada.get(path)
        assert answer.status_code == 200
        assert "nobody" in said(answer)


async def test_the_connection_of_the_lake_is_read_from_airflows_database(
    ada: Any, lake: Lake, object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        "aws_access_key_id": "key", "aws_secret_access_key": "hush-hush", "aws_region": "us-east-1",
        "aws_endpoint": object_store, "aws_allow_http": "true",
    }  # fmt: skip
    await Records(Lake.from_url("s3://lake/prefix", options), "portal").write(promoted(1, ONE))
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "s3://my_aws@lake/prefix")
    extra = json.dumps({"endpoint_url": object_store, "region_name": "us-east-1"})
    with stored(conn_id="my_aws", conn_type="aws", login="key", password="hush-hush", extra=extra):
        answers = [await ada.get(path) for path in ("", "portal", "portal/versions.svg")]
    assert all("1.1" in said(one) for one in answers)
    assert "hush" not in "".join(one.text for one in answers)
