"""Telling people: a message by webhook (as Slack takes it) or by mail.

Belongs here: one delivery to one place, with a timeout and an error that says what to mend. Not here: what is worth
telling (`monitoring/alerts.py`), and when.
"""

import http.client
import ipaddress
import json
import logging
import re
import smtplib
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from typing import Protocol
from urllib.parse import unquote, urlsplit

from yt_platform.printable import printable

TIMEOUT_SECONDS = 10
"""For one answer of a server."""

DELIVERY_SECONDS = 20
"""For a delivery as a whole: a mail takes ten answers, and a sensor's tick has 60 s for both channels."""

TEXT_LIMIT = 40_000
"""Characters of a message that Slack takes; it cuts what is longer without a word."""

DISCORD = ("discord.com", "discordapp.com")

TEXT_LIMITS: Mapping[str, int] = dict.fromkeys(DISCORD, 2_000)
"""Those of receivers that take fewer, by domain: Discord refuses longer messages."""

_NO_MENTIONS: Mapping[str, object] = {"allowed_mentions": {"parse": []}}
"""Discord's own word for it; see "Allowed Mentions" in its developers' documentation of messages."""

_CUT = "\n… cut here: `yt-platform status` and bi.alerts have the rest"


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
        self._logger.warning(printable(f"{message.subject}\n{message.text}"))


class Webhook:
    """An HTTP endpoint that takes Slack's `{"text": ...}`; Mattermost, Discord (`/slack`) and others take it too."""

    name = "webhook"

    def __init__(self, url: str) -> None:
        self._url = url

    def deliver(self, message: Message) -> None:
        host = urlsplit(self._url).hostname or ""
        text = _calling_nobody(printable(f"*{message.subject}*\n{message.text}"))
        told = {"text": _fitted(text, _text_limit(host)), **(_NO_MENTIONS if _is_discord(host) else {})}
        request = urllib.request.Request(self._url, json.dumps(told).encode(), {"Content-Type": "application/json"})
        try:
            _in_time(lambda: urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close())
            return
        except urllib.error.HTTPError as error:
            reason = f"it answered {error.code}"
            error.close()  # it is the answer, with its connection
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            reason = str(getattr(error, "reason", error))
        # the path of a webhook's URL is its secret: only the host is named
        raise NotDeliveredError(f"the webhook at {host} took no message: {reason}")


class Mail:
    """An SMTP server: `smtp://user:password@host:587` (with STARTTLS) or `smtps://host:465`.

    A server of another machine must offer STARTTLS and show a certificate of its name: whoever sits between could hide
    the offer, and read password and mail. `cleartext` lets mail go without it, and never a password.
    """

    name = "mail"

    def __init__(self, url: str, sender: str, recipients: Sequence[str], *, cleartext: bool = False) -> None:
        self._url, self._sender, self._recipients = urlsplit(url), sender, list(recipients)
        self._cleartext = cleartext

    def deliver(self, message: Message) -> None:
        mail = self._composed(message)
        try:
            _in_time(lambda: self._send(mail))
        except (OSError, smtplib.SMTPException) as error:
            raise NotDeliveredError(f"the mail server {self._url.hostname} took no message: {_reason(error)}") from None

    def _send(self, mail: EmailMessage) -> None:
        with self._connected() as server:
            self._log_in(server)
            server.send_message(mail)

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
        elif self._url.scheme == "smtp" and not _is_loopback(self._url.hostname or "localhost"):
            self._allow_cleartext()
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))

    def _allow_cleartext(self) -> None:
        """Raises NotDeliveredError where the mail, or a password, would go in clear over a network."""
        if self._cleartext and not self._url.username:
            return
        what, remedy = (
            ("the password", "")
            if self._cleartext
            else ("mail", ", or set YT_ALERT_SMTP_CLEARTEXT=true for a network that you trust and a URL without user")
        )
        raise NotDeliveredError(
            f"the mail server {self._url.hostname} offers no STARTTLS, so that {what} would go unencrypted, and "
            f"nothing was sent: use its smtps:// port{remedy}"
        )

    def _composed(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = printable(" ".join(message.subject.split()))
        mail["From"], mail["To"] = self._sender, ", ".join(self._recipients)
        mail.set_content(printable(message.text))
        if message.html:
            mail.add_alternative(message.html, subtype="html")
            page = mail.get_payload()[1]  # type: ignore[index]
            for picture in message.pictures:
                page.add_related(picture.png, "image", "png", cid=f"<{picture.name}>")  # type: ignore[union-attr]
        return mail


def _in_time(work: Callable[[], None]) -> None:
    """Do the work, in a thread: a server that sends a byte at a time keeps every timeout of a socket.

    Raises TimeoutError where it takes longer than `DELIVERY_SECONDS`. The thread is left behind then, until its server
    or the process ends; what it still delivers is told a second time, and never not at all.
    """
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised again by whoever waits
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    try:
        done.result(DELIVERY_SECONDS)
    except TimeoutError:
        if done.done():
            raise
        raise TimeoutError(f"it was not done within {DELIVERY_SECONDS} s") from None


def _text_limit(host: str) -> int:
    return next((limit for domain, limit in TEXT_LIMITS.items() if _is_below(host, domain)), TEXT_LIMIT)


def _is_discord(host: str) -> bool:
    return any(_is_below(host, domain) for domain in DISCORD)


def _is_below(host: str, domain: str) -> bool:
    return f".{host}".endswith(f".{domain}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _calling_nobody(text: str) -> str:
    """The text with a space of no width behind each `@` that begins a name, and in `<!`: receivers call everybody at
    `@everyone`, `@here`, `@channel` or `<!channel>`, and a title may have any of them."""
    return re.sub(r"(?<!\w)@(?=\S)|<(?=[!@#])", "\\g<0>\u200b", text)


def _fitted(text: str, limit: int) -> str:
    """The text without markup, as that could call a whole channel; of one that is too long the beginning, and a line
    that says so."""
    escaped = escape(text, quote=False)
    if len(escaped) <= limit:
        return escaped
    return re.sub("&[a-z]*$", "", escaped[: limit - len(_CUT)]) + _CUT


def _reason(error: OSError | smtplib.SMTPException) -> str:
    """What the server said, without what was said to it."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {said}"
    return str(error)
