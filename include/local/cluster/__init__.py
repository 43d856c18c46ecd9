"""``make cluster``: Airflow as it runs in production, on this machine, as plain processes."""
