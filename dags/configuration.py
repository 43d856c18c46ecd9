"""# Configuration

No DAG: what is wrong with `reports.yaml` and `promotions.yaml` is the import error of this file. The DAGs themselves go
on as they were before the mistake, so that no typing error ends what runs.
"""

from __future__ import annotations

from nightshift.configuration import MistakenConfiguration, all_mistakes

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
if mistakes := all_mistakes():
    dag = MistakenConfiguration(mistakes="\n".join(mistakes))
