"""Where the lake is, and what its reports are called among Airflow's assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseHook

from nightshift.errors import Rejected
from nightshift.lake.errors import UnfitStore
from nightshift.settings import ConfigError, lake_url

if TYPE_CHECKING:
    from nightshift.lake.store import Lake


def report_asset(source: str, report: str) -> Asset:
    """Return the asset of a report's table; its events carry the night as partition key.

    :param source: connection type of the source, for instance ``flexnet``
    """
    return Asset(name=f"{source}/{report}", uri=f"x-nightshift://{source}/{report}", group="nightshift")


def lake_of_this_deployment() -> Lake:
    """Return the lake that ``NIGHTSHIFT_LAKE`` names. It may look up a connection, which blocks: call it in a task, or
    in a thread of the API server, where the connection comes from the metadata database or the environment.

    ``s3://my_aws@bucket/prefix`` takes key, secret, region and endpoint from the Airflow connection ``my_aws``;
    ``s3://bucket/prefix`` takes the standard environment of the object store.
    """
    lake = _lake()
    if lake.connection_id is None:
        return lake
    return _lake(store_options(BaseHook.get_connection(lake.connection_id)))


async def alake_of_this_deployment() -> Lake:
    """Return the lake that ``NIGHTSHIFT_LAKE`` names, in a trigger; see :func:`lake_of_this_deployment`."""
    lake = _lake()
    if lake.connection_id is None:
        return lake
    return _lake(store_options(await BaseHook.aget_connection(lake.connection_id)))


def _lake(options: dict[str, str] | None = None) -> Lake:
    """Return the lake that ``NIGHTSHIFT_LAKE`` names.

    :raises UnfitStore: it names none
    """
    from nightshift.lake.store import Lake

    try:
        return Lake.from_url(lake_url(), options)
    except ConfigError:
        raise
    except ValueError as error:
        raise UnfitStore(
            f"NIGHTSHIFT_LAKE: {error}. Nothing was changed. Correct it in the environment of every Airflow process "
            "and worker, then clear the task."
        ) from None


def store_options(connection: Any) -> dict[str, str]:
    """Return an Airflow connection as options of the object store.

    :param connection: a connection of the type ``aws`` (login, password, extras ``region_name``, ``endpoint_url``,
        ``aws_session_token``), ``google_cloud_platform`` (extra ``key_path`` or ``keyfile_dict``) or ``wasb`` (login =
        account, password = key)
    :raises Rejected: a connection of another type
    """
    extra = connection.extra_dejson
    match connection.conn_type:
        case "aws" | "s3":
            endpoint = extra.get("endpoint_url") or (
                connection.host if connection.host and "://" in connection.host else None
            )
            found = {
                "aws_access_key_id": connection.login or extra.get("aws_access_key_id"),
                "aws_secret_access_key": connection.password or extra.get("aws_secret_access_key"),
                "aws_session_token": extra.get("aws_session_token"),
                "aws_region": extra.get("region_name"),
                "aws_endpoint": endpoint,
                "aws_allow_http": "true" if endpoint and endpoint.startswith("http://") else None,
            }
        case "google_cloud_platform":
            found = {
                "google_service_account": extra.get("key_path"),
                "google_service_account_key": extra.get("keyfile_dict"),
            }
        case "wasb" | "adls" | "azure":
            found = {
                "azure_storage_account_name": connection.login or connection.host,
                "azure_storage_account_key": connection.password,
            }
        case other:
            raise Rejected(
                f"the connection {connection.conn_id!r} of the lake is of the type {other!r}",
                vendor="lake",
                advice="Use a connection of the type aws, google_cloud_platform or wasb in NIGHTSHIFT_LAKE, or none "
                "and the standard environment.",
            )
    return {name: str(value) for name, value in found.items() if value}
