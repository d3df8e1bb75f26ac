"""Deliveries to real servers on loopback: what they receive, and what is said when they take nothing."""

import email
import email.policy

import pytest

from yt_platform.io import notify
from yt_platform.io.notify import Mail, Message, NotDeliveredError, Picture, Webhook
from yt_platform_tests.receivers import Box, Hook

MESSAGE = Message("Training failed", "video_forecaster: no rows", "<p>no rows <img src='cid:error'></p>")
PNG = b"\x89PNG\r\n\x1a\nrest"


def test_a_webhook_gets_subject_and_text(hook: Hook) -> None:
    Webhook(hook.url).deliver(MESSAGE)
    assert hook.received == [{"text": "*Training failed*\nvideo_forecaster: no rows"}]


def test_a_message_is_no_markup_of_slack(hook: Hook) -> None:
    """`<!channel>` in a title would call everybody."""
    Webhook(hook.url).deliver(Message("a", "<!channel> & b"))
    assert hook.received == [{"text": "*a*\n&lt;!channel&gt; &amp; b"}]


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
