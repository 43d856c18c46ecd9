"""Send a message through channels: side by side, each with a limit of time, so that one that hangs holds up no
other.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nightshift.config.document import ConfigError
from nightshift.config.notify import Channel, channels_about, channels_in_force
from nightshift.fields import nearest
from nightshift.notify.message import Event, Message, Severity
from nightshift.notify.others import airflow_notifier, mail
from nightshift.redaction import redact_words

log = logging.getLogger(__name__)

SECONDS = 60.0
"""How long one channel may take."""
MAX_ERROR = 300


async def deliver(message: Message, name: str, channel: Channel, *, seconds: float = SECONDS) -> str | None:
    """Send a message through one channel.

    :param name: name of the channel
    :param seconds: how long it may take
    :return: why it was not taken, without secrets; ``None``: it was
    """
    try:
        async with asyncio.timeout(seconds):
            await _send(message, channel)
    except TimeoutError:
        problem = f"no answer within {seconds:g} s; it may have arrived all the same"
    except Exception as error:
        problem = redact_words(str(error) or type(error).__name__, MAX_ERROR)
    else:
        log.info("Told %s: %s", name, message.title)
        return None
    log.warning("The channel %s did not take a message (%s): %s", name, message.title, problem)
    return problem


async def atell(
    message: Message, channels: Mapping[str, Channel] | None = None, *, seconds: float = SECONDS
) -> dict[str, str | None]:
    """Send a message through all channels of its topic, or those given, side by side.

    :param seconds: how long one channel may take
    :return: channel → why it was not taken; ``None``: it was
    """
    found = channels_about(message.topic) if channels is None else channels
    sent = (deliver(message, name, channel, seconds=seconds) for name, channel in found.items())
    problems = await asyncio.gather(*sent)
    return dict(zip(found, problems, strict=True))


def tell(message: Message, folder: Path | None = None) -> list[str]:
    """Send a message through all channels of its topic. Blocks, a minute at most; never raises.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :return: why people were not told, a sentence for each channel that failed
    """
    try:
        channels = channels_about(message.topic, folder)
    except (ConfigError, OSError) as error:
        return [f"nobody was told: {error}"]
    told = asyncio.run(atell(message, channels))
    return [f"the channel {name} did not take it: {problem}" for name, problem in told.items() if problem is not None]


async def try_channel(name: str, channel: Channel) -> str | None:
    """Send a test through a channel, opened and closed at once, so that nobody stays called.

    :return: why it was not taken; ``None``: it was
    """
    now = datetime.now(UTC)
    test = Message(
        key=f"nightshift-test-{name}-{now:%Y%m%dT%H%M%S}",
        topic="nights",
        event=Event.OPENED,
        title=f"Nightshift: a test of the channel {name}",
        text="Somebody has pressed Test. Nothing is wrong.",
        severity=Severity.INFO,
        at=now,
    )
    over = test.model_copy(update={"event": Event.CLOSED, "number": 2, "title": f"{test.title} is over"})
    return await deliver(test, name, channel) or await deliver(over, name, channel)


def try_channel_of(name: str, folder: Path | None = None) -> str | None:
    """Send a test through a channel of ``notify.yaml``. Blocks.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :return: why it was not taken; ``None``: it was
    :raises LookupError: there is no such channel
    """
    channels = channels_in_force(folder)
    if name not in channels:
        raise LookupError(f"notify.yaml has no channel {name!r}{nearest(name, channels)}")
    return asyncio.run(try_channel(name, channels[name]))


async def _send(message: Message, channel: Channel) -> None:
    if channel.to == "mail":
        await _beside(mail, message, channel.connection_id, channel.recipients)
    elif channel.to == "notifier":
        await _beside(airflow_notifier, message, channel.notifier or "", channel.arguments)
    else:
        from nightshift.notify.webhooks import HOOKS

        async with HOOKS[channel.to](channel.connection_id) as hook:
            await hook.post(message)


async def _beside(call: Callable[..., None], *arguments: Any) -> None:
    """Make a call that blocks in a thread that nobody waits for at the end: one that hangs ends with its process."""
    done: Future[None] = Future()
    # One that is underway is not cancelled with whoever waits for it.
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            call(*arguments)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, name="nightshift-notify", daemon=True).start()
    await asyncio.wrap_future(done)
