"""What Airflow asks of a provider package: the connection types and their forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nightshift import __version__

_VENDORS: Mapping[str, str] = {
    "FlexNet Operations": "https://fnoapi-da.redoc.ly/",
    "Autodesk Token Flex": "https://aps.autodesk.com/",
    "Camunda Optimize": "https://docs.camunda.io/docs/apis-tools/optimize-api/",
    "Exago BI": "https://exagobi.com/support/administrators/rest-web-service-api/",
    "FlexDeploy": "https://flexagon.atlassian.net/wiki",
}
HOOKS: Mapping[str, Sequence[str]] = {
    "FlexNet Operations": ("flexnet.hook",),
    "Autodesk Token Flex": ("tokenflex.hook",),
    "Camunda Optimize": ("camunda_optimize.hook",),
    "Exago BI": ("exago.hook",),
    "FlexDeploy": ("flexdeploy.hook",),
    "Nightshift": ("http.hook",),
}
OPERATORS: Mapping[str, Sequence[str]] = {
    "FlexNet Operations": ("flexnet.operators",),
    "Autodesk Token Flex": ("tokenflex.operators", "tokenflex.landing_operators"),
    "Camunda Optimize": ("camunda_optimize.operators",),
    "Exago BI": ("exago.operators", "exago.folder_operators", "exago.promote_operator"),
    "FlexDeploy": ("flexdeploy.operators", "flexdeploy.project_operator"),
    "Nightshift": (
        "nights.night",
        "nights.extract",
        "nights.publish",
        "jobs.operators",
        "promotion.begin_operator",
        "promotion.approval_operator",
        "promotion.window_operator",
        "promotion.job_step",
        "promotion.job_operators",
        "promotion.folders_operator",
        "promotion.closing_operators",
    ),
}
SENSORS: Mapping[str, Sequence[str]] = {
    "Autodesk Token Flex": ("tokenflex.sensors",),
    "FlexDeploy": ("flexdeploy.sensors",),
    "Nightshift": ("jobs.sensors",),
}
TRIGGERS: Mapping[str, Sequence[str]] = {
    "Nightshift": ("jobs.triggers", "nights.runs", "promotion.give_way", "promotion.turn_trigger"),
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "nightshift",
        "name": "Nightshift",
        "description": "Nightly vendor reports and application promotions.",
        "versions": [__version__],
        "connection-types": [_flexnet(), _tokenflex(), _camunda_optimize(), _exago(), _flexdeploy()],
        "integrations": [
            *(
                {"integration-name": name, "external-doc-url": url, "tags": ["service"]}
                for name, url in _VENDORS.items()
            ),
            {"integration-name": "Nightshift", "tags": ["software"]},
        ],
        "hooks": _modules(HOOKS),
        "operators": _modules(OPERATORS),
        "sensors": _modules(SENSORS),
        "triggers": _modules(TRIGGERS),
        "extra-links": ["nightshift.jobs.links.JobLink", "nightshift.flexdeploy.links.WorkflowRequestLink"],
        # The pages and the timetable are found by the entry point airflow.plugins; named here as well, Airflow would
        # report the plugin as registered twice.
    }


def _modules(found: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [
        {"integration-name": name, "python-modules": [f"nightshift.{module}" for module in modules]}
        for name, modules in found.items()
    ]


def _text(label: str, description: str, **more: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **more}}


def _number(label: str, description: str, **more: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["integer", "null"], **more}}


def _http_fields() -> dict[str, Any]:
    """Return the fields that every vendor's connection has."""
    return {
        "timeout": {
            "label": "Time-out (s)",
            "description": "Seconds for one request as a whole; empty: the default of the client.",
            "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
        },
        "proxy": _text("Proxy", "URL of an HTTP proxy for this vendor; empty: none."),
        "verify": {
            "label": "Verify TLS",
            "description": "Refuse a server whose certificate is not trusted.",
            "schema": {"type": ["boolean", "null"], "default": True},
        },
        "requests_per_minute": _number(
            "Requests a minute", "The most that is sent to this vendor in a minute; empty: no limit of ours.", minimum=1
        ),
    }


def _flexnet() -> dict[str, Any]:
    return {
        "connection-type": "flexnet",
        "hook-class-name": "nightshift.flexnet.hook.FlexNetHook",
        "hook-name": "FlexNet Operations",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {"host": "Site id or URL", "login": "Producer user", "schema": "Scheme"},
            "placeholders": {
                "host": "acme, or https://acme.flexnetoperations.com",
                "login": "empty with an access token",
                "schema": "https",
            },
        },
        "conn-fields": {
            "token": _text(
                "Access token",
                "An access token (rna_…) instead of login and password; it ends on the date chosen when it was made.",
                format="password",
            ),
            "api_version": _text("API version", "The version in the path.", default="v1"),
            "mode": _text(
                "Mode",
                "How reports are asked for where a report does not say: interactive answers with row and page counts.",
                enum=["interactive", "batch", None],
            ),
            "page_size": _number(
                "Page size", "Rows a page where a report does not say, 1 to 2500.", minimum=1, maximum=2500
            ),
            **_http_fields(),
        },
    }


