"""What is wrong by the platform's own books and data, as alerts: quota, anomalies, old data, dead accounts, push.

Belongs here: questions that one cheap query answers at any time. Not here: what a run finds out and raises itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from yt_platform.catalog import TABLES
from yt_platform.monitoring.alerts import ANOMALY, AUTHORIZATION, ERROR, FRESHNESS, PUSH, QUOTA, WARNING, Alert
from yt_platform.monitoring.freshness import FAR_TOO_OLD, data_age, outdated, said
from yt_platform.policy import VERIFIED_DAYS
from yt_platform.warehouse.staleness import newest_data
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.accounts.authorization import AUTHORIZED, VERIFY_AFTER, listed
from yt_platform.youtube.data_api.quota import Bucket, pacific_day, resets_at

ANOMALY_DAYS = 3
"""Days for which an alert of anomalies stays open: long enough for a weekend."""

UNVERIFIED_AFTER = 2 * VERIFY_AFTER
"""Two verifications have failed then, and there is time left before what the account brought must go."""

UNCONFIRMED_AFTER = timedelta(days=1)
"""For so long a hub may confirm no request about a channel before somebody is told."""

_AUTHORIZATIONS = "/assets/ops/authorizations"


def quota_alerts(warehouse: Warehouse, allowed: Mapping[Bucket, int], now: datetime) -> list[Alert]:
    """Buckets that have nothing left today, or that YouTube has closed early."""
    rows = warehouse.records(
        "SELECT bucket, units, stop_reason FROM ops.quota_ledger WHERE pacific_day = $1 ORDER BY bucket",
        (pacific_day(now),),
    )
    remedy = "see where it went with `yt-platform quota status`; poll fewer channels, or ask Google for more quota"
    return [
        Alert(QUOTA, row["bucket"], WARNING, _spent(row["units"], limit, row["stop_reason"], resets_at(now)), remedy)
        for row in rows
        for limit in [allowed[Bucket(row["bucket"])]]
        if row["stop_reason"] or row["units"] >= limit
    ]


def _spent(units: int, limit: int, stop_reason: str | None, resets: datetime) -> str:
    why = f"{stop_reason} after {units} units" if stop_reason else f"the {limit} units of the day are spent"
    return f"{why}; nothing more is collected with it until {resets:%Y-%m-%d %H:%M} UTC"


def anomaly_alerts(warehouse: Warehouse, now: datetime) -> list[Alert]:
    """Anomalies of high severity of the last days: one alert for each day and kind, not for each row."""
    rows = warehouse.records(
        "SELECT (at AT TIME ZONE 'UTC')::date AS day, kind, count(*) AS found, count(DISTINCT video_id) AS videos, "
        "(array_agg(video_id || ' ' || target || ': ' || detail ORDER BY score DESC NULLS LAST, video_id))[1] AS first "
        "FROM ops.anomalies WHERE severity = 'high' AND at > $1 AND at <= $2 GROUP BY 1, 2 ORDER BY 1, 2",
        (now - timedelta(days=ANOMALY_DAYS), now),
    )
    return [
        Alert(
            ANOMALY,
            f"{row['kind']} on {row['day']}",
            WARNING,
            f"{row['found']} readings of {row['videos']} videos, like {row['first']}",
            "look at bi.anomalies: real events need nothing, faults of collection show as many videos at once",
            "/assets/ops/anomalies",
        )
        for row in rows
    ]


def freshness_alerts(warehouse: Warehouse, now: datetime) -> list[Alert]:
    """Tables whose newest data is older than it may be: one alert for each, but none where a table it is made from is
    too old itself. A table that holds nothing yet is not judged."""
    newest = {name: at for name, table in TABLES.items() if table.max_age and (at := newest_data(warehouse, table))}
    ages = {name: data_age(found, now) for name, found in newest.items()}
    remedy = "see that `yt-platform up` runs and what `yt-platform status` says is broken, or import what is new"
    return [
        Alert(
            FRESHNESS,
            name,
            ERROR if ages[name] > FAR_TOO_OLD * limit else WARNING,
            # the age itself would make it another message at every look
            f"the newest data is of {newest[name]:%Y-%m-%d}; it may be {said(limit)} old",
            remedy,
            f"/assets/{name.replace('.', '/')}",
        )
        for name, limit in outdated(ages).items()
    ]


def authorization_alerts(warehouse: Warehouse, now: datetime) -> list[Alert]:
    """Accounts of owners that may no longer be used, and those of which YouTube could not be asked for too long."""
    found = []
    for account in listed(warehouse):
        asked_at = account.authorization_checked_at
        ends = f"What it brought is deleted on {account.verified_at + timedelta(days=VERIFIED_DAYS):%Y-%m-%d}"
        if account.state != AUTHORIZED:
            message = f"may no longer be used since {asked_at:%Y-%m-%d}: {account.reason}. {ends}"
            found.append(Alert(AUTHORIZATION, account.name, ERROR, message, account.remedy, _AUTHORIZATIONS))
        elif now - asked_at > UNVERIFIED_AFTER:
            message = f"was last verified on {asked_at:%Y-%m-%d}. {ends}"
            remedy = "run `yt-platform accounts check`, and see that `yt-platform up` runs"
            found.append(Alert(AUTHORIZATION, account.name, WARNING, message, remedy, _AUTHORIZATIONS))
    return found


def push_alerts(warehouse: Warehouse, now: datetime) -> list[Alert]:
    """One alert for all watched channels about which the hub has confirmed no request for a day."""
    [found] = warehouse.records(
        "SELECT count(*) AS channels, min(asked_since) AS since, max(lease_expires_at) AS last_lease, "
        "(array_agg(push.failure ORDER BY asked_since, channel_id) FILTER (WHERE push.failure <> ''))[1] AS failure "
        "FROM ops.push_subscriptions AS push JOIN ops.watched_channels USING (channel_id) "
        "WHERE NOT paused AND asked_since <= $1",
        (now - UNCONFIRMED_AFTER,),
    )
    if not found["channels"]:
        return []
    why = found["failure"] or "it took the request and did not call back"
    lease = f"The last lease ends on {found['last_lease']:%Y-%m-%d %H:%M} UTC" if found["last_lease"] else "No lease"
    message = (
        f"the hub confirms no subscription of {found['channels']} channels since {found['since']:%Y-%m-%d %H:%M} UTC: "
        f"{why}. {lease}; uploads are found by polling meanwhile"
    )
    remedy = "see that the hub answers and that YT_PUSH_URL is reached from outside; requests are repeated every hour"
    return [Alert(PUSH, "subscriptions", WARNING, message, remedy, "/assets/ops/push_subscriptions")]
