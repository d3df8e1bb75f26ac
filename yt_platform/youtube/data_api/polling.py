"""What to poll when: the plan of a day's quota, and which channels and videos are due.

Pure: state comes in as frames, time as an argument. Not here: sending calls (`youtube/data_api/collecting.py`).

The plan follows from the number of channels and videos. Counts of a video cost a fiftieth of a unit; on average every
tracked video gets one reading a day: what the youngest and fastest take beyond that, by the hour, the quietest give
up, being read once a week.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.policy import KEPT_DAYS
from yt_platform.storage.endpoints import IDS_PER_CALL
from yt_platform.youtube.data_api.quota import Bucket, bucket_of

CHANNELS_EVERY = timedelta(days=1)
UPLOADS_EVERY = timedelta(hours=2)
RECHECK_EVERY = timedelta(days=KEPT_DAYS - 1)
"""UTC days from a reading of metadata to the last on which it may be kept (YouTube's developer policies): it is read
again in the course of that day, as it is deleted when the next begins."""

RECHECK_FROM = RECHECK_EVERY - timedelta(days=2)
"""From this age on metadata fills the free places of a call, so that the limit is met without calls of its own."""

COMMENTS_AT = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""Ages at which a video's comments are read."""

COMMENTS_AT_LEAST = 1_000
"""Units a day for comments, however few videos are new: those of channels just added are read in days, not weeks."""

YOUNG = timedelta(days=1)
SETTLED = timedelta(days=30)
"""A younger video is never read less than daily."""

FAST_VIEWS_PER_DAY = 100_000.0
EARLY = timedelta(minutes=10)
"""Due this much before its time, as an hourly run never starts on the second."""

_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


class Setback(StrEnum):
    """Why an item was not read to its end."""

    REFUSED = "refused"  # YouTube does not give it
    CUT_SHORT = "cut short"  # it gave the beginning
    FAILED = "failed"  # no try was answered, though those for other items were


RETRY_AT_MOST = timedelta(days=28)
"""An item that is refused for good costs a unit a month, and what opens again is found within one."""

_FIRST = {Setback.REFUSED: _DAY, Setback.CUT_SHORT: UPLOADS_EVERY, Setback.FAILED: _HOUR}
_DAILY_AT_LEAST = frozenset({"playlistNotFound"})
"""A channel without videos has no uploads playlist, and gets one with its first upload."""


def retry_after(setback: Setback, reason: str, times: int) -> timedelta:
    """How long after the last of so many setbacks in a row an item is asked for again: doubling with each.

    What failed is asked for in the next run once, and then at least daily, as failures pass.
    """
    at_most = _DAY if setback is Setback.FAILED or reason in _DAILY_AT_LEAST else RETRY_AT_MOST
    first = _FIRST[setback]
    doubled: timedelta = first * int(2 ** min(times - 1, 20))
    return min(doubled - first if setback is Setback.FAILED else doubled, at_most)


class Purpose(StrEnum):
    """What units are planned for; each has methods of its own, so the ledger's calls say what it has spent."""

    CHANNELS = "channels"
    UPLOADS = "uploads"
    METADATA = "metadata"
    STATS = "stats"
    COMMENTS = "comments"


METHODS: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.CHANNELS: ("channels.list",),
    Purpose.UPLOADS: ("playlistItems.list",),
    Purpose.METADATA: ("videos.list",),
    Purpose.STATS: ("videos.batchGetStats",),
    Purpose.COMMENTS: ("commentThreads.list", "comments.list"),
}


@dataclass(frozen=True)
class Share:
    """Units a purpose may spend in a day, and why so many."""

    purpose: Purpose
    units: int
    why: str

    @property
    def bucket(self) -> Bucket:
        return bucket_of(METHODS[self.purpose][0])


@dataclass(frozen=True)
class Plan:
    """Shares of a day, in order of importance, and the pace of uploads that fits."""

    shares: tuple[Share, ...]
    uploads_every: timedelta

    def share(self, purpose: Purpose) -> Share:
        return next(share for share in self.shares if share.purpose is purpose)

    def units(self, purpose: Purpose) -> int:
        return self.share(purpose).units


