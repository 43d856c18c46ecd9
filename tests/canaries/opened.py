"""The stand-ins of a mission and the connections to them, each with canaries that open it, or that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from include.local.airflow import connection_fields
from include.standins import webhooks
from include.standins.camunda_optimize.switches import TOKEN as CAMUNDA_TOKEN
from include.standins.exago.switches import REST_KEY, USER_ID
from include.standins.flexdeploy import PASSWORD as FLEXDEPLOY_PASSWORD
from include.standins.flexdeploy import Changes, FlexDeploySwitches
from include.standins.flexnet import PASSWORD as FLEXNET_PASSWORD
from include.standins.flexnet import FlexNetSwitches
from include.standins.flexnet.switches import TOKEN as FLEXNET_TOKEN
from include.standins.tokenflex import BEARER, RateLimit, TokenFlexSwitches
from tests.canaries.vendors import Camunda, Exago, FlexDeploy, FlexNet, Listening, TokenFlex, WebHooks, basic

if TYPE_CHECKING:
    from tests.canaries.mission import Mission


class Vendors:
    """The stand-ins of a mission, each with the canaries that open it."""

    def __init__(self, mission: Mission) -> None:
        ear = mission.ear
        self.flexnet = FlexNet(ear, switches=FlexNetSwitches(rows_a_day={"account": 150}))
        quick = TokenFlexSwitches(processing_seconds=0.2, rate_limit=RateLimit.OFF, auto_allow=True)
        self.tokenflex = TokenFlex(ear, switches=quick)
        self.camunda, self.exago = Camunda(ear), Exago(ear)
        switches = FlexDeploySwitches(
            changes=Changes.ALWAYS, build_seconds=0.2, deploy_seconds=0.2, utility_seconds=0.2, health_signs_in=True
        )
        self.flexdeploy = FlexDeploy(ear, switches=switches)
        self.webhooks = WebHooks(ear)

    @property
    def all(self) -> tuple[Listening, ...]:
        """All of them."""
        return (self.flexnet, self.tokenflex, self.camunda, self.exago, self.flexdeploy, self.webhooks)


def connections(mission: Mission, vendors: Vendors, *, right: bool) -> dict[str, dict[str, Any]]:
    """Return the connections of the vendors, with canaries that open them, or that do not."""
    word = "" if right else "wrong "
    new = mission.new
    password, header = new(f"FlexNet's {word}password"), new(f"FlexNet's {word}gateway key", marked=False)
    secret = new(f"Token Flex's {word}client secret")
    token = new(f"Camunda's {word}token", marked=False)
    key = new(f"Exago's {word}REST key")
    flexdeploy, cookie = new(f"FlexDeploy's {word}password"), new(f"FlexDeploy's {word}cookie", marked=False)
    probe, api_key = new(f"the probe's {word}password"), new(f"the probe's {word}API key", marked=False)
    if right:
        vendors.flexnet.knows(basic("nightshift", password), basic("nightshift", FLEXNET_PASSWORD))
        vendors.tokenflex.knows(basic("nightshift", quote(secret, safe="")), basic("nightshift", "standin-tokenflex"))
        vendors.camunda.knows(f"Bearer {token}", f"Bearer {CAMUNDA_TOKEN}")
        vendors.exago.knows(basic(USER_ID, key), basic(USER_ID, REST_KEY))
        for login, one in (("nightshift", flexdeploy), ("prober", probe)):
            vendors.flexdeploy.knows(basic(login, one), basic("nightshift", FLEXDEPLOY_PASSWORD))
    flex = {"auth": "three_legged", "requests_per_minute": 6000}
    return {
        "flexnet_default": connection_fields(
            conn_type="flexnet",
            host=vendors.flexnet.url,
            login="nightshift",
            password=password,
            extra={"headers": {"X-Gateway-Key": header}},
        ),
        "tokenflex_default": connection_fields(
            conn_type="tokenflex", host=vendors.tokenflex.url, login="nightshift", password=secret, extra=flex
        ),
        "camunda_optimize_default": connection_fields(
            conn_type="camunda_optimize", host=vendors.camunda.url, password=token
        ),
        "exago_default": connection_fields(conn_type="exago", host=vendors.exago.url, login=USER_ID, password=key),
        "flexdeploy_default": connection_fields(
            conn_type="flexdeploy",
            host=vendors.flexdeploy.url,
            login="nightshift",
            password=flexdeploy,
            extra={"headers": {"Cookie": f"route={cookie}"}},
        ),
        "toolbox": connection_fields(
            conn_type="http",
            host=vendors.flexdeploy.url,
            login="prober",
            password=probe,
            extra={"X-Api-Key": api_key},
        ),
    }


def tokens(mission: Mission, vendors: Vendors) -> dict[str, dict[str, Any]]:
    """Return connections whose secret is an extra, and one with a proxy that needs a password."""
    flexnet, bearer = mission.new("FlexNet's token", marked=False), mission.new("Token Flex's bearer", marked=False)
    vendors.flexnet.knows(f"Bearer {flexnet}", f"Bearer {FLEXNET_TOKEN}")
    vendors.tokenflex.knows(f"Bearer {bearer}", f"Bearer {BEARER}")
    proxy = quote(mission.new("a proxy's password"), safe="")
    return {
        "flexnet_token": connection_fields(conn_type="flexnet", host=vendors.flexnet.url, extra={"token": flexnet}),
        "tokenflex_bearer": connection_fields(
            conn_type="tokenflex", host=vendors.tokenflex.url, extra={"auth": "bearer", "token": bearer}
        ),
        "camunda_proxied": connection_fields(
            conn_type="camunda_optimize",
            host=vendors.camunda.url,
            password=mission.new("Camunda's token behind a proxy", marked=False),
            extra={"proxy": f"http://proxied:{proxy}@127.0.0.1:9"},
        ),
    }


def receivers(mission: Mission, vendors: Vendors) -> dict[str, dict[str, Any]]:
    """Return the connections of the channels, each with a secret of its own."""
    vendor = vendors.webhooks
    webhooks.SIGNATURE = mission.new("Teams' signature", marked=False)
    webhooks.CHAT_KEY = mission.new("Google Chat's key", marked=False)
    webhooks.CHAT_TOKEN = mission.new("Google Chat's token", marked=False)
    webhooks.BEARER = mission.new("the receiver's token", marked=False)
    webhooks.ROUTING_KEY = mission.new("PagerDuty's integration key", marked=False, length=32)
    wrong = vendor.teams_url.replace(webhooks.SIGNATURE, mission.new("a wrong signature of Teams", marked=False))
    http = {"conn_type": "http"}
    return {
        "teams_nights": connection_fields(**http, password=vendor.teams_url),
        "teams_wrong": connection_fields(**http, password=wrong),
        "chat_nights": connection_fields(**http, password=vendor.chat_url),
        "receiver": connection_fields(**http, host=f"{vendor.url}/receiver", password=webhooks.BEARER),
        "pagerduty_nights": connection_fields(**http, host=vendor.url, password=webhooks.ROUTING_KEY),
    }


def wrong_extras(mission: Mission, vendors: Vendors) -> dict[str, dict[str, Any]]:
    """Return connections with extras that are refused, each with a secret in it."""

    def extra(**given: Any) -> dict[str, Any]:
        return connection_fields(
            conn_type="flexnet", host=vendors.flexnet.url, login="nightshift", password="of no weight", extra=given
        )

    new = mission.new
    return {
        "extra_mistyped": extra(tokn=new("a token under a mistyped name", marked=False)),
        "extra_of_no_use": extra(my_secret=new("a secret that nobody reads")),
        "extra_of_the_wrong_type": extra(timeout=new("a secret in the place of a number")),
        "extra_headers": extra(headers=[new("a header in a list")]),
        "extra_line": extra(headers={"X-Key": f"{new('a header of two lines', marked=False)}\n"}),
        "extra_proxy": extra(proxy=f"ftp://proxied:{new('the password of no proxy', marked=False)}@127.0.0.1"),
        "extra_verify": extra(proxy=f"http://u:{new('an unchecked proxy', marked=False)}@127.0.0.1:9", verify=False),
    }
