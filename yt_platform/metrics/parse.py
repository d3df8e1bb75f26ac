"""Raw batches to frames of the `metrics` tables: renaming, typing and the rules of missing values.

One function per table; each takes the raw rows of one or more batches, oldest batch first, and returns a frame in
the shape of the table's contract, indexed by the number of the raw row. Answers of the API are brought into the shape
of raw rows by `metrics/parse_api.py`. Judging the rows is the contract's work, writing them the warehouse's.
"""

import pandas as pd
import pyarrow as pa

from yt_platform.metrics.durations import duration_seconds
from yt_platform.metrics.tables import (
    BY_DURATION,
    BY_SHAPE,
    CHANNEL_SNAPSHOTS,
    CHANNELS,
    IMPORT,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
)
from yt_platform.metrics.view_definition import view_definition
from yt_platform.tables.arrow import to_pandas
from yt_platform.tables.columns import TEXT

SHORT_LIMIT_CHANGE = pd.Timestamp("2024-10-15", tz="UTC")
"""From this upload date on a Short may last 180 s instead of 60 s (YouTube Help, "three-minute Shorts")."""


_OF_ANSWERS_ALONE = {
    "embed_width": pd.Int64Dtype(),
    "embed_height": pd.Int64Dtype(),
    "thumbnail_url": TEXT,
    "brand_partner_channel_id": TEXT,
}
"""Columns of metadata that no import has."""


SUBSCRIBERS_HIDDEN_FROM_VIEWS = 1_000
"""Channels of so many views have a subscriber: where an import has none, its collector wrote 0 for hidden."""
LIKES_HIDDEN_FROM_VIEWS = 100_000
"""The same of a video's likes: of real videos that show them, none of so many views has none."""


def video_counts(raw: pa.Table) -> pd.DataFrame:
    """Counts of videos as they were told, in the columns of `metrics.video_snapshots`.

    Where the source writes 0 for missing, likes and comments of 0 are unknown; raw keeps the 0.
    """
    frame = to_pandas(raw)
    for count, zero_is_missing, known in (
        ("like_count", "like_zero_is_missing", "likes_known"),
        ("comment_count", "comment_zero_is_missing", "comments_known"),
    ):
        frame[count] = frame[count].mask((frame[count] == 0).fillna(False) & frame[zero_is_missing])
        frame[known] = frame[count].notna()
    frame["view_definition"] = view_definition(frame["collected_at"])
    return obtained(frame, IMPORT)[VIDEO_SNAPSHOTS.column_names]


def video_snapshots(raw: pa.Table) -> pd.DataFrame:
    """Counts of an import; likes of 0 beside `LIKES_HIDDEN_FROM_VIEWS` are unknown."""
    frame = video_counts(raw)
    hidden = ((frame["like_count"] == 0) & (frame["view_count"] >= LIKES_HIDDEN_FROM_VIEWS)).fillna(False)
    frame["like_count"] = frame["like_count"].mask(hidden)
    frame["likes_known"] = frame["like_count"].notna()
    return frame


def channel_counts(raw: pa.Table) -> pd.DataFrame:
    """Counts of channels as they were told, in the columns of `metrics.channel_snapshots`."""
    frame = to_pandas(raw)
    frame["view_definition"] = view_definition(frame["collected_at"])
    return obtained(frame, IMPORT)[CHANNEL_SNAPSHOTS.column_names]


def channel_snapshots(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `channel_snapshots` to `metrics.channel_snapshots`: subscribers of 0 beside
    `SUBSCRIBERS_HIDDEN_FROM_VIEWS` are unknown."""
    frame = channel_counts(raw)
    hidden = (frame["subscriber_count"] == 0) & (frame["view_count"] >= SUBSCRIBERS_HIDDEN_FROM_VIEWS)
    frame["subscriber_count"] = frame["subscriber_count"].mask(hidden.fillna(False))
    return frame


def video_metadata(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `videos` to `metrics.videos` and `metrics.video_versions`, which share their columns.

    Where the size of the player is known, a video that is wider than high is no Short, however brief it is.
    """
    frame = to_pandas(raw)
    for name, kind in _OF_ANSWERS_ALONE.items():
        if name not in frame:
            frame[name] = pd.Series(pd.NA, index=frame.index, dtype=kind)
    frame["duration_seconds"] = duration_seconds(frame["duration"])
    width, height = frame["embed_width"], frame["embed_height"]
    shaped = ((width > 0) & (height > 0)).fillna(False)
    frame["short_guess_rule"] = pd.Series(BY_DURATION, index=frame.index, dtype=TEXT).mask(shaped, BY_SHAPE)
    brief = _is_brief_as_a_short(frame["duration_seconds"], frame["published_at"])
    frame["is_short_guess"] = brief.mask(shaped, brief & (width <= height))
    return obtained(frame, IMPORT)[VIDEO_VERSIONS.column_names].sort_values("collected_at", kind="stable")


def _is_brief_as_a_short(seconds: pd.Series, published_at: pd.Series) -> pd.Series:
    limit = pd.Series(60, index=seconds.index).mask(published_at >= SHORT_LIMIT_CHANGE, 180)
    guess = (seconds > 0) & (seconds <= limit)
    return guess.astype("boolean").mask(seconds.isna() | published_at.isna())


def channels(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `channels` to `metrics.channels`: complete records."""
    frame = obtained(to_pandas(raw), IMPORT).assign(is_complete=True)
    return frame[CHANNELS.column_names].sort_values("collected_at", kind="stable")


def channels_of_videos(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `videos` to `metrics.channels`: what a video says of its channel, which is id and title only."""
    frame = to_pandas(raw.select(["source", "channel_id", "channel_title", "collected_at"]))
    frame = frame.dropna(subset=["channel_id"]).rename(columns={"channel_title": "title"})
    frame = frame.sort_values("collected_at", kind="stable").drop_duplicates("channel_id", keep="last")
    return obtained(frame.reindex(columns=CHANNELS.column_names), IMPORT).assign(is_complete=False)


def obtained(frame: pd.DataFrame, access: "str | pd.Series[str]") -> pd.DataFrame:
    """The frame, its rows obtained when they were collected and under these terms (of all, or by index)."""
    return frame.assign(access=pd.Series(access, index=frame.index, dtype=TEXT), refreshed_at=frame["collected_at"])