def plan(channels: int, videos: int, new_videos_per_day: float, allowed: Mapping[Bucket, int]) -> Plan:
    """The day's plan for so many watched channels and tracked videos, within `allowed` units a day by bucket.

    Where the shared bucket is too small, comments give way first and then the pace of uploads.
    """
    left = allowed[Bucket.DEFAULT]
    daily = min(math.ceil(channels / IDS_PER_CALL), left)
    left -= daily
    rechecked = videos / RECHECK_EVERY.days
    metadata = min(math.ceil((new_videos_per_day + rechecked) / IDS_PER_CALL * 1.05), left)
    left -= metadata
    rounds = min(_DAY / UPLOADS_EVERY, left / channels) if channels else 0.0
    uploads_every = _DAY / rounds if rounds >= 1 / 30 else RECHECK_EVERY
    uploads = min(math.ceil(channels * (_DAY / uploads_every)), left)
    left -= uploads
    comments = min(max(math.ceil(new_videos_per_day * len(COMMENTS_AT)), COMMENTS_AT_LEAST), left)
    stats = min(math.ceil(videos / IDS_PER_CALL), allowed[Bucket.STATS])
    hours = uploads_every / _HOUR
    return Plan(
        (
            Share(Purpose.CHANNELS, daily, f"{channels:,} channels once a day, {IDS_PER_CALL} a call"),
            Share(
                Purpose.METADATA,
                metadata,
                f"{new_videos_per_day:,.0f} new videos, and {rechecked:,.0f} re-checked as every one is each "
                f"{RECHECK_EVERY.days} days",
            ),
            Share(Purpose.UPLOADS, uploads, f"{channels:,} playlists every {hours:.3g} h, a page each"),
            Share(
                Purpose.COMMENTS,
                comments,
                f"{new_videos_per_day:,.0f} new videos at {', '.join(str(age.days) for age in COMMENTS_AT)} days, "
                f"{COMMENTS_AT_LEAST:,} units at least to catch up",
            ),
            Share(
                Purpose.STATS,
                stats,
                f"{videos:,} videos once a day on average: hourly when young or fast, weekly when quiet",
            ),
        ),
        uploads_every,
    )


def due(polled_at: pd.Series, every: timedelta, now: pd.Timestamp) -> pd.Series:
    """Which of these polls are due: never made, or `every` ago."""
    return polled_at.isna() | (now - polled_at >= every - EARLY)


def stats_intervals(videos: pd.DataFrame, now: pd.Timestamp, units_per_day: float) -> pd.Series:
    """How long after its last reading each video's counts are due again.

    `videos`: `published_at`, `views_per_day` (NaN where unknown). As many of the quietest settled videos are read
    weekly instead of daily as make the whole cost `units_per_day` at most.
    """
    age = now - videos["published_at"].fillna(now)
    rate = videos["views_per_day"].astype("float64")
    hourly = (age < YOUNG) | (rate >= FAST_VIEWS_PER_DAY).fillna(False)
    interval = pd.Series(_DAY, index=videos.index).mask(hourly, _HOUR)
    readings = units_per_day * IDS_PER_CALL
    excess = 24 * int(hourly.sum()) + int((~hourly).sum()) - readings
    quiet = rate[(age >= SETTLED) & ~hourly & rate.notna()].nsmallest(max(0, math.ceil(excess * 7 / 6)), keep="first")
    interval.loc[quiet.index] = _WEEK
    return interval


def due_stats(videos: pd.DataFrame, now: pd.Timestamp, units_per_day: float) -> pd.DataFrame:
    """Videos whose counts are to be read now, most overdue first, filled up to whole calls with those due next.

    `videos`: `video_id`, `published_at`, `views_per_day`, `stats_polled_at`, of returned videos with metadata.
    """
    interval = stats_intervals(videos, now, units_per_day)
    waited = (now - videos["stats_polled_at"]).fillna(pd.Timedelta(days=3650)) + EARLY
    overdue = _seconds(waited) / _seconds(interval)
    count = int((overdue >= 1).sum())
    whole = min(math.ceil(count / IDS_PER_CALL) * IDS_PER_CALL, len(videos)) if count else 0
    order = np.argsort(-overdue, kind="stable")
    return videos.iloc[order[:whole]]


def _seconds(durations: pd.Series) -> npt.NDArray[np.float64]:
    seconds: npt.NDArray[np.float64] = durations.to_numpy("timedelta64[ns]").astype(np.float64) / 1e9
    return seconds


def due_metadata(videos: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Videos whose metadata is to be read: new ones and those that may be kept today alone, filled up with those soon
    due.

    One that YouTube no longer returns is asked for weekly, as its absence is no proof of deletion.
    `videos`: `video_id`, `metadata_polled_at`, `unreturned_at`.
    """
    waited = now - videos["metadata_polled_at"]
    lost = videos["unreturned_at"].notna() & (waited >= _WEEK)
    days = now.floor("D") - videos["metadata_polled_at"].dt.floor("D")
    required: pd.Series[bool] = videos["metadata_polled_at"].isna() | (days >= RECHECK_EVERY) | lost
    soon = ~required & (waited >= RECHECK_FROM)
    free = -int(required.sum()) % IDS_PER_CALL
    filling = waited[soon].nlargest(free, keep="first").index
    return pd.concat([videos[required], videos.loc[filling]])


def due_comments(videos: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Videos whose comments are to be read: an age of `COMMENTS_AT` has passed since the last time.

    Those never read come first, the newest of them before all; then those read longest ago. Where the units do not
    suffice, a late reading so stands for two instead of the last ones never being made.

    `videos`: `video_id`, `published_at`, `comments_polled_at`.
    """
    age = now - videos["published_at"]
    polled_age = (videos["comments_polled_at"] - videos["published_at"]).fillna(pd.Timedelta(0))
    passed = pd.Series(False, index=videos.index)
    for at in COMMENTS_AT:
        passed |= (age >= at) & (polled_age < at)
    # a video found late is read once, and not at all where it is older than a month
    passed &= age < SETTLED
    newest_first = videos[passed].sort_values("published_at", ascending=False)
    return newest_first.sort_values("comments_polled_at", na_position="first", kind="stable")
