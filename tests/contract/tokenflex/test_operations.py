"""Every endpoint against a Token Flex that was written from the vendor's reference alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.standins.tokenflex import TokenFlexStandIn
from include.standins.tokenflex.switches import GatewayBody, Stamps
from nightshift.errors import AuthFailed, NotFound, Rejected
from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.request import UsageRequest
from nightshift.tokenflex.responses import ExportState
from nightshift.tokenflex.vocabulary import Rule
from nightshift.tokenflex.where import all_of, days
from tests.contract.tokenflex.conftest import CONTRACT

StartVendor = Callable[..., TokenFlexStandIn]
TODAY = datetime.now(UTC).date()
USAGE = UsageRequest(
    fields=("usageDate", "userName"),
    metrics=("tokensConsumed",),
    categories=("DESKTOP_PRODUCT",),
    where=all_of(*days("usageDate", TODAY - timedelta(days=12), TODAY - timedelta(days=6))),
)


async def test_contracts_enrichment_values_and_last_are_read(vendor_with: StartVendor) -> None:
    vendor_with()
    async with TokenFlexHook() as hook:
        assert CONTRACT in [one["contractNumber"] for one in await hook.contracts()]
        assert (await hook.contract(CONTRACT))["contractYears"]
        assert await hook.enrichment(CONTRACT)
        assert await hook.enrichment_values(CONTRACT, "customField1") is not None
        assert await hook.field_values(CONTRACT, "productName", category="DESKTOP_PRODUCT")
        assert {"lastUsageDate", "lastProcessDate"} <= set((await hook.usage_last(CONTRACT))[0])
        assert "this user sees" in await hook.check()


@pytest.mark.parametrize("stamps", list(Stamps))
async def test_an_export_lives_from_its_request_to_its_end(vendor_with: StartVendor, stamps: Stamps) -> None:
    vendor = vendor_with(stamps=stamps, processing_seconds=30)
    async with TokenFlexHook() as hook:
        made = await hook.create_export(CONTRACT, replace(USAGE, file_name="usage of a week"))
        assert (made.state, made.download_file_name) == (ExportState.REQUESTED, "usage of a week.csv")
        listed = await hook.exports(CONTRACT, TODAY - timedelta(days=1), TODAY + timedelta(days=2))
        assert [one.request_key for one in listed] == [made.request_key]
        vendor.clock.advance(60)
        export = await hook.export(CONTRACT, made.request_key)
        assert export.state is ExportState.READY
        assert export.link_ends() is not None
        assert export.asked_at() == pytest.approx(datetime.now(UTC).timestamp(), abs=120)
        again = await hook.refresh_url(CONTRACT, made.request_key)
        assert again.download_url != export.download_url
        await hook.retry_export(CONTRACT, made.request_key)
        await hook.delete_export(CONTRACT, made.request_key)
        with pytest.raises(NotFound):
            await hook.export(CONTRACT, made.request_key)
    assert len(vendor.ledger.effects(kind="export_created")) == 1


async def test_a_query_is_polled_and_paged(vendor_with: StartVendor) -> None:
    vendor_with()
    async with TokenFlexHook() as hook:
        pages = [page async for page in hook.query(CONTRACT, USAGE, limit=50, pause=0.05)]
    rows = [row for page in pages for row in page.rows]
    assert len(rows) == pages[0].total
    assert len(pages) > 1
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    "asked",
    [
        {"fields": ("chargedItemID",)},
        {"fields": ("chargedItemID",), "categories": ("DESKTOP_PRODUCT", "CLOUD_PRODUCT")},
        {"fields": ("chargedItemID",), "metrics": ("useCount",), "categories": ("DESKTOP_PRODUCT",)},
        {"fields": ("userName",), "where": "not userName = 'ann'"},
        {"fields": ("userName",), "where": "userName LIKE 'b%'"},
        {"fields": ("userName",), "where": "usageType LIKE 'Norm%'"},
        {},
    ],
)
async def test_what_is_refused_here_the_vendor_refuses_too(
    vendor_with: StartVendor, asked: dict[str, tuple[str, ...]]
) -> None:
    vendor = vendor_with()
    with pytest.raises(Rejected):
        UsageRequest(**asked)  # type: ignore[arg-type]
    async with TokenFlexHook() as hook:
        request = UsageRequest(**asked, skip_rules=frozenset(Rule))  # type: ignore[arg-type]
        with pytest.raises(Rejected) as caught:
            await hook.create_export(CONTRACT, request)
    assert caught.value.status == 400
    assert vendor.ledger.effects(kind="export_created") == []


@pytest.mark.parametrize("body", list(GatewayBody))
async def test_a_refused_token_is_told_whatever_the_body(vendor_with: StartVendor, body: GatewayBody) -> None:
    vendor_with(bearer_accepted=False, gateway_body=body)
    async with TokenFlexHook() as hook:
        with pytest.raises(AuthFailed):
            await hook.contracts()
