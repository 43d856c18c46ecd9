"""What stands between Airflow and the lake: extract a night, watch its schema, publish it.

Vendors add only how their pages come.
"""
