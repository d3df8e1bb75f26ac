"""Push notifications of new uploads: subscriptions at a hub, and what it tells, into Postgres.

A hub that is silent, late or lies loses nothing: uploads are polled as before, and a notification only makes the next
collection look at a video sooner. Not here: HTTP from the hub (`receiver.py`), and what a feed says
(`youtube/websub/protocol.py`).
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlencode

from yt_platform.storage.secret_file import kept_secret
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.websub.protocol import LEASE_SECONDS, Notice, callback_path, channel_secret, topic_of

SECRET = "push.secret"
TIMEOUT_SECONDS = 10
RENEW_IN_LAST = 0.3
"""The last part of a lease, in which it is renewed: three of ten days. An outage of the hub that is shorter ends no
lease."""
ASK_AGAIN_AFTER = timedelta(hours=1)
"""A request the hub has not verified by then is lost."""

NOTICES_KEPT = timedelta(days=30)

Mode = Literal["subscribe", "unsubscribe"]


@dataclass(frozen=True)
class Asked:
    """Channels for which the hub took a request, by what was asked, and why it took none, by channel."""

    subscribed: int
    unsubscribed: int
    failures: dict[str, str]


@dataclass(frozen=True)
class Hub:
    """A hub, and where it is to call back: `callback` is the public address of the receiver."""

    url: str
    callback: str
    secret: bytes

    def ask(self, mode: Mode, channel_id: str) -> str | None:
        """Returns why the hub took no request, in words without secrets."""
        form = {
            "hub.mode": mode,
            "hub.topic": topic_of(channel_id),
            "hub.callback": f"{self.callback.rstrip('/')}/{callback_path(self.secret, channel_id)}",
            "hub.verify": "async",
            "hub.secret": channel_secret(self.secret, channel_id),
            "hub.lease_seconds": str(LEASE_SECONDS),
        }
        request = urllib.request.Request(self.url, urlencode(form).encode())
        try:
            urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
            return None
        except urllib.error.HTTPError as error:
            error.close()
            return f"the hub answered {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            return f"the hub is not to be reached: {getattr(error, 'reason', error)}"


def push_secret(home: Path) -> bytes:
    """The secret that signatures are made with, in a file of mode 0600; made when first asked for."""
    return bytes.fromhex(kept_secret(home / SECRET))


_DUE = """
SELECT channel.channel_id FROM ops.watched_channels AS channel
LEFT JOIN ops.push_subscriptions AS push USING (channel_id)
WHERE channel.channel_id IS NOT NULL AND NOT channel.paused
    AND (
        push.lease_expires_at IS NULL
        OR push.lease_expires_at - (push.lease_expires_at - push.verified_at) * $3::float8 < $1
    )
    AND (push.requested_at IS NULL OR push.requested_at < $2)
