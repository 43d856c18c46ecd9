"""# Promotion

When every report that the application depends on is published for a night, it is built and brought through its stages:
**build** → for each stage: **approve** (a person, here in Airflow: *Required Actions*), **window**, **deploy** → next.

* The version that was built is pinned: no stage gets another one. What was there already, and a build without changes,
  are shown as skipped.
* *Trigger* opens a form: promote a version by its id, from stage to stage, tickets, inputs, a dry run that only plans.
* A stage that fails stops the promotion; **roll_back** offers to deploy the version from before, behind an approval.
* Nothing goes while somebody holds the line or a freeze of `promotions.yaml` is in force: it waits, and says until when
  and why.
* Two promotions of one application never overlap: the second waits in **begin**.
* What was done is in the lake: `promotions/<application>/<run>.json`. What is promoted is configured in
  `promotions.yaml`.
"""

from __future__ import annotations

from nightshift.config.promotions import promotions_in_force
from nightshift.parsing import in_task
from nightshift.promotion.flow import promotion_dag
from nightshift.promotion.rules.people import problems_of, problems_of_freezes

found = promotions_in_force(rules=problems_of, freeze_rules=problems_of_freezes, with_gone=in_task())
for name, application in found.applications.items():
    promotion_dag(name, application, found.freezes, doc_md=__doc__)
