"""Telling people: a message by webhook (as Slack takes it) or by mail.

Belongs here: one delivery to one place, with a timeout and an error that says what to mend. Not here: what is worth
telling (`io/alerts.py`), and when.
"""

import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from typing import Protocol
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 10


class NotDeliveredError(RuntimeError):
    """A message did not arrive; what it says names the place and the reason, and no secret."""


@dataclass(frozen=True)
class Picture:
    """A PNG that the HTML of a message shows as `cid:<name>`."""

    name: str
    png: bytes


@dataclass(frozen=True)
class Message:
    """`html` and its pictures are for mail; a webhook gets subject and text."""

    subject: str
    text: str
    html: str | None = None
    pictures: tuple[Picture, ...] = ()


class Channel(Protocol):
    """A place messages are delivered to."""

    name: str

    def deliver(self, message: Message) -> None:
        """Raises NotDeliveredError."""


class Log:
    """A logger, for who watches the platform where it runs."""

    name = "log"

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def deliver(self, message: Message) -> None:
        self._logger.warning(f"{message.subject}\n{message.text}")


class Webhook:
    """An HTTP endpoint that takes Slack's `{"text": ...}`; Mattermost, Discord (`/slack`) and others take it too."""

    name = "webhook"

    def __init__(self, url: str) -> None:
        self._url = url

    def deliver(self, message: Message) -> None:
        # what would be markup there: a message could call a whole channel
        text = escape(f"*{message.subject}*\n{message.text}", quote=False)
        body = json.dumps({"text": text}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                return
        except urllib.error.HTTPError as error:
            reason = f"it answered {error.code}"
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", error))
        # the path of a webhook's URL is its secret: only the host is named
        raise NotDeliveredError(f"the webhook at {urlsplit(self._url).hostname} took no message: {reason}")


class Mail:
    """An SMTP server: `smtp://user:password@host:587` (STARTTLS where the server offers it) or `smtps://host:465`."""

    name = "mail"

    def __init__(self, url: str, sender: str, recipients: Sequence[str]) -> None:
        self._url, self._sender, self._recipients = urlsplit(url), sender, list(recipients)

    def deliver(self, message: Message) -> None:
        try:
            with self._connected() as server:
                self._log_in(server)
                server.send_message(self._composed(message))
        except (OSError, smtplib.SMTPException) as error:
            raise NotDeliveredError(f"the mail server {self._url.hostname} took no message: {_reason(error)}") from None

    def _connected(self) -> smtplib.SMTP:
        host = self._url.hostname or "localhost"
        if self._url.scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, self._url.port or 465, timeout=TIMEOUT_SECONDS, context=context)
        return smtplib.SMTP(host, self._url.port or 25, timeout=TIMEOUT_SECONDS)

    def _log_in(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))

    def _composed(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = " ".join(message.subject.split())
        mail["From"], mail["To"] = self._sender, ", ".join(self._recipients)
        mail.set_content(message.text)
        if message.html:
            mail.add_alternative(message.html, subtype="html")
            page = mail.get_payload()[1]  # type: ignore[index]
            for picture in message.pictures:
                page.add_related(picture.png, "image", "png", cid=f"<{picture.name}>")  # type: ignore[union-attr]
        return mail


def _reason(error: OSError | smtplib.SMTPException) -> str:
    """What the server said, without what was said to it."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {said}"
    return str(error)
