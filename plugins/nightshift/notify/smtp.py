"""Airflow's SMTP hook, which does not drop whom the server has refused beside others that it took. Loads the provider."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from typing import Any

from airflow.providers.smtp.hooks.smtp import SmtpHook

from nightshift.errors import Rejected


class TellingSmtpHook(SmtpHook):
    """The hook, with what ``smtplib`` returns of a mail: the recipients that were refused, with code and words."""

    refused: Mapping[str, tuple[int, bytes]]

    def send(self, **given: Any) -> None:
        """Send a mail, see ``send_email_smtp``.

        :raises Rejected: the server has refused recipients; the others have it
        """
        self.refused = {}
        try:
            self.send_email_smtp(**given)
        except smtplib.SMTPRecipientsRefused as error:
            self.refused = error.recipients
        if self.refused:
            said = ", ".join(f"{one} ({code} {_words(text)})" for one, (code, text) in self.refused.items())
            raise Rejected(
                f"the mail server refused {said}",
                advice="Correct recipients in notify.yaml, or have the address made; the other recipients have this "
                "mail, and get each further try under the same Message-ID.",
            )

    def _build_client(self) -> Any:
        client = super()._build_client()
        sendmail = client.sendmail

        def noting(*args: Any, **kwargs: Any) -> Any:
            # Raised here, it would be sent again at once, to those as well who have it.
            self.refused = sendmail(*args, **kwargs)
            return self.refused

        client.sendmail = noting
        return client


def _words(text: bytes | str) -> str:
    return " ".join((text.decode(errors="replace") if isinstance(text, bytes) else text).split())
