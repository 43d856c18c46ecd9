"""The night: how Airflow runs it, extracts it, publishes it, and what a nightly DAG is made of.

Vendors add only how their pages come.
"""
