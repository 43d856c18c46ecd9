"""What the provider knows of Autodesk Token Flex; read in every process of Airflow, so it loads nothing else."""

from __future__ import annotations

from datetime import timedelta

from nightshift.vendor import HTTP_FIELDS, ReportSource, Vendor, text, whole

TOKENFLEX = Vendor(
    type="tokenflex",
    name="Autodesk Token Flex",
    docs="https://aps.autodesk.com/",
    hook="hook.TokenFlexHook",
    behaviour={
        "relabeling": {"host": "URL", "login": "Client id", "password": "Client secret", "schema": "Scheme"},
        "placeholders": {
            "host": "https://developer.api.autodesk.com",
            "login": "of the app at Autodesk Platform Services; empty with a bearer token",
            "schema": "https",
        },
    },
    fields={
        "auth": text(
            "Sign-in",
            "three_legged: a person grants access once, under Admin, Token Flex sign-in. two_legged: client id and "
            "secret alone, where Autodesk allows it. bearer: the token below.",
            enum=["three_legged", "two_legged", "bearer", None],
        ),
        "token": text("Bearer token", "An access token, for the sign-in 'bearer' only.", format="password"),
        "scope": text("Scopes", "Joined with blanks.", default="data:read data:write"),
        "callback_url": text("Callback URL", "As registered with the app; empty: the one that the sign-in page shows."),
        "refresh_token_days": whole("Life of a refresh token (days)", "Autodesk names 15.", minimum=1),
        "requests_per_minute": {
            **HTTP_FIELDS["requests_per_minute"],
            "description": "The vendor allows a user 5, all programs together; empty: 5.",
        },
    },
    more_extras=frozenset({"token_wait", "auth_path"}),
    operators=("operators", "landing_operators"),
    sensors=("sensors",),
    reports=ReportSource(
        dag_id="tokenflex_exports",
        model="configuration.TokenFlex",
        key="exports",
        rules="configuration.problems_of",
        max_active_runs=16,
        # Exports of other nights may have the slots of the pool.
        run_limit=timedelta(hours=36),
        task_limit=timedelta(hours=6),
    ),
)
