"""Tell the channels what became known: each message claimed before it is sent, and what came of it written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.notify.send import SECONDS, deliver
from nightshift.watch.incident import Incident, Notification, Outcome, Update
from nightshift.watch.words import message_of

if TYPE_CHECKING:
    from nightshift.config.notify import Channel
    from nightshift.watch.incidents import Incidents

AT_ONCE = 8
LATE_NEWS = timedelta(hours=1)
"""That something is over is told to a channel that never heard of it only so soon after: a channel that is new does not
want the news of last week.
"""


def pending(incident: Incident, channel: str, now: datetime) -> Update | None:
    """Return what a channel has to be told of an incident: the newest message, unless it has it, or it was given up.

    An older one that never got through is not sent any more: the newest says how it stands.
    """
    told = [update for update in incident.updates if update.told]
    if not told or incident.outcome is Outcome.DOUBLED:
        return None
    newest = told[-1]
    known = {one.update: one for one in incident.notified if one.channel == channel}
    if not incident.is_open and not known and now - newest.at > LATE_NEWS:
        return None
    there = known.get(newest.number)
    return None if there is not None and (there.sent is not None or there.given_up) else newest


async def tell_all(
    incidents: Incidents,
    known: Iterable[Incident],
    channels: Mapping[str, Channel],
    now: datetime,
    *,
    base_url: str | None = None,
    seconds: float = SECONDS,
) -> list[Notification]:
    """Tell every channel what it has to be told, side by side; return what was tried here.

    :param known: the incidents, as they are in the lake
    :param base_url: where Airflow's UI is
    :param seconds: how long one message may take
    """
    gate = asyncio.Semaphore(AT_ONCE)
    hanging: set[str] = set()

    async def one(incident: Incident, update: Update, name: str) -> Notification | None:
        async with gate:
            # One that hangs would hold up this look, message by message; the next one tries again.
            number = None if name in hanging else await incidents.claim(incident, update.number, name, now)
            if number is None:
                return None
            message = message_of(incident, update, base_url)
            began = time.monotonic()
            error = await deliver(message, name, channels[name], seconds=seconds)
            if error is not None and time.monotonic() - began >= seconds:
                hanging.add(name)
            await incidents.note(incident.id, update.number, name, number, now, error=error)
            sent = now if error is None else None
            return Notification(update=update.number, channel=name, attempts=number, sent=sent, error=error or "")

    wanted = [(each, pending(each, name, now), name) for each in known for name in channels]
    done = await asyncio.gather(*(one(each, update, name) for each, update, name in wanted if update is not None))
    return [delivery for delivery in done if delivery is not None]
