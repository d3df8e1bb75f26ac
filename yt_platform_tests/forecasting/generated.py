"""Generated histories with something to learn, and with the flaws real ones have. Shared by tests; no tests here.

Views follow a rate that decays at the channel's own pace, lifted at weekends; the counter shows part of a day's views
a day late, so the last increment is a poor forecast; likes are counted at once. Some videos miss days, a few counts
fall, some hide likes, and one in ten has no known channel. What counts as a view changes on 2026-08-24.
"""

import numpy as np
import pandas as pd

from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import CHANNEL_SNAPSHOTS, VIDEO_DAILY, VIDEO_SNAPSHOTS, VIDEO_VERSIONS
from yt_platform.metrics.view_definition import view_definition
from yt_platform_tests.frames import accepted

FIRST = pd.Timestamp("2026-05-01")


def snapshots(videos: int, days: int, seed: int = 1, first: pd.Timestamp = FIRST) -> pd.DataFrame:
    """Rows of `metrics.video_snapshots`: up to two regions a day between 01:00 and 07:00."""
    random = np.random.default_rng(seed)
    channel = random.integers(0, max(videos // 5, 1), videos)
    published = random.uniform(-10, days, videos)
    day = np.arange(days) + random.uniform(1, 7, days)[:, None].T / 24
    age = day - published[:, None]
    pace = 1 / (3 + channel % 5)
    weekend = np.where((first.weekday() + np.arange(days)) % 7 >= 5, 1.4, 1.0)
    rate = random.lognormal(8, 1.5, videos)[:, None] * np.exp(-pace[:, None] * np.maximum(age, 0)) * weekend + 20
    rate = np.where(age > 0, rate * random.lognormal(0, 0.05, rate.shape), 0)
    shown_late = random.uniform(0, 0.6, rate.shape)
    views = np.cumsum(rate, axis=1) - shown_late * rate
    likes = np.cumsum(rate * 0.04, axis=1)
    falls = random.random(rate.shape) < 0.003
    frame = pd.DataFrame(
        {
            "video": np.repeat(np.arange(videos), days),
            "collected_at": np.tile(first.tz_localize("UTC") + pd.to_timedelta(day.ravel(), unit="D"), videos),
            "view_count": np.where(falls, views * 0.9, views).ravel().astype("int64"),
            "like_count": likes.ravel().astype("int64"),
            "comment_count": (likes / 10).ravel().astype("int64"),
            "seen": ((age > 0) & (random.random(rate.shape) < 0.95)).ravel(),
        }
    )
    hidden = frame["video"] % 7 == 0
    frame[["like_count", "comment_count"]] = frame[["like_count", "comment_count"]].astype("Int64").mask(hidden)
    born = first.tz_localize("UTC") + pd.to_timedelta(published, unit="D")
    frame = frame.assign(
        source="test",
        video_id=frame["video"].map("video-{:05d}".format),
        channel_id=pd.Series(channel[frame["video"]]).map("UC{:022d}".format).mask(frame["video"] % 10 == 9),
        published_at=born[frame["video"]],
        likes_known=~hidden,
        comments_known=~hidden,
        view_definition=view_definition(frame["collected_at"]),
        access="import",
        refreshed_at=frame["collected_at"],
    )[frame["seen"]]
    regions = [frame.assign(region="DE"), frame.sample(frac=0.5, random_state=seed).assign(region="FR")]
    return accepted(VIDEO_SNAPSHOTS, pd.concat(regions)[VIDEO_SNAPSHOTS.column_names])


def daily(videos: int, days: int, seed: int = 1, first: pd.Timestamp = FIRST) -> pd.DataFrame:
    """Rows of `metrics.video_daily`."""
    rows = video_daily(snapshots(videos, days, seed, first), first, first + pd.Timedelta(days=days - 1))
    return accepted(VIDEO_DAILY, rows)


def versions(videos: int, days: int, seed: int = 1, first: pd.Timestamp = FIRST) -> pd.DataFrame:
    """Rows of `metrics.video_versions`: three per video at random times, with other titles."""
    random = np.random.default_rng(seed)
    video = np.repeat(np.arange(videos), 3)
    words = random.integers(1, 9, len(video))
    rows = pd.DataFrame(
        {
            "video_id": pd.Series(video).map("video-{:05d}".format),
            "collected_at": first.tz_localize("UTC") + pd.to_timedelta(random.uniform(0, days, len(video)), unit="D"),
            "source": "test",
            "title": ["Word! " * n for n in words],
            "description": ["A line\n" * n for n in words],
            "duration_seconds": words * 60,
            "category_id": "10",
            "tags": "one,two",
            "live_broadcast_content": "none",
            "is_short_guess": words < 3,
            "access": "import",
        }
    )
    rows["refreshed_at"] = rows["collected_at"]
    return accepted(VIDEO_VERSIONS, rows.reindex(columns=VIDEO_VERSIONS.column_names))


def read_hourly(videos: int, days: int, seed: int = 1, first: pd.Timestamp = FIRST) -> pd.DataFrame:
    """Rows of `metrics.video_snapshots`: half of the videos read every 40 minutes with gaps, the others once a day.

    Views rise and fall with the hour of the day, at another hour for every video.
    """
    random = np.random.default_rng(seed)
    minute = np.arange(0, days * 1440, 40)
    frames = []
    for video in range(videos):
        read = np.sort(minute + random.integers(0, 20, len(minute))) if video % 2 else minute[::36] + 300 + video
        at = first.tz_localize("UTC") + pd.to_timedelta(read, unit="min")
        rhythm = 1 + 0.8 * np.sin(2 * np.pi * (read / 1440 + video / videos))
        rate = (
            random.lognormal(6, 1) * rhythm * random.lognormal(0, 0.1, len(read)) * np.exp(-read / 1440 / (5 + video))
        )
        views = np.cumsum(rate * np.diff(read, prepend=0) / 60) + 1000 * video
        views = np.where(random.random(len(read)) < 0.003, views * 0.99, views)
        frame = pd.DataFrame({"collected_at": at, "view_count": views.astype("int64")})
        likes = pd.Series((views * 0.04).astype("int64"), dtype="Int64")
        frame["like_count"] = likes.mask(random.random(len(read)) < 0.1)
        frame["comment_count"] = likes // 10
        keys = {"video_id": f"hourly-{video:04d}", "channel_id": None if video % 5 == 4 else f"UC{video:022d}"}
        seen = random.random(len(read)) < 0.85
        frames.append(frame.assign(**keys, published_at=first.tz_localize("UTC") - pd.Timedelta(hours=video))[seen])
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.assign(
        source=np.where(random.random(len(frame)) < 0.5, "one", "other"),
        region="",
        likes_known=frame["like_count"].notna(),
        comments_known=frame["comment_count"].notna(),
        view_definition=view_definition(frame["collected_at"]),
        access="import",
        refreshed_at=frame["collected_at"],
    )
    return accepted(VIDEO_SNAPSHOTS, frame[VIDEO_SNAPSHOTS.column_names])


def channel_snapshots(channels: int, days: int, seed: int = 1, first: pd.Timestamp = FIRST) -> pd.DataFrame:
    """Rows of `metrics.channel_snapshots`: one or two readings a day; some days are missed and some counts hidden."""
    random = np.random.default_rng(seed)
    shape = (channels, days)
    hour = np.arange(days) * 24 + random.uniform(0, 8, shape)
    weekend = np.where((first.weekday() + np.arange(days)) % 7 >= 5, 1.5, 1.0)
    drift = np.cumsum(random.normal(0, 0.05, shape), axis=1)
    rate = random.lognormal(8, 1.5, channels)[:, None] * np.exp(drift) * weekend
    shown_late = random.uniform(0, 0.7, shape)
    views = np.cumsum(rate, axis=1) - shown_late * rate + 1e6
    frame = pd.DataFrame(
        {
            "source": "test",
            "channel_id": np.repeat([f"UC{channel:022d}" for channel in range(channels)], days),
            "collected_at": first.tz_localize("UTC") + pd.to_timedelta(hour.ravel(), unit="h"),
            "subscriber_count": (views.ravel() / 100).astype("int64"),
            "view_count": views.ravel().astype("int64"),
            "video_count": np.cumsum(random.random(shape) < 0.3, axis=1).ravel() + 10,
        }
    )
    again = frame.sample(frac=0.3, random_state=seed)
    again = again.assign(
        collected_at=again["collected_at"] + pd.Timedelta(hours=9), view_count=again["view_count"] + 50
    )
    frame = pd.concat([frame[random.random(len(frame)) < 0.93], again])
    for name, share in (("view_count", 0.02), ("subscriber_count", 0.05), ("video_count", 0.05)):
        frame[name] = frame[name].astype("Int64").mask(random.random(len(frame)) < share)
    frame = frame.assign(
        view_definition=view_definition(frame["collected_at"]), access="import", refreshed_at=frame["collected_at"]
    )
    return accepted(CHANNEL_SNAPSHOTS, frame[CHANNEL_SNAPSHOTS.column_names])
