"""Where the lake is said to be, and what a person reads where that cannot be."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection
from airflow.sdk.definitions.retry_policy import RetryAction

from nightshift.errors import Rejected
from nightshift.lake.errors import UnfitStore
from nightshift.nights.place import lake_of_this_deployment, store_options
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


def made(kind: str, login: str | None = None, password: str | None = None, host: str | None = None, **extra: object):
    given = {"conn_type": kind, "login": login, "password": password, "host": host, "extra": json.dumps(extra)}
    return Connection(conn_id="lake", **given)


AWS_KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
GOOGLE_KEY = {"type": "service_account", "private_key": "-----BEGIN-----\\nhush", "client_email": "a@b"}


@pytest.mark.parametrize(
    ("connection", "options"),
    [
        (
            made("aws", "AKIA", "hush", service_config={"s3": {"endpoint_url": "HTTP://minio:9000"}}),
            {**AWS_KEYS, "aws_endpoint": "HTTP://minio:9000", "aws_allow_http": "true"},
        ),
        (
            made("aws", "AKIA", "hush", endpoint_url="https://s3.example.com", region_name="eu-central-1"),
            {**AWS_KEYS, "aws_endpoint": "https://s3.example.com", "aws_region": "eu-central-1"},
        ),
        (
            made("google_cloud_platform", keyfile_dict=GOOGLE_KEY),
            {"google_service_account_key": json.dumps(GOOGLE_KEY)},
        ),
        (
            made("google_cloud_platform", keyfile_dict=json.dumps(GOOGLE_KEY)),
            {"google_service_account_key": json.dumps(GOOGLE_KEY)},
        ),
        (made("google_cloud_platform", is_anonymous=True), {"google_skip_signature": "true"}),
        (made("wasb", "acme", "hush"), {"azure_storage_account_name": "acme", "azure_storage_account_key": "hush"}),
        (
            made("wasb", host="https://acme.blob.core.windows.net/", sas_token="https://acme.blob/?sv=1&sig=hush"),
            {"azure_storage_account_name": "acme", "azure_storage_sas_token": "sv=1&sig=hush"},
        ),
        (
            made("adls", "client", "hush", "acme", extra__adls__tenant_id="tenant"),
            {
                "azure_storage_account_name": "acme",
                "azure_storage_tenant_id": "tenant",
                "azure_storage_client_id": "client",
                "azure_storage_client_secret": "hush",
            },
        ),
    ],
)
def test_a_connection_says_all_that_the_store_can_take(connection: Connection, options: dict[str, str]) -> None:
    assert store_options(connection) == options


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        (made("aws", "AKIA", "hush", role_arn="arn:aws:iam::1:role/x"), "role_arn"),
        (made("s3", profile_name="prod"), "profile_name"),
        (made("google_cloud_platform", impersonation_chain="a@b"), "impersonation_chain"),
        (made("wasb", connection_string="AccountName=acme;AccountKey=hush"), "connection_string"),
        (made("wasb", extra__wasb__workload_identity_tenant_id="t"), "workload_identity_tenant_id"),
    ],
)
def test_what_would_sign_in_as_somebody_else_is_refused(connection: Connection, told: str) -> None:
    with pytest.raises(Rejected, match=f"signs in by {told}, .* name no connection in NIGHTSHIFT_LAKE") as refused:
        store_options(connection)
    assert "hush" not in str(refused.value)
