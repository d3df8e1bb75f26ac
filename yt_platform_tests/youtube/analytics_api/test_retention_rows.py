"""Which curves are due, and rows of answers, are pure: days and figures by hand."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from yt_platform.metrics.tables import VIDEO_RETENTION
from yt_platform.storage.endpoints import API_RESPONSE
from yt_platform.tables.columns import INSTANT, TEXT
from yt_platform.tables.validation import Verdict, judge
from yt_platform.youtube.analytics_api import retention_rows as video_retention
from yt_platform.youtube.analytics_api.retention_rows import due_curves, point_count
from yt_platform_tests.frames import CHANNEL, VIDEO

# 05:00 UTC is still the day before in Los Angeles: the videos' first day is 2026-03-01
PUBLISHED = datetime(2026, 3, 2, 5, tzinfo=UTC)
FIRST = date(2026, 3, 1)


def due(after_days: float, *asked: tuple[str, int, float, int], videos: tuple[str, ...] = (VIDEO,)) -> list[str]:
    """What is due so many days after the publication; `asked`: video, age, days after the publication, points."""
    owned = pd.DataFrame(
        {"video_id": pd.array(videos, TEXT), "channel_id": pd.array([CHANNEL] * len(videos), TEXT)}
    ).assign(published_at=pd.Series([pd.Timestamp(PUBLISHED)] * len(videos), dtype=INSTANT))
    rows = [(video, age, pd.Timestamp(PUBLISHED + timedelta(days=after)), n) for video, age, after, n in asked]
    known = pd.DataFrame(rows, columns=["video_id", "age_days", "asked_at", "point_count"]).astype(
        {"video_id": TEXT, "age_days": "Int64", "asked_at": INSTANT, "point_count": "Int64"}
    )
    curves = due_curves(owned, known, pd.Timestamp(PUBLISHED + timedelta(days=after_days)))
    assert all((curve.first_day, curve.channel_id) == (FIRST, CHANNEL) for curve in curves)
    return [f"{curve.video_id} {curve.age_days}" for curve in curves]


def test_a_curve_is_due_three_whole_days_after_its_last() -> None:
    """The 7 days end with 2026-03-08 in Los Angeles; it has 2026-03-12 from 07:00 UTC on (summer time)."""
    last_second = datetime(2026, 3, 12, 6, 59, 59, tzinfo=UTC) - PUBLISHED
    assert due(last_second / timedelta(days=1)) == []
    assert due((last_second + timedelta(seconds=1)) / timedelta(days=1)) == [f"{VIDEO} 7"]


def test_each_age_is_asked_for_once() -> None:
    assert due(11, (VIDEO, 7, 10.9, 100)) == []
    assert due(33, (VIDEO, 7, 11, 100)) == [f"{VIDEO} 28"]
    assert due(33, (VIDEO, 7, 11, 100), (VIDEO, 28, 32, 100)) == []
    assert due(3000) == [f"{VIDEO} 7", f"{VIDEO} 28"]


def test_a_curve_without_points_is_asked_for_daily_until_the_next_age() -> None:
    assert due(11.2, (VIDEO, 7, 11.1, 0)) == []
    assert due(12.2, (VIDEO, 7, 11.1, 0)) == [f"{VIDEO} 7"]
    assert due(30.2, (VIDEO, 7, 11.1, 0)) == [f"{VIDEO} 7"]
    assert due(31.2, (VIDEO, 7, 11.1, 0)) == [f"{VIDEO} 28"]
    assert due(59.2, (VIDEO, 7, 11.1, 0), (VIDEO, 28, 40, 0)) == []
    assert due(58.2, (VIDEO, 7, 11.1, 0), (VIDEO, 28, 40, 0)) == [f"{VIDEO} 28"]


def test_those_never_asked_for_come_first_and_no_more_than_a_run_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_retention, "CURVES_PER_RUN", 3)
    videos = tuple(f"abcdefghij{n}" for n in range(4))
    assert due(20, ("abcdefghij0", 7, 12, 0), videos=videos) == [f"{video} 7" for video in videos[1:]]
    assert due(20, *((video, 7, 12, 9) for video in videos[1:]), ("abcdefghij0", 7, 12, 0), videos=videos) == [
        "abcdefghij0 7"
    ]


def read(*bodies: dict[str, Any]) -> Verdict:
    asked = {
        "account": "mine",
        "channel_id": CHANNEL,
        "filters": f"video=={VIDEO}",
        "startDate": "2026-03-01",
        "endDate": "2026-03-08",
    }
    rows = [
        {
            "source": "api",
            "access": "owner",
            "collected_at": PUBLISHED + timedelta(days=12),
            "method": "reports.query",
            "parameters": json.dumps(asked),
            "body": json.dumps(body),
        }
        for body in bodies
    ]
    return judge(VIDEO_RETENTION, video_retention.video_retention(pa.Table.from_pylist(rows, API_RESPONSE)))


NAMES = ("elapsedVideoTimeRatio", "audienceWatchRatio", "relativeRetentionPerformance")


def body(*points: Any, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    return {"columnHeaders": [{"name": name} for name in names], "rows": list(points)}


def test_an_answer_becomes_a_row_for_each_point() -> None:
    [row] = read(body([0.01, 1.2, None])).accepted.to_dict("records")
    assert (row["account"], row["video_id"], row["age_days"], row["access"]) == ("mine", VIDEO, 7, "owner")
    assert (row["first_day"], row["last_day"]) == (pd.Timestamp("2026-03-01"), pd.Timestamp("2026-03-08"))
    assert (row["elapsed_video_time_ratio"], row["audience_watch_ratio"]) == (0.01, 1.2)
    assert pd.isna(row["relative_retention_performance"])
    assert row["collected_at"] == row["refreshed_at"] == PUBLISHED + timedelta(days=12)
    [other] = read(body([0.5, 0.02], names=NAMES[1::-1])).accepted.to_dict("records")
    assert (other["elapsed_video_time_ratio"], other["audience_watch_ratio"]) == (0.02, 0.5)


def test_answers_without_points_become_no_rows() -> None:
    verdict = read({"kind": "youtubeAnalytics#resultTable"}, body())
    assert (len(verdict.accepted), len(verdict.rejected)) == (0, 0)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ([0.5, "much", 0.1], "audience_watch_ratio = much is malformed"),
        ([0.5, -1, 0.1], "audience_watch_ratio = -1.0 fails"),
        ([0.5, 1, 2], "relative_retention_performance = 2.0 fails"),
        ([7, 1, 1], "elapsed_video_time_ratio = 7.0 fails"),
        ([None, 1, 1], "elapsed_video_time_ratio = .* fails not_nullable"),
        ([True, 1, 1], "elapsed_video_time_ratio = True is malformed"),
        ([0.5], r"elapsed_video_time_ratio = \[0.5\] is malformed"),
        ("half", "elapsed_video_time_ratio = half is malformed"),
    ],
)
def test_a_point_that_cannot_be_is_refused_and_no_other(point: Any, said: str) -> None:
    verdict = read(body([0.01, 1, 1], point, [0.02, 1, 1]))
    assert verdict.accepted["elapsed_video_time_ratio"].tolist() == [0.01, 0.02]
    assert verdict.rejected["reason"].str.match(said).all(), verdict.rejected["reason"].tolist()
    assert len(verdict.rejected) == 1


@pytest.mark.parametrize("rows", [{"a": 1}, "none", 5])
def test_points_that_are_no_list_are_one_that_is_refused(rows: Any) -> None:
    answer = body() | {"rows": rows}
    verdict = read(answer)
    assert (len(verdict.accepted), len(verdict.rejected), point_count(json.dumps(answer))) == (0, 1, 0)
