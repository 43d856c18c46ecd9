"""What the provider knows of FlexNet Operations; read in every process of Airflow, so it loads nothing else of the
room.
"""

from __future__ import annotations

from nightshift.vendor import ReportSource, Vendor, text, whole

FLEXNET = Vendor(
    type="flexnet",
    name="FlexNet Operations",
    docs="https://fnoapi-da.redoc.ly/",
    hook="hook.FlexNetHook",
    behaviour={
        "relabeling": {"host": "Site id or URL", "login": "Producer user", "schema": "Scheme"},
        "placeholders": {
            "host": "acme, or https://acme.flexnetoperations.com",
            "login": "empty with an access token",
            "schema": "https",
        },
    },
    fields={
        "token": text(
            "Access token",
            "An access token (rna_…) instead of login and password; it ends on the date chosen when it was made.",
            format="password",
        ),
        "api_version": text("API version", "The version in the path.", default="v1"),
        "mode": text(
            "Mode",
            "How reports are asked for where a report does not say: interactive answers with row and page counts.",
            enum=["interactive", "batch", None],
        ),
        "page_size": whole("Page size", "Rows a page where a report does not say, 1 to 2500.", minimum=1, maximum=2500),
    },
    more_extras=frozenset(
        {"data_key", "row_count_keys", "page_count_keys", "link_keys", "charset", "delimiter", "quote"}
    ),
    reports=ReportSource(dag_id="flexnet_reports", model="configuration.FlexNet"),
)
