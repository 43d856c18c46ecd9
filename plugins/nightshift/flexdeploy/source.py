"""What the provider knows of FlexDeploy; read in every process of Airflow, so it loads nothing else of the room."""

from __future__ import annotations

from nightshift.vendor import Vendor, text

FLEXDEPLOY = Vendor(
    type="flexdeploy",
    name="FlexDeploy",
    docs="https://flexagon.atlassian.net/wiki",
    hook="hook.FlexDeployHook",
    behaviour={
        "hidden-fields": ["schema"],
        "relabeling": {"host": "URL with context path", "password": "Password or API token"},
        "placeholders": {
            "host": "https://fd.example.com/flexdeploy",
            "login": "the user of the password or token",
        },
    },
    fields={
        "api_version": text(
            "API version",
            "v2 is spoken where its paths are public, v1 everywhere else.",
            enum=["v1", "v2", None],
            default="v1",
        ),
        "request_page": text(
            "Page of a workflow request",
            "Address in FlexDeploy's own pages, with {id}; tasks link to it. Empty: the request in the API.",
        ),
        "marker_flex_field": text(
            "FlexField for the mark",
            "Code of a FlexField that holds a task's mark: a request whose answer was lost can then be found again.",
        ),
        "paths": text(
            "Other paths",
            'JSON of routes that differ at your site, such as {"abort": "PUT /rest/v2/workflowrequest/{id}/abort"}; '
            "their names: the page FlexDeploy of the documentation.",
        ),
    },
    more_extras=frozenset({"token"}),
    operators=("operators",),
    sensors=("sensors",),
    extra_links=("job.WorkflowRequestLink",),
)
