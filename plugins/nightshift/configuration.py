"""How a mistake in the configuration reaches Airflow: as an import error that begins with the sentence that helps."""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG


class Mistake(Exception):
    """What is wrong with the configuration."""


class MistakenConfiguration(DAG):
    """A DAG that Airflow refuses, with the mistakes as its reason; there is none where there are none.

    Airflow writes the reason of a refused DAG as it is, and puts a traceback before that of a file which raises. Where the DAG
    would be taken all the same, it is there to be seen, and says the same.
    """

    def __init__(self, *, mistakes: str, **options: Any) -> None:
        super().__init__(
            "nightshift_configuration",
            schedule=None,
            start_date=pendulum.datetime(2020, 1, 1, tz="UTC"),
            catchup=False,
            tags=["nightshift", "mistake"],
            doc_md=f"```\n{mistakes}\n```",
            **options,
        )
        self.mistakes = mistakes

    def validate(self) -> None:
        """Refuse to be a DAG.

        :raises Mistake: always
        """
        raise Mistake(self.mistakes)