ORDER BY push.lease_expires_at NULLS FIRST, channel.channel_id
"""

_UNWANTED = """
SELECT push.channel_id FROM ops.push_subscriptions AS push
WHERE push.lease_expires_at > $1 AND push.requested_at < $2 AND NOT EXISTS (
    SELECT FROM ops.watched_channels AS channel WHERE channel.channel_id = push.channel_id AND NOT channel.paused
)
"""


def subscriptions_due(warehouse: Warehouse, now: datetime) -> list[str]:
    """Watched channels without a lease, or in the last part of one, and not asked for within the hour."""
    rows = warehouse.records(_DUE, (now, now - ASK_AGAIN_AFTER, RENEW_IN_LAST))
    return [row["channel_id"] for row in rows]


def subscriptions_unwanted(warehouse: Warehouse, now: datetime) -> list[str]:
    """Channels with a lease that are no longer watched, and were not asked about within the hour."""
    return [row["channel_id"] for row in warehouse.records(_UNWANTED, (now, now - ASK_AGAIN_AFTER))]


def ask_hub(warehouse: Warehouse, hub: Hub, now: datetime) -> Asked:
    """Subscribe to what is due, unsubscribe from what is no longer watched, and forget old notices."""
    wanted, unwanted = subscriptions_due(warehouse, now), subscriptions_unwanted(warehouse, now)
    failures = {
        channel: failure
        for mode, channels in (("subscribe", wanted), ("unsubscribe", unwanted))
        for channel in channels
        if (failure := _ask(warehouse, hub, cast(Mode, mode), channel, now))
    }
    warehouse.records("DELETE FROM ops.push_notices WHERE received_at < $1 RETURNING 1", (now - NOTICES_KEPT,))
    taken, given_up = (sum(channel not in failures for channel in channels) for channels in (wanted, unwanted))
    return Asked(taken, given_up, failures)


def _ask(warehouse: Warehouse, hub: Hub, mode: Mode, channel: str, now: datetime) -> str | None:
    # booked before the call: the hub may verify before it has answered
    warehouse.records(
        "INSERT INTO ops.push_subscriptions (channel_id, requested_at, asked_since) "
        "VALUES ($1, $2, CASE WHEN $3 = 'subscribe' THEN $2 END) "
        "ON CONFLICT (channel_id) DO UPDATE SET requested_at = excluded.requested_at, failure = NULL, "
        "asked_since = CASE WHEN $3 = 'subscribe' THEN coalesce(push_subscriptions.asked_since, $2) END RETURNING 1",
        (channel, now, mode),
    )
    failure = hub.ask(mode, channel)
    if failure:
        told = "UPDATE ops.push_subscriptions SET failure = $1 WHERE channel_id = $2 RETURNING 1"
        warehouse.records(told, (failure, channel))
    return failure


def verified(warehouse: Warehouse, channel: str, mode: Mode, lease_seconds: int, now: datetime) -> bool:
    """Whether a hub's verification is of what is wanted; the lease then counts from now.

    Only what is watched is subscribed to, and only what is not is given up, whether or not a row still says that the
    hub was asked: of a forgotten channel there is none, and a hub that got no answer the first time verifies again.
    """
    watched = "SELECT 1 AS watched FROM ops.watched_channels WHERE channel_id = $1 AND NOT paused"
    if (mode == "subscribe") != bool(warehouse.records(watched, (channel,))):
        return False
    lasts = now + timedelta(seconds=lease_seconds) if mode == "subscribe" else now
    warehouse.records(
        "UPDATE ops.push_subscriptions SET verified_at = $1, lease_expires_at = $2, failure = NULL, "
        "asked_since = NULL "
        "WHERE channel_id = $3 RETURNING 1",
        (now, lasts, channel),
    )
    return True


def is_known(warehouse: Warehouse, channel: str) -> bool:
    """Whether a hub was ever asked about a channel that was not forgotten since."""
    found = "SELECT requested_at FROM ops.push_subscriptions WHERE channel_id = $1"
    return bool(warehouse.records(found, (channel,)))


def denied(warehouse: Warehouse, channel: str, reason: str) -> None:
    """The hub refuses the channel, or ends its subscription."""
    warehouse.records(
        "UPDATE ops.push_subscriptions SET lease_expires_at = NULL, failure = $1 WHERE channel_id = $2 RETURNING 1",
        ("denied by the hub: " + "".join(filter(str.isprintable, reason))[:500], channel),
    )


# An edit or a deletion makes what is known of a video due again: metadata never polled is polled next.
_TAKE_IN = """
WITH heard AS (
    INSERT INTO ops.push_notices (video_id, updated_at, channel_id, deleted, received_at)
    SELECT $1, $2, channel_id, $4::timestamptz IS NULL, $5 FROM ops.watched_channels
    WHERE channel_id = $3 AND NOT paused
    ON CONFLICT (video_id, updated_at) DO NOTHING
    RETURNING video_id, channel_id, deleted
), tracked AS (
    INSERT INTO ops.tracked_videos (video_id, channel_id, published_at, discovered_at, pushed_at)
    SELECT video_id, channel_id, $4, $5, $5 FROM heard WHERE NOT deleted
    ON CONFLICT (video_id) DO NOTHING
), again AS (
    UPDATE ops.tracked_videos AS known SET metadata_polled_at = NULL FROM heard
    WHERE known.video_id = heard.video_id AND known.channel_id = heard.channel_id AND known.metadata_polled_at < $2
)
SELECT count(*) AS new FROM heard
"""


def take_in(warehouse: Warehouse, channel: str, told: Sequence[Notice], now: datetime) -> int:
    """Let the next collection look at the videos of notices that are new; returns how many are.

    Notices of other channels than that of the subscription are left out, and so are those of channels no longer
    watched.
    """
    new = 0
    for notice in told:
        if notice.channel_id == channel:
            parameters = (notice.video_id, notice.updated_at, channel, notice.published_at, now)
            new += warehouse.records(_TAKE_IN, parameters)[0]["new"]
    return new
