"""What is configured for the mission, and a DAG of ours that breaks where every secret is a local variable."""

from __future__ import annotations

REPORTS = """
flexnet:
  settle_hours: 0
  retries: 0
  reports: [{name: account, key: [AccountID], page_size: 100}]
tokenflex:
  contract: "110000917988"
  settle_hours: 0
  retries: 0
  exports:
    - name: desktop_usage
      category: DESKTOP_PRODUCT
      fields: [usageDate, productName, userName]
      metrics: [tokensConsumed]
camunda_optimize:
  retries: 0
  reports: [{name: invoice_instances, report_id: e6c5abb1-6a18-44e7-8480-d562d511ba62, key: [processInstanceId]}]
exago:
  settle_hours: 0
  retries: 0
  due: "00:01"
"""
PROMOTIONS = """
portal:
  project: Licensing/Portal/LicensePortal
  stream: main
  build: {environment: DEV}
  stages:
    - environment: DEV
      verify: {probes: [{connection: toolbox, path: /apps/DEV/10101/health, tries: 3, every: 1s}]}
    - environment: TEST
      approval: {users: [admin], hours: 1}
"""
NOTIFY = """
team: {to: teams, connection: teams_nights}
chat: {to: google_chat, connection: chat_nights}
ours: {to: webhook, connection: receiver}
on_call: {to: pagerduty, connection: pagerduty_nights}
wrong: {to: teams, connection: teams_wrong}
"""
BREAKS = '''
"""Something of ours that is broken, inside of each vendor's hook, where every secret is a local variable."""
import asyncio, importlib, logging
from airflow.sdk import dag, task
from nightshift.sources import VENDORS

def broken(hook_type, spoken):
    class Broken(hook_type):
        async def authorize(self):
            password, headers = self.password, dict(await super().authorize())
            logging.getLogger("nightshift.broken").debug("sends %s as %r", headers, self.extras)
            if spoken:
                raise RuntimeError(f"cannot send {password} with {headers}")
            return headers[password]
    return Broken

@dag(dag_id="breaks_in_a_hook", schedule=None, is_paused_upon_creation=False)
def breaks():
    for name, vendor in VENDORS.items():
        for spoken in (False, True):
            @task(task_id=f"{name}_{'spoken' if spoken else 'local'}", retries=0)
            def of(name=name, spoken=spoken):
                module, _, kind = VENDORS[name].named(VENDORS[name].hook).rpartition(".")
                hook_type = broken(getattr(importlib.import_module(module), kind), spoken)
                async def call():
                    async with hook_type(VENDORS[name].default_connection) as hook:
                        await hook.request("GET", "/anything")
                asyncio.run(call())
            of()
breaks()
'''