def _tokenflex() -> dict[str, Any]:
    return {
        "connection-type": "tokenflex",
        "hook-class-name": "nightshift.tokenflex.hook.TokenFlexHook",
        "hook-name": "Autodesk Token Flex",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {"host": "URL", "login": "Client id", "password": "Client secret", "schema": "Scheme"},
            "placeholders": {
                "host": "https://developer.api.autodesk.com",
                "login": "of the app at Autodesk Platform Services; empty with a bearer token",
                "schema": "https",
            },
        },
        "conn-fields": {
            "auth": _text(
                "Sign-in",
                "three_legged: a person grants access once, under Admin, Token Flex sign-in. two_legged: client id and "
                "secret alone, where Autodesk allows it. bearer: the token below.",
                enum=["three_legged", "two_legged", "bearer", None],
            ),
            "token": _text("Bearer token", "An access token, for the sign-in 'bearer' only.", format="password"),
            "scope": _text("Scopes", "Joined with blanks.", default="data:read data:write"),
            "callback_url": _text(
                "Callback URL", "As registered with the app; empty: the one that the sign-in page shows."
            ),
            "refresh_token_days": _number("Life of a refresh token (days)", "Autodesk names 15.", minimum=1),
            **_http_fields(),
            "requests_per_minute": _number(
                "Requests a minute", "The vendor allows a user 5, all programs together; empty: 5.", minimum=1
            ),
        },
    }


def _camunda_optimize() -> dict[str, Any]:
    return {
        "connection-type": "camunda_optimize",
        "hook-class-name": "nightshift.camunda_optimize.hook.CamundaOptimizeHook",
        "hook-name": "Camunda Optimize",
        "ui-field-behaviour": {
            "hidden-fields": ["login"],
            "relabeling": {"host": "URL", "password": "Access token", "schema": "Scheme"},
            "placeholders": {"host": "https://optimize.example.com", "schema": "https"},
        },
        "conn-fields": {
            "auth_form": _text(
                "Form of the token",
                "bearer: all versions from 3.7 on. header: the bare token, up to 3.7. query: in the URL, where it ends "
                "in access logs.",
                enum=["bearer", "header", "query", None],
            ),
            "limit": _number("Records a page", "Where a report does not say, 1 to 10000.", minimum=1, maximum=10000),
            "pagination_timeout": _number(
                "Search kept for (s)", "How long the server keeps a search between two pages.", minimum=60
            ),
            **_http_fields(),
        },
    }


def _object(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["object", "null"]}}


def _exago() -> dict[str, Any]:
    return {
        "connection-type": "exago",
        "hook-class-name": "nightshift.exago.hook.ExagoHook",
        "hook-name": "Exago BI",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {"host": "Web service URL", "login": "User id", "password": "REST key", "schema": "Scheme"},
            "placeholders": {
                "host": "https://bi.example.com/ExagoWebApi",
                "login": "may be empty",
                "schema": "https",
            },
        },
        "conn-fields": {
            "auth": _text(
                "Authorization",
                "basic, or exagokey: each request signed (HMAC).",
                enum=["basic", "exagokey", None],
                default="basic",
            ),
            "separator": _text(
                "Path separator",
                "Between levels in request bodies: a backslash (default), or / from 2020.1.",
                enum=["\\", "/", None],
            ),
            "config": _text(
                "Configuration",
                "Configuration file of the server without .xml; letters count. Empty: the server's own.",
            ),
            "storage_identity": _object(
                "Storage identity",
                "Whom to act as, from 2020.1: sent to StorageMgmt with each session, such as IsAdmin and Identities.",
            ),
            "session": _object("Session", "Properties that are sent when a session is opened."),
            **_http_fields(),
        },
    }


def _flexdeploy() -> dict[str, Any]:
    return {
        "connection-type": "flexdeploy",
        "hook-class-name": "nightshift.flexdeploy.hook.FlexDeployHook",
        "hook-name": "FlexDeploy",
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port"],
            "relabeling": {"host": "URL with context path", "password": "Password or API token"},
            "placeholders": {
                "host": "https://fd.example.com/flexdeploy",
                "login": "the user of the password or token",
            },
        },
        "conn-fields": {
            "api_version": _text(
                "API version",
                "v2 is spoken where its paths are public, v1 everywhere else.",
                enum=["v1", "v2", None],
                default="v1",
            ),
            "request_page": _text(
                "Page of a workflow request",
                "Address in FlexDeploy's own pages, with {id}; tasks link to it. Empty: the request in the API.",
            ),
            "marker_flex_field": _text(
                "FlexField for the mark",
                "Code of a FlexField that holds a task's mark: a request whose answer was lost can then be found again.",
            ),
            "paths": _text(
                "Other paths",
                'JSON of routes that differ at your site, such as {"abort": "PUT /rest/v2/workflowrequest/{id}/abort"}.',
            ),
            **_http_fields(),
        },
    }
