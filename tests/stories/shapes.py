"""What is configured in a story: one application, from the ten lines to everything, and what that promises."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any, NamedTuple

from include.standins.flexdeploy.planted import DEV, PORTAL, PROD, RESTART, TEST
from nightshift.config.freezes import NO_FREEZES, Freeze, FreezeRules
from nightshift.config.promotions import Application
from nightshift.promotion.flow import promotion_dag
from tests.stories.world import Rule

PEOPLE = ("ann", "ben", "cid", "dan")
SOAK = 7200.0
ENVIRONMENTS = {"DEV": DEV, "TEST": TEST, "PROD": PROD}
FREEZE = Freeze.model_validate(
    {
        "name": "audit",
        "reason": "the auditors are here",
        "timezone": "UTC",
        "from": "2026-11-23 09:00",
        "to": "2026-11-23 15:00",
        "stages": ["TEST"],
        "override": ["dan"],
    }
)


class Shape(NamedTuple):
    """What is configured for an application.

    :param name: of the application
    :param project: FlexDeploy's id of what it deploys
    :param tickets: change tickets of the stages after DEV
    :param force: deploy even what is there
    :param full: with verification, soak, several approvers and freezes, not just the ten lines
    :param prod: the third stage: ``asks`` for an approval of its own, ``follows`` TEST without one; empty: there is
        none
    :param newer: what a newer night does to one that is underway
    """

    name: str = "portal"
    project: int = PORTAL
    tickets: tuple[str, ...] = ("CHG-1",)
    force: bool = False
    full: bool = True
    prod: str = ""
    newer: str = "wait"

    @property
    def stages(self) -> tuple[str, ...]:
        """Labels of the stages, in order."""
        return ("DEV", "TEST", "PROD") if self.prod else ("DEV", "TEST")

    @property
    def rules(self) -> Mapping[str, Rule]:
        """What each stage takes, in order."""
        many = {"at_least": 2, "not_requester": True} if self.full else {}
        found = {
            "DEV": Rule(verified=self.full, soak=SOAK if self.full else 0.0, back_by_rule=self.full),
            "TEST": Rule(asks="TEST", verified=self.full, **many),
        }
        if self.prod:
            found["PROD"] = Rule(asks="TEST", **many) if self.prod == "follows" else Rule(asks="PROD")
        return found

    @classmethod
    def drawn(cls, random: Random, **more: Any) -> Shape:
        """Return one of many."""
        prod = random.choice(["asks", "follows"]) if random.random() < 0.3 else ""
        newer = "supersede" if random.random() < 0.15 else "wait"
        return cls(force=random.random() < 0.5, full=random.random() < 0.7, prod=prod, newer=newer, **more)


@cache
def dag_of(shape: Shape) -> Any:
    """The DAG of the application."""
    at: dict[str, dict[str, Any]] = {
        label: {"environment_id": ENVIRONMENTS[label], "name": label, "force": shape.force} for label in shape.stages
    }
    at["TEST"] |= {
        "approval": {"users": list(PEOPLE)},
        "before": [{"name": "stop", "project_id": RESTART, "inputs": {"SERVICE": shape.name}}],
    }
    if shape.prod == "asks":
        at["PROD"] |= {"approval": {"users": list(PEOPLE)}}
    for label in shape.stages[1:]:
        at[label] |= {"change_tickets": list(shape.tickets)}
    if shape.full:
        at["DEV"] |= {"verify": {"probes": [_probe(shape, "DEV")]}, "soak": "2h", "on_failure": "roll_back"}
        at["TEST"] |= {"verify": {"probes": [_probe(shape, "TEST")]}}
        at["TEST"]["approval"] |= {"at_least": 2, "not_requester": True}
    config = Application.model_validate(
        {
            "project_id": shape.project,
            "stream_id": shape.project + 400,
            "newer": shape.newer,
            "build": {"environment_id": DEV, "force": True},
            "stages": list(at.values()),
            "roll_back": {"approval": {"users": list(PEOPLE)}},
        }
    )
    freezes = FreezeRules((FREEZE,)) if shape.full else NO_FREEZES
    return promotion_dag(shape.name, config, freezes, doc_md=None)


def _probe(shape: Shape, stage: str) -> dict[str, Any]:
    return {
        "connection": "portal",
        "path": f"/apps/{stage}/{shape.project}/health",
        "expect": {"$.versionId": "${version_id}"},
        "tries": 3,
        "every": "30s",
    }
