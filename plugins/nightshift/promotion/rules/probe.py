"""Whether the answer to a probe is what it has to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nightshift.config.verification import filled, parts_of, value_at
from nightshift.errors import Rejected
from nightshift.known_secrets import HIDDEN
from nightshift.redaction import redact, redact_words

if TYPE_CHECKING:
    from nightshift.config.verification import Probe
    from nightshift.promotion.record import Version

LONGEST = 120
"""Characters of a value that are shown."""


def judged(probe: Probe, version: Version, status: int, answer: Any) -> tuple[bool, str]:
    """Return whether an answer is as it has to be, and what was seen, in one line and without secrets.

    :param version: the version that was deployed
    :param status: HTTP status of the answer
    :param answer: its JSON; not looked at where the probe expects nothing of it
    :raises Rejected: what has to be there is not known
    """
    if status != probe.status:
        return False, f"status {status} instead of {probe.status}"
    found = [_compared(path, wanted, answer) for path, wanted in expected(probe, version).items()]
    wrong = [words for fits, words in found if not fits]
    return not wrong, "; ".join([f"status {status}", *(wrong or [words for _, words in found])])


def expected(probe: Probe, version: Version) -> Mapping[str, Any]:
    """Return path → the value that has to be there, for a version.

    :raises Rejected: the name of the version is expected, and FlexDeploy has told none
    """
    known = {"version_id": version.id} if version.name is None else {"version_id": version.id, "version": version.name}
    try:
        return {
            path: filled(wanted, known) if isinstance(wanted, str) else wanted for path, wanted in probe.expect.items()
        }
    except KeyError:
        raise Rejected(
            f"the probe {probe.name} expects ${{version}}, and FlexDeploy has told no name of {version}",
            advice="Nothing was verified. Expect ${version_id} in promotions.yaml, then start a run with Version "
            f"{version.id} and this stage as From stage in the form: it asks anew.",
        ) from None


def _compared(path: str, wanted: Any, answer: Any) -> tuple[bool, str]:
    try:
        found = value_at(answer, path)
    except LookupError as error:
        return False, f"{path}: {error} instead of {_shown(path, wanted)}"
    if _same(found, wanted):
        return True, f"{path} is {_shown(path, found)}"
    return False, f"{path} is {_shown(path, found)} instead of {_shown(path, wanted)}"


def _same(found: Any, wanted: Any) -> bool:
    """Whether two values are the same in JSON, where ``1`` is ``1.0`` and neither ``true`` nor ``"1"``."""
    numbers = (int, float)
    both = isinstance(found, numbers) and isinstance(wanted, numbers)
    kinds = both and isinstance(found, bool) == isinstance(wanted, bool)
    return found == wanted if kinds or type(found) is type(wanted) else False


def _shown(path: str, value: Any) -> str:
    """Return a value for people; nothing of it where the name above it is that of a secret."""
    name = next((str(one) for one in reversed(parts_of(path)) if isinstance(one, str)), "value")
    if HIDDEN in redact(f'"{name}": "x"'):
        return HIDDEN
    return redact_words(json.dumps(value, ensure_ascii=False), LONGEST)
