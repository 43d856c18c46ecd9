"""What the provider knows of Exago BI; read in every process of Airflow, so it loads nothing else of the room."""

from __future__ import annotations

from nightshift.vendor import ReportSource, Vendor, mapping, text

TREE, CHANGES, FOLDERS = "tree", "tree_changes", "folders"
"""The tables of the catalog, and the task that makes declared folders."""
EXAGO = Vendor(
    type="exago",
    name="Exago BI",
    docs="https://exagobi.com/support/administrators/rest-web-service-api/",
    hook="hook.ExagoHook",
    behaviour={
        "relabeling": {"host": "Web service URL", "login": "User id", "password": "REST key", "schema": "Scheme"},
        "placeholders": {"host": "https://bi.example.com/ExagoWebApi", "login": "may be empty", "schema": "https"},
    },
    fields={
        "auth": text(
            "Authorization",
            "basic, or exagokey: each request signed (HMAC).",
            enum=["basic", "exagokey", None],
            default="basic",
        ),
        "separator": text(
            "Path separator",
            "Between levels in request bodies: a backslash (default), or / from 2020.1.",
            enum=["\\", "/", None],
        ),
        "config": text(
            "Configuration", "Configuration file of the server without .xml; letters count. Empty: the server's own."
        ),
        "storage_identity": mapping(
            "Storage identity",
            "Whom to act as, from 2020.1: sent to StorageMgmt with each session, such as IsAdmin and Identities.",
        ),
        "session": mapping("Session", "Properties that are sent when a session is opened."),
    },
    operators=("operators", "folder_operators", "promote_operator"),
    reports=ReportSource(dag_id="exago_catalog", model="configuration.Exago", own_reports=(TREE, CHANGES)),
)
