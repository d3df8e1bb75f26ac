"""A WebSub hub as YouTube's: verifies who subscribes, and signs what it delivers, by the sandbox's clock.

Here: subscriptions, and feeds of a world's videos. It delivers when it is told to (`control.py`), as nothing in the
sandbox happens by itself.
"""

import hashlib
import hmac
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from yt_platform.sandbox.clock import SandboxClock
from yt_platform.sandbox.world import World

PATH = "/subscribe"
TOPIC = "https://www.youtube.com/feeds/videos.xml?channel_id="
LONGEST_LEASE = timedelta(days=10)
TIMEOUT_SECONDS = 5

_FEED = (
    '<?xml version="1.0" encoding="UTF-8"?><feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" '
    'xmlns:at="http://purl.org/atompub/tombstones/1.0" xmlns="http://www.w3.org/2005/Atom">{}</feed>'
)
_ENTRY = (
    "<entry><id>yt:video:{video}</id><yt:videoId>{video}</yt:videoId><yt:channelId>{channel}</yt:channelId>"
    "<title>{title}</title><published>{published}</published><updated>{updated}</updated></entry>"
)
_DELETED = (
    '<at:deleted-entry ref="yt:video:{video}" when="{updated}"><at:by>'
    "<uri>https://www.youtube.com/channel/{channel}</uri></at:by></at:deleted-entry>"
)


@dataclass(frozen=True)
class Subscription:
    """Who is told of a topic, signed with what, until when."""

    callback: str
    secret: str
    expires_at: datetime


class Hub:
    """Safe to call from several threads."""

    def __init__(self, world: World, clock: SandboxClock) -> None:
        self._world, self._clock = world, clock
        self._lock = threading.Lock()
        self.subscriptions: dict[str, Subscription] = {}
        self.closed_until: datetime | None = None
        """Until then requests are answered with 503, while granted leases go on."""

    def take(self, body: bytes) -> int:
        """A request to subscribe or to end it; returns the status, and verifies in a thread of its own."""
        if self.closed_until and self._clock.now() < self.closed_until:
            return 503
        form = dict(parse_qsl(body.decode("latin-1")))
        known = form.get("hub.mode") in ("subscribe", "unsubscribe") and form.get("hub.topic", "").startswith(TOPIC)
        if not known or not form.get("hub.callback", "").startswith(("http://", "https://")):
            return 400
        threading.Thread(target=self._verify, args=(form,), daemon=True).start()
        return 202

    def _verify(self, form: Mapping[str, str]) -> None:
        asked = int(form.get("hub.lease_seconds") or LONGEST_LEASE.total_seconds())
        lease = min(timedelta(seconds=asked), LONGEST_LEASE)
        challenge = secrets.token_hex(16)
        query = {
            "hub.mode": form["hub.mode"],
            "hub.topic": form["hub.topic"],
            "hub.challenge": challenge,
            "hub.lease_seconds": str(int(lease.total_seconds())),
        }
        try:
            with urllib.request.urlopen(
                f"{form['hub.callback']}?{urlencode(query)}", timeout=TIMEOUT_SECONDS
            ) as answer:
                if answer.read() != challenge.encode():
                    return
        except OSError:
            return  # who does not answer has not asked
        with self._lock:
            if form["hub.mode"] == "unsubscribe":
                self.subscriptions.pop(form["hub.topic"], None)
            else:
                until = self._clock.now() + lease
                self.subscriptions[form["hub.topic"]] = Subscription(
                    form["hub.callback"], form.get("hub.secret", ""), until
                )

    def publish(self, channel_id: str, video_id: str) -> int | None:
        """Tell the subscriber of a video as the world has it now; returns its answer's status, None without one."""
        now = self._clock.now()
        found = self._world.videos([video_id], now.timestamp())
        names = {"video": video_id, "channel": channel_id, "updated": now.isoformat()}
        if found:
            title = escape(self._world.details(video_id, now.timestamp()).title)
            published = datetime.fromtimestamp(found[0].published_at, UTC).isoformat()
            return self.deliver(channel_id, _FEED.format(_ENTRY.format(**names, title=title, published=published)))
        return self.deliver(channel_id, _FEED.format(_DELETED.format(**names)))

    def deliver(self, channel_id: str, feed: str) -> int | None:
        subscription = self.subscriptions.get(TOPIC + channel_id)
        if subscription is None or subscription.expires_at <= self._clock.now():
            return None
        body = feed.encode()
        signature = hmac.new(subscription.secret.encode(), body, hashlib.sha1).hexdigest()
        headers = {"Content-Type": "application/atom+xml", "X-Hub-Signature": f"sha1={signature}"}
        request = urllib.request.Request(subscription.callback, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
