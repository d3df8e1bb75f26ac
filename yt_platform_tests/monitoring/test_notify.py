"""Deliveries to real servers on loopback: what they receive, and what is said when they take nothing."""

import email
import email.policy
import html
import logging
import re

import pytest

from yt_platform.monitoring import notify
from yt_platform.monitoring.notify import Log, Mail, Message, NotDeliveredError, Picture, Webhook
from yt_platform_tests.receivers import Box, Hook

MESSAGE = Message("Training failed", "video_forecaster: no rows", "<p>no rows <img src='cid:error'></p>")
PNG = b"\x89PNG\r\n\x1a\nrest"


def test_a_webhook_gets_subject_and_text(hook: Hook) -> None:
    Webhook(hook.url).deliver(MESSAGE)
    assert hook.received == [{"text": "*Training failed*\nvideo_forecaster: no rows"}]


def test_a_message_is_no_markup_of_slack(hook: Hook) -> None:
    """`<!channel>` in a title would call everybody."""
    Webhook(hook.url).deliver(Message("a", "<!channel> & b"))
    assert hook.received == [{"text": "*a*\n&lt;\u200b!channel&gt; &amp; b"}]


@pytest.mark.parametrize("call", ["@everyone", "@here", "@channel", "@all", "<@&1234>", "<@U1234>", "<!here>", "@me"])
def test_a_title_calls_nobody(hook: Hook, call: str) -> None:
    """Receivers read these in plain text too, and some read the text without its escapes."""
    Webhook(hook.url).deliver(Message("a", f"new video: {call} come"))
    assert call not in html.unescape(hook.received[0]["text"])
    assert html.unescape(hook.received[0]["text"]).replace("\u200b", "") == f"*a*\nnew video: {call} come"


def test_an_address_stays_as_it_is(hook: Hook) -> None:
    Webhook(hook.url).deliver(Message("a", "ask me@example.org @ noon"))
    assert hook.received == [{"text": "*a*\nask me@example.org @ noon"}]


def test_discord_is_told_to_call_nobody(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "DISCORD", ("127.0.0.1",))
    Webhook(hook.url).deliver(MESSAGE)
    assert hook.received[0]["allowed_mentions"] == {"parse": []}


def test_no_control_character_reaches_a_log_webhook_or_mail(
    hook: Hook, box: tuple[Box, int], caplog: pytest.LogCaptureFixture
) -> None:
    message = Message("a\x1b]0;b\x07", "c\x9b2J\u202ed\ne")
    for place in (
        Log(logging.getLogger("t")),
        Webhook(hook.url),
        Mail(f"smtp://127.0.0.1:{box[1]}", "a@example.org", ["b@example.org"]),
    ):
        place.deliver(message)
    mail = email.message_from_bytes(box[0].received[0].content, policy=email.policy.default)
    body = mail.get_content()
    for text in (caplog.messages[0], hook.received[0]["text"], f"{mail['Subject']}{body}"):
        assert r"a\x1b]0;b\x07" in text
        assert r"c\x9b2J\u202ed" in text
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text)


@pytest.mark.parametrize(
    ("user", "cleartext", "said"),
    [("", False, "mail would go unencrypted"), ("", True, ""), ("me%40example.org:p%40ss%20word@", True, "password")],
)
def test_mail_leaves_the_machine_encrypted_or_not_at_all(
    box: tuple[Box, int], monkeypatch: pytest.MonkeyPatch, user: str, cleartext: bool, said: str
) -> None:
    """Whoever sits between can hide that a server offers STARTTLS. The server here is taken for another machine's."""
    kept, port = box
    monkeypatch.setattr(notify, "_is_loopback", lambda _: False)
    mail = Mail(f"smtp://{user}127.0.0.1:{port}", "a@example.org", ["b@example.org"], cleartext=cleartext)
    if said:
        with pytest.raises(NotDeliveredError, match=rf"no STARTTLS, so that .*{said}"):
            mail.deliver(MESSAGE)
    else:
        mail.deliver(MESSAGE)
    assert len(kept.received) == (0 if said else 1)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("localhost.example.org", False), ("10.0.0.1", False)],
)
def test_what_this_machine_is(host: str, loopback: bool) -> None:
    assert notify._is_loopback(host) == loopback


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_webhook_that_refuses_is_said_without_its_secret(hook: Hook, status: int) -> None:
    hook.status = status
    with pytest.raises(
        NotDeliveredError, match=f"the webhook at 127.0.0.1 took no message: it answered {status}"
    ) as said:
        Webhook(hook.url).deliver(MESSAGE)
    assert "SECRET" not in str(said.value)


