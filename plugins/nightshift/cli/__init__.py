"""The command ``nightshift``: what is done in a terminal, beside a running Airflow."""
