"""What a redirect within the vendor's own host may not lose: what was asked for. And what one says of a change: that it
was not taken, and where it belongs.
"""

from __future__ import annotations

import pytest

from include.standins.scripted import Scripted, answer
from nightshift.errors import BadResponse, Redirected
from tests.unit.http.acme import MakeHook

ASKED = {"dateFrom": "2026-11-21", "status": ["open", "closed"], "note": "a b+c&d", "all": ""}


@pytest.mark.parametrize(
    "query",
    [
        "dateFrom=2026-11-21&status=open&status=closed&note=a%20b%2Bc%26d&all=",
        "all=&status=closed&status=open&note=a+b%2bc%26d&dateFrom=2026%2D11%2D21",
        "lang=en&dateFrom=2026-11-21&status=open&status=closed&note=a%20b%2Bc%26d&all&page=1#top",
    ],
)
async def test_a_redirect_that_keeps_what_was_asked_for_is_followed(
    vendor: Scripted, connect: MakeHook, query: str
) -> None:
    vendor.plays(answer(308, Location=f"/v2/rows?{query}"), answer(body=b"[1]"))
    async with connect() as hook:
        assert (await hook.request("GET", "/v1/rows", params=ASKED)).json() == [1]
    assert vendor.seen[1].target == f"/v2/rows?{query.partition('#')[0]}"


@pytest.mark.parametrize(
    ("query", "lost"),
    [
        ("", "dateFrom, status, note, a part without a value"),
        ("?dateFrom=2026-11-21&status=open&note=a%20b%2Bc%26d&all=", "status"),
        ("?dateFrom=2026-11-22&status=open&status=closed&note=a%20b%2Bc%26d&all=", "dateFrom"),
        ("?dateFrom=2026-11-21&status=open&status=closed&note=a%20b+c%26d&all=", "note"),
        ("?to=%2Fv1%2Frows%3FdateFrom%3D2026-11-21&status=open&status=closed&note=a%20b%2Bc%26d&all=", "dateFrom"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_that_loses_some_of_it_is_refused_and_tells_what(
    vendor: Scripted, connect: MakeHook, status: int, query: str, lost: str
) -> None:
    vendor.plays(answer(status, Location=f"/v2/rows{query}"), answer(body=b"[1]"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match="host of the Airflow connection") as caught:
            await hook.request("GET", "/v1/rows", params=ASKED)
    assert f"a redirect leaves out what the request asks for: {lost} (GET /v1/rows, status {status}" in str(
        caught.value
    )
    assert len(vendor.seen) == 1


async def test_a_blank_in_the_path_of_a_redirect_is_taken_as_it_is_meant(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(301, Location="/v2/My Reports/a b?day=1"), answer(body=b"[1]"))
    async with connect() as hook:
        assert (await hook.request("GET", "/v1/My Reports/a b", params={"day": 1})).json() == [1]
    assert vendor.seen[1].target == "/v2/My%20Reports/a%20b?day=1"


@pytest.mark.parametrize("location", ["", "/rows?day=1", "?day=1", "#top"])
async def test_redirects_to_themselves_tell_so(vendor: Scripted, connect: MakeHook, location: str) -> None:
    vendor.plays(answer(302, Location=location, Set_Cookie="seen=1"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match=r"the last one to where it came from.* wants a cookie"):
            await hook.request("GET", "/rows", params={"day": 1})
    assert len(vendor.seen) == 6


async def test_what_is_lost_on_the_second_hop_is_seen(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(301, Location="/b?day=1"), answer(301, Location="/c"), answer(body=b"[1]"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match="leaves out what the request asks for: day"):
            await hook.request("GET", "/a", params={"day": 1})
    assert [seen.target for seen in vendor.seen] == ["/a?day=1", "/b?day=1"]


async def test_no_value_is_told(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(301, Location="/rows?cursor=other-secret"))
    async with connect() as hook:
        with pytest.raises(BadResponse) as caught:
            await hook.request("GET", "/rows?eyJhbGciOi&cursor=opaque-11", params={"access_token": "t0ken"})
    told = str(caught.value)
    assert "asks for: a part without a value, cursor, access_token" in told
    assert not [secret for secret in ("eyJhbGciOi", "opaque-11", "other-secret", "t0ken") if secret in told]


@pytest.mark.parametrize("status", [301, 307, 308])
@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("https://fd.example.com/rest/build?sid=s3cret", " to https://fd.example.com,"),
        ("https://ann:pw@fd.example.com:8443/s3cret", " to https://fd.example.com:8443,"),
        ("/elsewhere;jsessionid=s3cret", " to {home},"),
        ("https://[bad", " to something that is not a URL,"),
        (None, ","),
    ],
)
async def test_a_change_that_is_sent_elsewhere_was_not_taken(
    vendor: Scripted, connect: MakeHook, status: int, location: str | None, where: str
) -> None:
    vendor.plays(answer(status, **({} if location is None else {"Location": location})))
    async with connect() as hook:
        with pytest.raises(Redirected) as caught:
            await hook.request("POST", "/build", json={})
    told = str(caught.value)
    assert f"redirects this request{where.format(home=vendor.url)} which is not followed" in told
    assert "Put the final address into the host of the Airflow connection, then clear the task." in told
    assert not [secret for secret in ("s3cret", "pw@", "ann") if secret in told]
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("status", [302, 303])
async def test_behind_another_redirect_may_be_what_a_change_has_done(
    vendor: Scripted, connect: MakeHook, status: int
) -> None:
    vendor.plays(answer(status, Location="/jobs/7"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match=f"redirects this request to {vendor.url}"):
            await hook.request("POST", "/build", json={})
    assert len(vendor.seen) == 1


async def test_what_changes_nothing_says_where_it_belongs_too(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(308, Location="https://fd.example.com/search"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match=r"to https://fd\.example\.com,.*Put the final address into the host"):
            await hook.request("POST", "/search", json={}, safe=True)
    assert len(vendor.seen) == 1


async def test_a_download_is_led_to_its_file(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(302, Location="/files/7.csv"), answer(body=b"a,b\n"))
    async with connect() as hook, hook.stream("GET", "/download?id=7") as download:
        assert b"".join([chunk async for chunk in download]) == b"a,b\n"