def test_a_webhook_that_is_not_there_is_said() -> None:
    with pytest.raises(NotDeliveredError, match="refused"):
        Webhook("http://127.0.0.1:1/SECRET").deliver(MESSAGE)


@pytest.mark.parametrize("padding", range(6))  # the cut falls into every place of an entity
def test_what_a_receiver_would_refuse_is_cut_and_the_cut_is_told(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, padding: int
) -> None:
    monkeypatch.setattr(notify, "TEXT_LIMITS", {"127.0.0.1": 2_000})
    hook.limit = 2_000
    Webhook(hook.url).deliver(Message("a", "x" * padding + "&" * 1_000))
    kept, said = hook.received[0]["text"].split("\n… cut here: ")
    assert "bi.alerts" in said
    assert kept.removeprefix("*a*\n").lstrip("x").replace("&amp;", "") == ""
    assert 1_990 < len(hook.received[0]["text"]) <= 2_000
    Webhook(hook.url).deliver(Message("a", "x" * 1_996))  # as long as it may be
    assert hook.received[1]["text"] == "*a*\n" + "x" * 1_996


@pytest.mark.parametrize(
    ("host", "limit"),
    [("discord.com", 2_000), ("ptb.discord.com", 2_000), ("notdiscord.com", 40_000), ("hooks.slack.com", 40_000)],
)
def test_discord_takes_less_than_slack(host: str, limit: int) -> None:
    assert notify._text_limit(host) == limit


def test_a_server_that_never_comes_to_an_end_is_left(dawdler: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer comes in time for a socket, so that one delivery took minutes of a sensor's 60 seconds."""
    monkeypatch.setattr(notify, "DELIVERY_SECONDS", 0.3)
    mail = Mail(f"smtp://127.0.0.1:{dawdler}", "a@example.org", ["b@example.org"])
    for place in (mail, Webhook(f"http://127.0.0.1:{dawdler}/SECRET")):
        with pytest.raises(NotDeliveredError, match=r"took no message: it was not done within 0\.3 s"):
            place.deliver(MESSAGE)


def test_mail_has_text_html_and_pictures(box: tuple[Box, int]) -> None:
    kept, port = box
    url = f"smtp://me%40example.org:p%40ss%20word@127.0.0.1:{port}"
    message = Message(MESSAGE.subject + "\nBcc: x@example.org", MESSAGE.text, MESSAGE.html, (Picture("error", PNG),))
    Mail(url, "platform@example.org", ["a@example.org", "b@example.org"]).deliver(message)
    envelope = kept.received[0]
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["Subject"] == "Training failed Bcc: x@example.org"  # one line: no header can be smuggled in
    assert mail["Bcc"] is None
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert parts["text/plain"].get_content().strip() == MESSAGE.text
    assert "cid:error" in parts["text/html"].get_content()
    assert parts["image/png"].get_content() == PNG


def test_a_refused_mail_is_said_without_the_password(box: tuple[Box, int]) -> None:
    kept, port = box
    kept.refuse = "554 no such list"
    mail = Mail(f"smtp://me%40example.org:p%40ss%20word@127.0.0.1:{port}", "a@example.org", ["b@example.org"])
    with pytest.raises(NotDeliveredError, match=r"the mail server 127\.0\.0\.1 took no message: 554 no such list"):
        mail.deliver(MESSAGE)
    wrong = Mail(f"smtp://me:wrong-password@127.0.0.1:{port}", "a@example.org", ["b@example.org"])
    with pytest.raises(NotDeliveredError, match=r"535") as said:
        wrong.deliver(MESSAGE)
    assert "wrong-password" not in str(said.value)
    assert kept.received == []
