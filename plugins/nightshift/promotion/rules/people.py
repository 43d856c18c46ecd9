"""Who has to answer, whether they can be told from others, and whether enough of them have agreed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from airflow.sdk import conf

from nightshift.config.document import Location
from nightshift.config.freezes import Freezes
from nightshift.config.promotions import Application
from nightshift.promotion.record import RecordedAnswer

_BY_ID: Mapping[str, tuple[str, str, str]] = {
    "FabAuthManager": (
        r"[0-9]+",
        "by the number of their row",
        "nightshift.auth_managers.fab.NightshiftFabAuthManager",
    ),
    "KeycloakAuthManager": (
        r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "by the id of their account",
        "nightshift.auth_managers.keycloak.NightshiftKeycloakAuthManager",
    ),
}
"""Class of an auth manager that knows people otherwise than they sign in → what its ids look like, in words, what to
set.
"""


def people_problem(users: tuple[str, ...], auth_manager: str) -> str | None:
    """Return why the people of an approval would not be let answer, or ``None``.

    :param users: the approval's ``users``, or those who may override a freeze
    :param auth_manager: Airflow's setting ``[core] auth_manager``: a class with its module
    """
    name = auth_manager.rpartition(".")[2]
    if name not in _BY_ID:
        return None
    form, known_by, instead = _BY_ID[name]
    unknown = [user for user in users if not re.fullmatch(form, user)]
    if not unknown:
        return None
    return (
        f"{unknown[0]!r} could never answer: {name} knows people {known_by}, not as they sign in. Set "
        f"AIRFLOW__CORE__AUTH_MANAGER to {instead}, or name ids"
    )


def problems_of_freezes(freezes: Freezes) -> Iterator[tuple[Location, str]]:
    """Yield the freezes whose people this Airflow's auth manager cannot know, with their places."""
    auth_manager = conf.get("core", "auth_manager", fallback="")
    for number, freeze in enumerate(freezes.root):
        if problem := people_problem(freeze.override, auth_manager):
            yield (number, "override"), problem


def problems_of(application: Application) -> Iterator[tuple[Location, str]]:
    """Yield the approvals of an application that this Airflow's auth manager cannot honour, with their places."""
    auth_manager = conf.get("core", "auth_manager", fallback="")
    for number, stage in enumerate(application.stages):
        if stage.approval and (problem := people_problem(stage.approval.users, auth_manager)):
            yield ("stages", number, "approval", "users"), problem
    if application.roll_back and (problem := people_problem(application.roll_back.approval.users, auth_manager)):
        yield ("roll_back", "approval", "users"), problem


@dataclass(frozen=True)
class Quorum:
    """What an approval asks for.

    :param at_least: how many different people
    :param requester: name of the person whose answer does not count; ``None``: everybody's does
    :param is_strict: a no needs a reason, as :attr:`nightshift.config.stages.Approval.is_strict` says
    :param users: ids or names of the people whose answers count, as they are configured now; nobody named: everybody's
        do
    """

    at_least: int = 1
    requester: str | None = None
    is_strict: bool = False
    users: tuple[str, ...] = ()

    @property
    def missing_people(self) -> int:
        """How many people more would have to be named."""
        return max(0, self.at_least - len({*self.users} - {self.requester})) if self.users else 0

    def names(self, answer: RecordedAnswer) -> bool:
        """Tell whether whoever gave an answer may give one now: Airflow goes on letting those answer whom it was told
        of with the question.
        """
        return not self.users or not {answer.person, answer.name}.isdisjoint(self.users)


@dataclass(frozen=True)
class Tally:
    """Who has answered what so far, of what counts.

    :param agreed: names of the people whose last word is a yes, in the order of their answers
    :param no: the no that ends it
    :param unexplained: names of those whose last word is a no without a reason: it stands in the way
    :param left_out: names of those whose answer does not count, as they asked for it
    :param unnamed: names of those whose answer does not count, as nobody names them any more
    """

    at_least: int
    agreed: tuple[str, ...] = ()
    no: RecordedAnswer | None = None
    unexplained: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()

    @property
    def is_approved(self) -> bool:
        """Whether enough have agreed, and nobody objects."""
        return self.no is None and not self.unexplained and len(self.agreed) >= self.at_least

    @property
    def lines(self) -> list[str]:
        """Who has answered what, a line each."""
        missing = 0 if self.no is not None else max(0, self.at_least - len(self.agreed))
        more = f"; {missing} more {'has' if missing == 1 else 'have'} to" if missing else ""
        who = f": {', '.join(self.agreed)}" if self.agreed else ""
        found = [f"{len(self.agreed)} of {self.at_least} approved{who}{more}"]
        if self.no is not None:
            found.append(f"rejected by {self.no.name}: {self.no.reason or 'no reason was given'}")
        found += [f"{name} said no without a reason: give one, or change it" for name in self.unexplained]
        found += [f"the answer of {name}, who asked for it, does not count" for name in self.left_out]
        found += [f"the answer of {name}, whom the approval does not name, does not count" for name in self.unnamed]
        return found


def tally(answers: Iterable[RecordedAnswer], quorum: Quorum, terms: str) -> Tally:
    """Return who has agreed to these terms, and who has not.

    A person counts once, with the last answer; the first no that is explained ends it.

    :param terms: digest of what would be done now; an answer to anything else does not count
    """
    last: dict[str, RecordedAnswer] = {}
    left_out: dict[str, str] = {}
    unnamed: dict[str, str] = {}
    no: RecordedAnswer | None = None
    for one in answers:
        if one.terms != terms:
            continue
        if quorum.requester is not None and quorum.requester in (one.person, one.name):
            left_out[one.person] = one.name
            continue
        if not quorum.names(one):
            unnamed[one.person] = one.name
            continue
        last.pop(one.person, None)
        last[one.person] = one
        if no is None and one.word == "no" and (one.reason or not quorum.is_strict):
            no = one
    return Tally(
        quorum.at_least,
        agreed=tuple(one.name for one in last.values() if one.word == "yes"),
        no=no,
        unexplained=tuple(one.name for one in last.values() if one.word == "no" and one is not no),
        left_out=tuple(left_out.values()),
        unnamed=tuple(unnamed.values()),
    )
