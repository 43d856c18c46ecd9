from __future__ import annotations

from collections.abc import Callable

from nightshift.http.hook import VendorHook


class AcmeHook(VendorHook):
    vendor = "Acme"
    conn_name_attr = "acme_conn_id"
    default_conn_name = "acme_default"
    conn_type = "acme"
    hook_name = "Acme"


MakeHook = Callable[..., AcmeHook]
