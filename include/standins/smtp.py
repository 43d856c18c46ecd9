"""A mail server that takes every mail and keeps it: enough of RFC 5321 for a client that says things in their order."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Self

START_SECONDS = 10
LOGIN, PASSWORD = "nights@example.com", "mail-password-9f8e7d6c"


@dataclass(frozen=True)
class Taken:
    """A mail that was taken.

    :param sender: of the envelope
    :param recipients: of the envelope
    :param user: who had signed in; empty: nobody
    """

    sender: str
    recipients: tuple[str, ...]
    user: str
    message: EmailMessage


class SmtpStandIn:
    """The server, in a thread of its own; ``with SmtpStandIn() as smtp: … smtp.port, smtp.taken``.

    :param refuse: recipients that are unknown here (550)
    :param silent: takes connections and says nothing
    """

    def __init__(self, *, refuse: frozenset[str] = frozenset(), silent: bool = False) -> None:
        self.refuse = refuse
        self.silent = silent
        self.taken: list[Taken] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._ended: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._live, name="standin-smtp", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError(f"the mail server did not listen within {START_SECONDS} s")
        return self

    def __exit__(self, *raised: object) -> None:
        if self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(START_SECONDS)

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        talks: set[asyncio.Task[None]] = set()

        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            talks.add(asyncio.create_task(self._talk(reader, writer)))

        server = await asyncio.start_server(welcome, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            await asyncio.Event().wait()
        user, sender = "", ""
        recipients: list[str] = []
        writer.write(b"220 mail.example.com ESMTP\r\n")
        while line := (await reader.readline()).decode().strip():
            verb, _, rest = line.partition(" ")
            answer = "250 OK"
            match verb.upper():
                case "EHLO" | "HELO":
                    answer = "250-mail.example.com\r\n250 AUTH PLAIN"
                case "AUTH":
                    user = self._signed_in(rest)
                    answer = "235 accepted" if user else "535 5.7.8 Authentication credentials invalid"
                case "MAIL":
                    sender, recipients = _address(rest), []
                case "RCPT" if not sender:
                    answer = "503 MAIL first"
                case "RCPT" if _address(rest) in self.refuse:
                    answer = "550 5.1.1 no such mailbox"
                case "RCPT":
                    recipients.append(_address(rest))
                case "DATA" if not (sender and recipients):
                    answer = "503 RCPT first"
                case "DATA":
                    writer.write(b"354 go on\r\n")
                    self.taken.append(Taken(sender, tuple(recipients), user, await _mail(reader)))
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case "RSET" | "NOOP":
                    pass
                case _:
                    answer = "502 not known"
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
        writer.close()

    def _signed_in(self, rest: str) -> str:
        _, login, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        return login if (login, password) == (LOGIN, PASSWORD) else ""


async def _mail(reader: asyncio.StreamReader) -> EmailMessage:
    lines = []
    while (line := await reader.readline()) not in (b".\r\n", b""):
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - for the types
    return message


def _address(text: str) -> str:
    return text.partition("<")[2].partition(">")[0]
