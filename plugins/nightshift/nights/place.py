"""Where the lake is, and what its reports are called among Airflow's assets."""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def lake_to_look_at() -> Lake:
    """Return the lake that ``NIGHTSHIFT_LAKE`` names, for who makes none: a folder that is not there is one that is not
    mounted, or mistyped, until a task has made it. Blocks; see :func:`lake_of_this_deployment`.

    :raises UnfitStore: the folder is not there
    """
    lake = lake_of_this_deployment()
    if lake.folder is not None and not lake.folder.is_dir():
        raise UnfitStore(
            f"The lake could not be looked at: there is no folder {lake.folder}. Nothing was made. Mount it, or "
            "correct NIGHTSHIFT_LAKE; where the lake is new, make the folder, as its first task would."
        )
    return lake


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


_NOT_TAKEN = {
    "aws": ("role_arn", "profile_name", "session_kwargs"),
    "google_cloud_platform": ("credential_config_file", "key_secret_name", "impersonation_chain"),
    "wasb": ("connection_string", "managed_identity_client_id", "workload_identity_tenant_id"),
}
"""Extras by which Airflow's hooks sign in, and the library of the store does not: another identity would be taken."""
_ALIKE = {"s3": "aws", "adls": "wasb", "azure": "wasb"}


def store_options(connection: Any) -> dict[str, str]:
    """Return an Airflow connection as options of the object store.

    :param connection: a connection of the type ``aws`` (login, password, extras ``region_name``, ``endpoint_url`` or
        that of ``service_config.s3``, ``aws_session_token``), ``google_cloud_platform`` (extra ``key_path`` or
        ``keyfile_dict``, ``is_anonymous``) or ``wasb`` (login = account, password = key or extra ``sas_token``; with
        extra ``tenant_id`` login = client id, password = its secret, host = account)
    :raises Rejected: a connection of another type, or one that signs in by what the store's library does not take
    """
    extra = connection.extra_dejson
    kind = _ALIKE.get(connection.conn_type, connection.conn_type)
    if unknown := [name for name in _NOT_TAKEN.get(kind, ()) if _said(extra, name)]:
        raise Rejected(
            f"the connection {connection.conn_id!r} of the lake signs in by {unknown[0]}, which the object store's "
            "library does not take",
            vendor="lake",
            advice="Give keys in the connection, or give the workers that identity itself and name no connection in "
            "NIGHTSHIFT_LAKE: the library then takes that of the environment, the machine or the pod.",
        )
    match kind:
        case "aws":
            found = _aws(connection, extra)
        case "google_cloud_platform":
            key = extra.get("keyfile_dict")
            found = {
                "google_service_account": extra.get("key_path"),
                "google_service_account_key": json.dumps(key) if isinstance(key, dict) else key,
                "google_skip_signature": "true" if extra.get("is_anonymous") else None,
            }
        case "wasb":
            found = _azure(connection, extra)
        case other:
            raise Rejected(
                f"the connection {connection.conn_id!r} of the lake is of the type {other!r}",
                vendor="lake",
                advice="Use a connection of the type aws, google_cloud_platform or wasb in NIGHTSHIFT_LAKE, or none "
                "and the standard environment.",
            )
    return {name: str(value) for name, value in found.items() if value}


def _said(extra: Mapping[str, Any], name: str) -> Any:
    """Return an extra, also as older versions of the providers have written it: ``extra__wasb__tenant_id``."""
    return extra.get(name) or next((value for key, value in extra.items() if key.endswith(f"__{name}")), None)


def _aws(connection: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
    services = extra.get("service_config")
    of_s3 = services.get("s3") if isinstance(services, Mapping) else None
    host = connection.host if connection.host and "://" in connection.host else None
    endpoint = (of_s3.get("endpoint_url") if isinstance(of_s3, Mapping) else None) or extra.get("endpoint_url") or host
    return {
        "aws_access_key_id": connection.login or extra.get("aws_access_key_id"),
        "aws_secret_access_key": connection.password or extra.get("aws_secret_access_key"),
        "aws_session_token": extra.get("aws_session_token"),
        "aws_region": extra.get("region_name"),
        "aws_endpoint": endpoint,
        "aws_allow_http": "true" if endpoint and endpoint.lower().startswith("http://") else None,
    }


def _azure(connection: Any, extra: Mapping[str, Any]) -> dict[str, Any]:
    host = (connection.host or "").rpartition("://")[2].partition("/")[0].partition(".")[0]
    if tenant := _said(extra, "tenant_id"):
        return {
            "azure_storage_account_name": host,
            "azure_storage_tenant_id": tenant,
            "azure_storage_client_id": connection.login,
            "azure_storage_client_secret": connection.password,
        }
    return {
        "azure_storage_account_name": connection.login or host,
        "azure_storage_account_key": connection.password or _said(extra, "shared_access_key"),
        # Airflow takes it as a URL, too.
        "azure_storage_sas_token": str(_said(extra, "sas_token") or "").rpartition("?")[2],
    }
