"""The lake: nights landed as the vendors sent them, and Delta tables made of them. Nothing in here knows Airflow."""
