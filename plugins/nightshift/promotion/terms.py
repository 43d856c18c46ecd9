"""What an approval allows: all that FlexDeploy and Exago are asked for until somebody is asked again.

A question shows its terms, and the record keeps their digest with the answer. A step compares the digest with that of
what it would do now, so that an answer is never taken for more, or for anything else, than was shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightshift.config.promotions import Application
    from nightshift.config.stages import Stage
    from nightshift.promotion.record import Offer, PromotionRecord, Version


@dataclass(frozen=True)
class Terms:
    """What one answer allows.

    :param asks: label of the stage whose approval asks for it
    :param stages: label → all that is configured for it: of the stage that asks, and of those after it that ask nobody
    :param quorum: how many have to agree and who may not, where that is more than one person
    :param revoked: why the version was revoked that is brought back
    """

    asks: str
    stages: Mapping[str, Mapping[str, Any]]
    quorum: Mapping[str, Any] = field(default_factory=dict)
    revoked: str = ""

    def of(self, record: PromotionRecord) -> dict[str, Mapping[str, Any]]:
        """Return what is configured for those of the stages that a promotion goes through; where another one has left a
        stage in doubt, with the force that its deployment takes.
        """
        return {
            label: {**found, "force": True} if label in record.doubted else found
            for label, found in self.stages.items()
            if label in record.stages
        }

    def digest(self, record: PromotionRecord, version: Version | None) -> str:
        """Return the identity of what is allowed: 64 bits over configuration, form, stages and version."""
        allowed = {
            "stages": list(record.stages),
            "configured": dict(self.of(record)),
            "form": record.form,
            "version": None if version is None else version.id,
            # What one approved is not approved where two are asked for since.
            **({"quorum": dict(self.quorum)} if self.quorum else {}),
            **({"revoked": self.revoked} if self.revoked else {}),
        }
        text = json.dumps(allowed, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def only(self, label: str) -> Terms:
        """Return the terms of one of the stages, for a roll-back of it."""
        return Terms(label, {label: self.stages[label]})

    def back(self, offer: Offer) -> Terms:
        """Return the terms of a roll-back, as they are of what is offered."""
        return replace(self, revoked=offer.revoked)


def terms_of(config: Application) -> dict[str, Terms]:
    """Return stage → the terms of the last approval before its deployment; of a stage before any, those of itself."""
    found: dict[str, Terms] = {}
    groups: list[list[Stage]] = []
    for stage in config.stages:
        if stage.approval is not None or not groups:
            groups.append([])
        groups[-1].append(stage)
    for group in groups:
        asks = group[0].approval
        quorum = asks.model_dump(include={"at_least", "not_requester"}, exclude_defaults=True) if asks else {}
        terms = Terms(group[0].label, {stage.label: configured(config, stage) for stage in group}, quorum)
        found |= dict.fromkeys(terms.stages, terms)
    return found


def configured(config: Application, stage: Stage) -> dict[str, Any]:
    """Return all that is configured for a stage, and of the application what its deployment takes, as JSON."""
    return {
        "connection": config.connection,
        **config.what,
        **({"packages": [one.model_dump(mode="json") for one in config.packages]} if config.packages else {}),
        **stage.model_dump(mode="json", exclude={"approval", "name", "on_failure"}, exclude_defaults=True),
        # An approval is of what is done without another question, too.
        **({"on_failure": "roll_back"} if config.on_failure_of(stage) == "roll_back" else {}),
    }
