"""Signatures and feeds, which are text alone; the digests are made here with the standard library."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from yt_platform.youtube.websub.protocol import FeedError, Notice, channel_secret, is_signed, notices

CHANNEL = "UC" + "x" * 22
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom"
      xmlns:at="http://purl.org/atompub/tombstones/1.0">
<link rel="hub" href="https://pubsubhubbub.appspot.com"/><title>YouTube video feed</title>
{}
</feed>"""
ENTRY = """<entry><id>yt:video:abcdefghijk</id><yt:videoId>abcdefghijk</yt:videoId>
<yt:channelId>{channel}</yt:channelId>
<title>R&amp;D</title><author><name>a</name></author><published>2015-03-06T21:40:57+00:00</published>
<updated>{updated}</updated></entry>"""
DELETED = """<at:deleted-entry ref="yt:video:abcdefghijk" when="2015-03-09T19:05:24+02:00">
<at:by><name>a</name><uri>https://www.youtube.com/channel/{channel}</uri></at:by></at:deleted-entry>"""


def test_an_upload_and_a_deletion() -> None:
    body = FEED.format(ENTRY + DELETED).format(channel=CHANNEL, updated="2015-03-09T19:05:24.552394234+00:00")
    published, updated = datetime(2015, 3, 6, 21, 40, 57, tzinfo=UTC), datetime(2015, 3, 9, 19, 5, 24, 552394, UTC)
    assert notices(body.encode()) == [
        Notice("abcdefghijk", CHANNEL, updated, published),
        Notice("abcdefghijk", CHANNEL, datetime(2015, 3, 9, 17, 5, 24, tzinfo=UTC), None),
    ]


def test_a_feed_without_entries_tells_nothing() -> None:
    assert notices(FEED.format("").encode()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"\xff\xfe",
        FEED.format(ENTRY).format(channel=CHANNEL, updated="yesterday").encode(),
        FEED.format(ENTRY).format(channel=CHANNEL, updated="2015-03-09T19:05:24").encode(),
        FEED.format(ENTRY).format(channel=CHANNEL, updated="").encode(),
        FEED.format(ENTRY).format(channel="UCshort", updated="2015-03-09T19:05:24Z").encode(),
        FEED.format(ENTRY).replace("abcdefghijk", "a'; DROP").format(channel=CHANNEL, updated="2015-03-09Z").encode(),
        b'<!DOCTYPE f [<!ENTITY a "b">]><feed>&a;</feed>',
    ],
)
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError):
        notices(body)


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signature_holds_for_its_body_its_secret_and_its_channel_alone(digest: str) -> None:
    secret = channel_secret(b"of this platform", CHANNEL)
    header = f"{digest}=" + hmac.new(secret.encode(), b"body", digest).hexdigest()
    assert is_signed(secret, b"body", header)
    assert is_signed(secret, b"body", header.upper().replace(digest.upper(), digest))
    assert not is_signed(secret, b"Body", header)
    assert not is_signed(channel_secret(b"of this platform", CHANNEL[:-1] + "y"), b"body", header)
    assert not is_signed(secret, b"body", "md5=" + hashlib.md5(b"body").hexdigest())
    assert not any(is_signed(secret, b"body", wrong) for wrong in ("", digest, f"{digest}=", f"{digest}=ä"))
