"""The rules of missing values, on raw rows in the shape importers store them."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from yt_platform.metrics import parse
from yt_platform.metrics.tables import CHANNELS as CHANNELS_TABLE
from yt_platform.metrics.tables import VIDEO_SNAPSHOTS as SNAPSHOTS_TABLE
from yt_platform.metrics.tables import VIDEO_VERSIONS
from yt_platform.storage.endpoints import CHANNEL_SNAPSHOTS, CHANNELS, VIDEO_SNAPSHOTS, VIDEOS, Endpoint
from yt_platform.tables.validation import judge
from yt_platform_tests.frames import CHANNEL, VIDEO

AT = datetime(2026, 1, 2, 3, tzinfo=UTC)


def raw(endpoint: Endpoint, *rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"source": "test", "collected_at": AT, **row} for row in rows], schema=endpoint.schema)


def snapshot(**columns: Any) -> dict[str, Any]:
    flags = {"like_zero_is_missing": False, "comment_zero_is_missing": False}
    return {"video_id": VIDEO, "region": "", "view_count": 5, **flags, **columns}


def test_zero_is_unknown_only_where_the_source_writes_it_for_missing() -> None:
    found = parse.video_snapshots(
        raw(
            VIDEO_SNAPSHOTS,
            snapshot(like_count=0, comment_count=0, like_zero_is_missing=True),
            snapshot(like_count=3, comment_count=None, like_zero_is_missing=True, comment_zero_is_missing=True),
        )
    )
    assert found["like_count"].tolist() == [pd.NA, 3]
    assert found["comment_count"].tolist() == [0, pd.NA]
    assert found["likes_known"].tolist() == [False, True]
    assert found["comments_known"].tolist() == [True, False]
    assert judge(SNAPSHOTS_TABLE, found).rejected.empty


def test_zero_views_are_views() -> None:
    found = parse.video_snapshots(raw(VIDEO_SNAPSHOTS, snapshot(view_count=0, like_zero_is_missing=True)))
    assert found["view_count"].tolist() == [0]


def test_no_likes_beside_many_views_are_hidden_ones() -> None:
    found = parse.video_snapshots(
        raw(
            VIDEO_SNAPSHOTS,
            snapshot(view_count=100_000, like_count=0, comment_count=0),
            snapshot(view_count=99_999, like_count=0, comment_count=0),
        )
    )
    assert found["like_count"].tolist() == [pd.NA, 0]
    assert found["likes_known"].tolist() == [False, True]
    assert found["comment_count"].tolist() == [0, 0]


def test_no_subscribers_beside_views_are_hidden_ones() -> None:
    counts = [(0, 2_000_000), (0, 999), (1, 2_000_000), (0, None), (None, 5)]
    rows = [{"channel_id": CHANNEL, "subscriber_count": of, "view_count": views} for of, views in counts]
    found = parse.channel_snapshots(raw(CHANNEL_SNAPSHOTS, *rows))
    assert found["subscriber_count"].tolist() == [pd.NA, 0, 1, 0, pd.NA]
    assert found["view_count"].tolist() == [2_000_000, 999, 2_000_000, pd.NA, 5]


def video(**columns: Any) -> dict[str, Any]:
    return {"video_id": VIDEO, "channel_id": CHANNEL, "channel_title": "c", **columns}


def test_shorts_are_guessed_by_the_limit_of_their_upload_date() -> None:
    before, after = datetime(2024, 10, 14, tzinfo=UTC), datetime(2024, 10, 15, tzinfo=UTC)
    found = parse.video_metadata(
        raw(
            VIDEOS,
            video(duration="PT61S", published_at=before),
            video(duration="PT60S", published_at=before),
            video(duration="PT180S", published_at=after),
            video(duration="PT181S", published_at=after),
            video(duration="P0D", published_at=after),
            video(duration=None, published_at=after),
            video(duration="PT60S", published_at=None),
        )
    )
    assert found["is_short_guess"].tolist() == [False, True, True, False, False, pd.NA, pd.NA]
    assert set(found["short_guess_rule"]) == {"duration"}
    assert judge(VIDEO_VERSIONS, found).rejected.empty


def test_a_video_names_its_channel_but_does_not_complete_it() -> None:
    found = parse.channels_of_videos(
        raw(
            VIDEOS,
            video(channel_title="old"),
            video(channel_title="new", collected_at=AT.replace(hour=9)),
            video(channel_id=None),
        )
    )
    assert found[["channel_id", "title", "is_complete"]].to_numpy().tolist() == [[CHANNEL, "new", False]]
    assert judge(CHANNELS_TABLE, found).rejected.empty


def test_a_channel_record_is_complete() -> None:
    found = parse.channels(raw(CHANNELS, {"channel_id": CHANNEL, "title": "t", "country": "FR"}))
    assert found["is_complete"].tolist() == [True]
    assert judge(CHANNELS_TABLE, found).rejected.empty
