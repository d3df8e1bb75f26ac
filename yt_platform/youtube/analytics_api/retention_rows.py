"""Retention curves of owned videos: which are due, and their answers as rows of `metrics.video_retention`.

Not here: what a query is and how a single answer is read for a person (`youtube/analytics_api/queries.py`), asking and
keeping (`youtube/analytics_api/retention.py`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from yt_platform.metrics.tables import VIDEO_RETENTION
from yt_platform.tables.columns import INSTANT
from yt_platform.tables.validation import Malformed
from yt_platform.youtube.analytics_api.queries import LATENCY_DAYS, Query, cells, figure, retention_query
from yt_platform.youtube.reporting_api.reports import PACIFIC

AGES_DAYS: Mapping[int, int] = {7: 28, 28: 56}
"""Ages of a video at which its curve is asked for, and the age up to which one that had no points is asked for again:
a video with few views has none yet."""

CURVES_PER_RUN = 300
"""Of an account, the newest first: at half a second to a second a call some five minutes, and far from the hundreds a
minute that Google lets a user make. A channel that authorises itself with 5,000 videos has all its curves in a month,
and one with 100 uploads a day needs 200."""


@dataclass(frozen=True)
class Curve:
    """The curve of a video at an age, from the day of its publication to so many days later (Pacific days)."""

    video_id: str
    channel_id: str
    age_days: int
    first_day: date

    @property
    def query(self) -> Query:
        return retention_query(self.video_id, self.first_day, self.first_day + timedelta(days=self.age_days))

    def __str__(self) -> str:
        return f"video {self.video_id} at {self.age_days} days"


def due_curves(videos: pd.DataFrame, asked: pd.DataFrame, now: pd.Timestamp) -> list[Curve]:
    """Curves to ask for now. Those never asked for come first, the newest of them before all: of a video of any age
    each is asked for once at least, and no more than once a UTC day.

    `videos`: `video_id`, `channel_id`, `published_at`. `asked`: `video_id`, `age_days`, `asked_at`, `point_count`.
    """
    first = _pacific_days(videos["published_at"])
    known_days = (_pacific_days(pd.Series([now]))[0] - first).dt.days - LATENCY_DAYS
    known = videos.assign(first_day=first, known_days=known_days)
    curves = pd.concat([known.assign(age_days=age, until=until) for age, until in AGES_DAYS.items()])
    curves = curves[curves["known_days"] > curves["age_days"]].astype({"age_days": "Int64"})
    curves = curves.merge(asked, how="left", on=["video_id", "age_days"])
    again = (curves["point_count"] == 0) & (curves["asked_at"] < now.normalize())
    again &= curves["known_days"] <= curves["until"]
    due = curves[curves["asked_at"].isna() | again.fillna(False)]
    due = due.sort_values("first_day", ascending=False, kind="stable")
    due = due.sort_values("asked_at", na_position="first", kind="stable").head(CURVES_PER_RUN)
    return [
        Curve(video, channel, int(age), day.date())
        for video, channel, age, day in zip(
            due["video_id"], due["channel_id"], due["age_days"], due["first_day"], strict=True
        )
    ]


def _pacific_days(instants: pd.Series) -> pd.Series:
    """Midnights of the days the instants lie on, without zone."""
    days: pd.Series = instants.dt.tz_convert(PACIFIC).dt.normalize().dt.tz_localize(None)
    return days


def point_count(body: str) -> int:
    """Points of an answer, readable or not."""
    points = json.loads(body).get("rows")
    return len(points) if isinstance(points, list) else 0


def video_retention(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `analytics_video_retention` to `metrics.video_retention`; what is no number, or no point at all, is
    `Malformed`."""
    records = [
        {**_asked(answer), **figures} for answer in raw.to_pylist() for figures in _points(json.loads(answer["body"]))
    ]
    frame = pd.DataFrame.from_records(records, columns=VIDEO_RETENTION.column_names)
    return frame.astype({"collected_at": INSTANT, "refreshed_at": INSTANT})


def _asked(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same of all points: from the call, and the account and channel it was made for."""
    asked = json.loads(answer["parameters"])
    first, last = (pd.Timestamp(asked[name]) for name in ("startDate", "endDate"))
    return {
        "account": asked["account"],
        "video_id": asked["filters"].removeprefix("video=="),
        "age_days": (last - first).days,
        "channel_id": asked["channel_id"],
        "first_day": first,
        "last_day": last,
        "collected_at": answer["collected_at"],
        "source": answer["source"],
        "access": answer["access"],
        "refreshed_at": answer["collected_at"],
    }


def _points(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for point in cells(answer):
        if isinstance(point, Malformed):
            yield {"elapsed_video_time_ratio": point}
        else:
            yield {
                "elapsed_video_time_ratio": figure(point.get("elapsedVideoTimeRatio")),
                "audience_watch_ratio": figure(point.get("audienceWatchRatio")),
                "relative_retention_performance": figure(point.get("relativeRetentionPerformance")),
            }
