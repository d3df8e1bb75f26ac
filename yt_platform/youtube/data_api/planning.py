"""The day's plan of quota, from what is watched."""

from collections.abc import Mapping
from datetime import datetime

from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.polling import Plan, plan
from yt_platform.youtube.data_api.quota import Bucket


def quota_plan(warehouse: Warehouse, now: datetime, allowed: Mapping[Bucket, int]) -> Plan:
    """The day's plan for what is watched now; new videos are expected as in the week before."""
    row = warehouse.records(
        "SELECT (SELECT count(*) FROM ops.watched_channels WHERE NOT paused) AS channels, count(*) AS videos, "
        "count(*) FILTER (WHERE video.published_at > $1::timestamptz - interval '7 days') / 7.0::double precision "
        "AS new_per_day FROM ops.tracked_videos AS video "
        "JOIN ops.watched_channels AS channel USING (channel_id) WHERE NOT channel.paused",
        (now,),
    )[0]
    return plan(row["channels"], row["videos"], row["new_per_day"], allowed)
