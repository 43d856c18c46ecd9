"""What the provider knows of Acme Orders; read in every process of Airflow, so it loads nothing else of the room."""

from __future__ import annotations

from nightshift.vendor import ReportSource, Vendor, whole

ACME = Vendor(
    type="acme",
    name="Acme Orders",
    docs="https://docs.acme.example/api/",
    hook="hook.AcmeHook",
    behaviour={
        "relabeling": {"host": "URL", "schema": "Scheme"},
        "placeholders": {"host": "https://orders.acme.example", "schema": "https"},
    },
    fields={"page_size": whole("Page size", "Rows a page where a report does not say.", minimum=1, maximum=100)},
    reports=ReportSource(dag_id="acme_reports", model="configuration.Acme"),
)
