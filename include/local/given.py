"""What a person gives to `make run`: `.env`, a port, a night. Whatever cannot be meant is refused before anything
starts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from dotenv import load_dotenv

from include.local import ROOT
from nightshift.fields import night_of
from nightshift.local_time import last_night

DEFAULT_PORT = 8080


class Refused(ValueError):
    """What was given cannot be used; the text says what to give instead."""


def read_dotenv(path: Path = ROOT / ".env") -> None:
    """Take what a ``.env`` file sets into the environment, where it is not set already; there may be no such file.

    :raises Refused: the file cannot be read
    """
    try:
        load_dotenv(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}. Correct it or remove it.") from None


def port_of(given: str | None) -> int:
    """Return the port of the UI: the one that is given, else ``PORT`` of the environment, else 8080.

    :raises Refused: it is no port that a user may listen on
    """
    text = given or os.environ.get("PORT") or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdigit() and 1024 <= int(text) <= 65535):
        raise Refused(f"PORT={text} is no port: give a whole number from 1024 to 65535, such as {DEFAULT_PORT}.")
    return int(text)


def night_given(text: str, zones: Mapping[str, ZoneInfo], now: datetime | None = None) -> str:
    """Return the night that is given.

    :param zones: what shall bring it home → the zone of its vendor's days
    :param now: an aware time; default: now
    :raises Refused: it is no day, or it is not over yet at one of the vendors
    """
    now = now or datetime.now(UTC)
    lasts = {name: last_night(zone, now) for name, zone in zones.items()}
    newest = min(lasts.values(), default=last_night(ZoneInfo("UTC"), now))
    try:
        night = night_of(text)
    except ValueError:
        raise Refused(f"NIGHT={text} is no day: write it as YYYY-MM-DD, such as {newest}.") from None
    if night > newest:
        late = ", ".join(name for name, last in lasts.items() if night > last)
        raise Refused(f"NIGHT={text} is not over yet for {late}. The last night that is: {newest}.")
    return text


def check_writable(place: str) -> None:
    """Make a folder where it is missing; a URL of an object store is taken as it is.

    :raises Refused: nothing can be written there
    """
    if "://" in (place := place.removeprefix("file://")):
        return
    folder = Path(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK)
    except OSError:
        usable = False
    if not usable:
        raise Refused(
            f"cannot write in {folder}. Copy the checkout to a folder of your own and run there, or set "
            "NIGHTSHIFT_LAKE where it is the lake that cannot be written."
        )


@contextlib.contextmanager
def held_alone(home: Path) -> Iterator[None]:
    """Hold a folder for this process until it ends: two Airflows on one database would take each other's tasks.

    :raises Refused: another process holds it
    """
    with (home / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"another `make run` is at work in {home}. End it with Ctrl-C in its terminal first; commands and "
                "backfills beside it: make airflow."
            ) from None
        yield
