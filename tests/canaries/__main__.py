"""``make secrets``: the mission with canaries, and the search of all that it left."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.canaries.mission import Mission, fly
from tests.canaries.search import SPELLINGS, Found, Search, canary, pieces, spelled
from tests.canaries.vendors import WAYS

FOUND: tuple[str, ...] = (
    "Airflow's task supervisor writes the value of each Variable that a task sets into its own log where Airflow logs "
    "at DEBUG: a renewed pair of Token Flex tokens as well. Tasks store it sealed since, with a key that only the "
    "sign-in page writes, in the API server; that key is searched for, too.",
)


def main() -> int:
    """Fly, search, keep the proof; 1 where something was found, 2 where the mission did not come to its end."""
    parser = argparse.ArgumentParser(prog="make secrets", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the mission leaves everything; default: a temporary one")
    options = parser.parse_args()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    folder = options.folder or Path(tempfile.mkdtemp(prefix="nightshift-secrets-"))
    mission = fly(folder, say)
    say(f"searching for {len(mission.wanted)} secrets; all is in {folder}")
    search, rows, found = search_all(mission)
    control = planted()
    for one in found:
        print(f"FOUND {one}")
    for row in rows:
        say("  ".join(row))
    say(f"{search.places} places, {len(search.secrets)} secrets, {search.needles} needles, found {len(found)}")
    if mission.trouble:
        return 2
    _keep(mission, search, rows, found, control)
    return 1 if found or not all(control.values()) else 0


def search_all(mission: Mission) -> tuple[Search, list[tuple[str, ...]], list[Found]]:
    """Search all places; return the search, a row a kind of place, and what was found."""
    search = Search(mission.wanted)
    rows, found = [], []
    for kind, texts in mission.texts():
        places, size = search.places, search.bytes
        here = search.look(texts)
        found += here
        rows.append((kind, str(search.places - places), f"{(search.bytes - size) / 1e6:.1f} MB", str(len(here))))
    return search, rows, found


def planted() -> dict[str, bool]:
    """Plant each piece of a canary in each spelling; return spelling → whether all were found."""
    value = canary()
    search, all_found = Search([("planted", value)]), dict.fromkeys(SPELLINGS, True)
    for piece in pieces(value):
        for name, needle in spelled(piece):
            text = secrets.token_hex(40).encode()[: secrets.randbelow(80)] + needle
            all_found[name] &= bool(search.look([("planted", text)]))
    return all_found


def _keep(
    mission: Mission, search: Search, rows: Sequence[tuple[str, ...]], found: list[Found], control: dict[str, bool]
) -> None:
    from benchmarks.proofs import Figure, Proof, Table, keep

    kinds = Counter(what for what, _ in search.secrets)
    searched = search.places * search.needles
    keep(
        Proof(
            name="secrets",
            title="Secrets",
            command="make secrets",
            says=(
                "The whole mission of all five vendors ran in an Airflow that logs at DEBUG, with canaries for every "
                "password, secret extra, web hook and probe, and with all tokens, codes, verifiers, session ids and "
                "signatures that the stand-ins gave written down: once with every sign-in refused, once with vendors "
                f"that quote each request in their errors in {len(WAYS)} ways, once well, and with code of ours that "
                "breaks inside of each hook. Afterwards each piece of 8 characters of each secret was looked for in "
                f"{len(SPELLINGS)} spellings in every file of Airflow, every value of every table, every object of the "
                "lake unpacked, every page and answer, and what the commands printed."
            ),
            figures=(
                Figure(what="found", value=str(len(found)), target="0", met=not found),
                Figure(what="secrets", value=str(len(search.secrets))),
                Figure(what="places times needles", value=f"{searched:.2e}"),
                Figure(
                    what="planted pieces found, by spelling",
                    value=f"{sum(control.values())} of {len(control)}",
                    target="all",
                    met=all(control.values()),
                ),
                Figure(
                    what="runs that failed and went well",
                    value=f"{len(mission.failed)} and {len(mission.succeeded)}",
                ),
            ),
            tables=(
                Table(title="Where", head=("place", "texts", "size", "found"), rows=tuple(rows)),
                Table(
                    title="What was looked for",
                    head=("secret", "values"),
                    rows=tuple((what, str(count)) for what, count in sorted(kinds.items())),
                ),
            ),
            found=FOUND,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
