"""`metrics.channel_daily` from readings and owners' reports: which rows of these it is made of.

Not here: how a day's gains follow from them (`metrics/interpolation.py`).
"""

import pandas as pd

from yt_platform.metrics.interpolation import channel_daily
from yt_platform.metrics.revenue import RevenueRates
from yt_platform.metrics.tables import CHANNEL_DAILY, CHANNEL_SNAPSHOTS, VIDEO_HOURLY
from yt_platform.progress import Progress
from yt_platform.tables.times import REACH_DAYS
from yt_platform.warehouse.loading import Loaded, load_in_chunks
from yt_platform.warehouse.warehouse import Warehouse, Window

_REPORTED = """
WITH of_videos AS (
    SELECT channel_id, day, account, video_id,
        bool_and(claimed_status = '') AS is_whole,
        max(reported_at) AS reported_at,
        sum(views) AS views, sum(likes) AS likes, sum(comments) AS comments,
        sum(subscribers_gained) - sum(subscribers_lost) AS subscribers
    FROM metrics.report_basic
    WHERE day BETWEEN $1 AND $2 AND channel_id <> '' AND uploader_type IN ('', 'self')
    GROUP BY channel_id, day, account, video_id
)
SELECT DISTINCT ON (channel_id, day) channel_id, day,
    sum(views)::double precision AS view_increment,
    sum(subscribers)::double precision AS subscriber_increment,
    count(*) FILTER (WHERE video_id <> '') AS tracked_video_count,
    sum(views)::double precision AS tracked_view_increment,
    sum(likes)::double precision AS tracked_like_increment,
    sum(comments)::double precision AS tracked_comment_increment
FROM of_videos
GROUP BY channel_id, day, account
ORDER BY channel_id, day, bool_and(is_whole) DESC, max(reported_at) DESC, account
"""


def load_channel_days(
    warehouse: Warehouse, window: Window, rates: RevenueRates, run_id: str, progress: Progress
) -> Loaded:
    """`metrics.channel_daily` of the days of `window`."""

    def build(chunk: Window) -> pd.DataFrame:
        reach = chunk.reaching(REACH_DAYS, REACH_DAYS)
        return channel_daily(
            warehouse.read_window(VIDEO_HOURLY, reach),
            warehouse.read_window(CHANNEL_SNAPSHOTS, reach),
            reported_gains(warehouse, chunk),
            rates,
            pd.Timestamp(chunk.first),
            pd.Timestamp(chunk.last),
        )

    return load_in_chunks(warehouse, CHANNEL_DAILY, build, window, run_id, progress)


def reported_gains(warehouse: Warehouse, window: Window) -> pd.DataFrame:
    """What channels gained by their owners' reports, one row per channel and Pacific day, named as the columns of
    `metrics.channel_daily` are.

    Where several accounts report a channel, its own report counts before a content owner's, which may have claimed
    videos alone, and of several of a kind the one made last. What others uploaded is not of the owner's channel.
    """
    return warehouse.read(_REPORTED, (window.first, window.last))
