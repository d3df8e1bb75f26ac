"""Names of columns: what headers in the wild call the columns of readings, and which of them a person has named.

Belongs here: the one table of synonyms, names brought into one spelling, and the options of an import about names and
times. Not here: which columns a layout needs (`layouts.py`), and what values mean (`convert.py`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from yt_platform.errors import MisuseError

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "collected_at": (
        "collected_at", "timestamp", "timestamp_utc", "datetime", "datetime_utc", "date", "date_utc", "snapshot_date",
        "snapshot_time", "snapshot_at", "snapshot_utc", "snapshot_timestamp", "snapshot_datetime", "run_date",
        "run_datetime", "run_datetime_utc", "run_timestamp", "fetched_at", "fetch_date", "fetch_time", "scraped_at",
        "scrape_date", "recorded_at", "retrieved_at", "captured_at", "crawled_at", "observed_at", "polled_at",
        "queried_at", "query_time", "collection_date", "collection_time", "collected_date", "collected_on", "time",
    ),
    "video_id": ("video_id", "videoid", "youtube_video_id", "youtube_id", "yt_video_id", "yt_id", "id_video"),
    "channel_id": ("channel_id", "channelid", "youtube_channel_id", "yt_channel_id", "snippet_channel_id"),
    "handle": ("handle", "channel_handle", "custom_url", "channel_custom_url", "snippet_custom_url", "username"),
    "view_count": (
        "view_count", "views", "viewcount", "views_count", "total_views", "num_views", "statistics_view_count",
        "channel_views", "video_views",
    ),
    "like_count": (
        "like_count", "likes", "likecount", "likes_count", "total_likes", "num_likes", "statistics_like_count",
    ),
    "comment_count": (
        "comment_count", "comments", "commentcount", "comments_count", "total_comments", "num_comments",
        "statistics_comment_count",
    ),
    "subscriber_count": (
        "subscriber_count", "subscribers", "subscribercount", "subscribers_count", "subs", "sub_count",
        "total_subscribers", "num_subscribers", "statistics_subscriber_count",
    ),
    "video_count": (
        "video_count", "videos", "videocount", "videos_count", "total_videos", "num_videos", "uploads",
        "statistics_video_count",
    ),
    "region": ("region", "region_code", "country", "country_code", "trending_country", "trending_region"),
    "title": ("title", "video_title", "snippet_title"),
    "channel_title": ("channel_title", "channel_name", "channeltitle", "snippet_channel_title"),
    "published_at": (
        "published_at", "publish_time", "publish_date", "published", "published_date", "publishedat", "upload_date",
        "uploaded_at", "video_published_at", "snippet_published_at",
    ),
    "category_id": ("category_id", "categoryid", "snippet_category_id"),
    "duration": ("duration", "duration_iso8601", "content_details_duration"),
}  # fmt: skip
"""Raw column to the names that mean it, in the spelling of `snake_case`, the standard name first."""

GAINED = (
    "estimated_minutes_watched", "watch_time_minutes", "watch_time_hours", "average_view_duration",
    "average_view_duration_seconds", "average_view_percentage", "average_view_duration_percentage",
    "subscribers_gained", "subscribers_lost", "engaged_views", "views_percentage", "daily_views", "view_increment",
    "live_or_on_demand", "subscribed_status", "traffic_source_type", "estimated_revenue",
)  # fmt: skip
"""Columns that tell a report about a period, whose counts were gained in it and are no totals."""


@cache
def snake_case(name: str) -> str:
    """`viewCount`, `View Count`, `statistics.view_count` and ` view_count ` in one spelling, `view_count` the last."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^\w]+", "_", parted).strip("_").lower()


class NamingError(MisuseError):
    """What a person said about names cannot be followed; the message says why and what can."""


@dataclass(frozen=True)
class Options:
    """What a person says about files that do not say it themselves.

    `columns` is raw column to the file's own name of it; `as_of` is when files without a time were made; `dates` is the
    order of day, month and year (`dates.ORDERS`) where files leave it open.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    as_of: datetime | None = None
    dates: str | None = None

    def __str__(self) -> str:
        """The same text for the same options, '' for none: options are part of what an import is known by."""
        named = [f"{column}={name}" for column, name in sorted(self.columns.items())]
        as_of = [f"as of {self.as_of.isoformat()}"] if self.as_of else []
        dates = [f"dates {self.dates}"] if self.dates else []
        return "\n".join([*named, *as_of, *dates])


def mapped_columns(pairs: Iterable[str]) -> dict[str, str]:
    """Raw column to name, from texts like `view_count=Total plays`. Raises NamingError."""
    columns: dict[str, str] = {}
    for pair in pairs:
        column, equals, name = (part.strip() for part in pair.partition("="))
        if not (column and equals and name):
            raise NamingError(f"--map {pair}: write column=name, for example --map view_count='Total plays'")
        if column not in SYNONYMS:
            swapped = f"; did you mean --map {name}={column!r}?" if name in SYNONYMS else ""
            raise NamingError(f"--map {pair}: {column} is no column; there are {', '.join(SYNONYMS)}{swapped}")
        if column in columns:
            raise NamingError(f"--map names {column} twice, as {columns[column]!r} and {name!r}: keep one of them")
        if name in columns.values():
            raise NamingError(f"--map says twice what {name!r} is: keep one of them")
        columns[column] = name
    return columns
