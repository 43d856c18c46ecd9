"""The cluster's policy; and a worker has loaded what its tasks need before it forks them, so that hundreds of attempts
do not each load it anew. Not ``deltalake``, which does not outlive a fork.
"""

from __future__ import annotations

import sys
from importlib import import_module

from include.local.cluster.policy.airflow_local_settings import task_policy

__all__ = ["task_policy"]

WARM = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.dag_processing.dagbag",
    "obstore.store",
    "nightshift.camunda_optimize.operators",
    "nightshift.exago.operators",
    "nightshift.flexnet.operators",
    "nightshift.nights.flow",
    "nightshift.promotion.flow",
    "nightshift.tokenflex.flow",
)

if "celery" in sys.argv:
    for name in WARM:
        import_module(name)
    assert "deltalake" not in sys.modules
