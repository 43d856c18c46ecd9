"""The DAGs of the project, impatient; Airflow looks for both words in a file."""

from __future__ import annotations

from nightshift.config.promotions import promotions_in_force
from nightshift.parsing import in_task
from nightshift.promotion.flow import promotion_dag
from nightshift.promotion.rules.people import problems_of, problems_of_freezes
from tests.cluster.impatient import impatient

found = promotions_in_force(rules=problems_of, freeze_rules=problems_of_freezes, with_gone=in_task())
for name, application in found.applications.items():
    impatient(promotion_dag(name, application, found.freezes, doc_md=None))
