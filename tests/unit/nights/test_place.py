"""Where the lake is said to be, and what a person reads where that cannot be."""

from __future__ import annotations

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from nightshift.lake.errors import UnfitStore
from nightshift.nights.place import lake_of_this_deployment
from nightshift.retries import VendorRetryPolicy


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("/lakes/feature%2Flogin", "'%2F' in it"),
        ("ftp://host/lake", "cannot be at ftp://"),
        ("s3://bucket/a?b=c", "'?' or '#'"),
    ],
)
def test_a_lake_that_cannot_be_is_told_with_the_setting_and_never_tried_again(
    monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", url)
    with pytest.raises(UnfitStore, match=r"^NIGHTSHIFT_LAKE: ") as found:
        lake_of_this_deployment()
    assert told in str(found.value)
    assert str(found.value).endswith("then clear the task.")
    decision = VendorRetryPolicy().evaluate(found.value, 1, 3)
    assert decision.action is RetryAction.FAIL
    assert decision.reason == str(found.value)
