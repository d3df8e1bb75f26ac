"""Deliveries to real servers on loopback: what they receive, and what is said when they take nothing."""

import email
import email.policy

import pytest

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
