"""Auth managers of Airflow that know a person by the name that they sign in with, as an approval's ``users`` does.

Airflow compares ``users`` with the ids of its auth manager: FAB counts people, Keycloak gives each a random id. Set
``AIRFLOW__CORE__AUTH_MANAGER`` to the class here in place of theirs; all else is as it was.
"""
