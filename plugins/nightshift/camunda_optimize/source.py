"""What the provider knows of Camunda Optimize; read in every process of Airflow, so it loads nothing else of the
room.
"""

from __future__ import annotations

from nightshift.vendor import ReportSource, Vendor, text, whole

CAMUNDA_OPTIMIZE = Vendor(
    type="camunda_optimize",
    name="Camunda Optimize",
    docs="https://docs.camunda.io/docs/apis-tools/optimize-api/",
    hook="hook.CamundaOptimizeHook",
    behaviour={
        "hidden-fields": ["login"],
        "relabeling": {"host": "URL", "password": "Access token", "schema": "Scheme"},
        "placeholders": {"host": "https://optimize.example.com", "schema": "https"},
    },
    fields={
        "auth_form": text(
            "Form of the token",
            "bearer: all versions from 3.7 on. header: the bare token, up to 3.7. query: in the URL, where it ends "
            "in access logs.",
            enum=["bearer", "header", "query", None],
        ),
        "limit": whole("Records a page", "Where a report does not say, 1 to 10000.", minimum=1, maximum=10000),
        "pagination_timeout": whole(
            "Search kept for (s)", "How long the server keeps a search between two pages.", minimum=60
        ),
    },
    reports=ReportSource(dag_id="camunda_reports", model="configuration.CamundaOptimize"),
)
