"""Which videos without a reading are forecast, on a real server: the choice is made in SQL."""

import pandas as pd

from yt_platform.forecasting.predictions import unread_origins
from yt_platform.forecasting.tables import NO_READING
from yt_platform.metrics.tables import VIDEO_VERSIONS
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.forecasts import fill, put
from yt_platform_tests.frames import accepted

FIRST = pd.Timestamp("2026-05-01")
VERSIONS = {
    # video: collected, published, title
    "premiere001": [
        ("2026-05-18T05:00", "2026-05-23T12:00", "First"),
        ("2026-05-20T05:00", "2026-05-22T06:00", "Second!"),
    ],
    "published01": [("2026-05-20T05:00", "2026-05-20T01:00", "Today")],
    "old00000001": [("2026-05-20T05:00", "2026-05-11T01:00", "Published before the origin's day")],
    "later000001": [("2026-05-21T05:00", "2026-05-23T12:00", "Known after the origin's day")],
    "unsaid00001": [("2026-05-20T05:00", None, "Nobody knows when")],
    "video-00003": [("2026-05-20T05:00", "2026-05-23T12:00", "Read already")],
}


def known_versions(channel: str) -> pd.DataFrame:
    rows = [
        {"video_id": video, "collected_at": collected, "published_at": published, "title": title}
        for video, found in VERSIONS.items()
        for collected, published, title in found
    ]
    told = pd.DataFrame(rows).assign(channel_id=channel, source="test", access="import")
    for column in ("collected_at", "published_at"):
        told[column] = pd.to_datetime(told[column], utc=True)
    told["refreshed_at"] = told["collected_at"]
    return accepted(VIDEO_VERSIONS, told.reindex(columns=VIDEO_VERSIONS.column_names))


def test_videos_known_but_not_read_are_origins(warehouse: Warehouse) -> None:
    """As they were known on the day, with the newest record of their channel."""
    window = fill(warehouse, 20, 25, FIRST)
    channel = warehouse.records(
        "SELECT channel_id, channel_view_rate_mean AS rate FROM features.video_day "
        "WHERE day = '2026-05-20' AND channel_id IS NOT NULL AND channel_view_rate_mean > 0 LIMIT 1"
    )[0]
    put(warehouse, VIDEO_VERSIONS, known_versions(channel["channel_id"]), window)

    day = pd.Timestamp("2026-05-20").date()
    found = unread_origins(warehouse, Window(day, day)).set_index("video_id")
    assert sorted(found.index) == ["premiere001", "published01"]
    assert (found["basis"] == NO_READING).all()
    assert (found["start_view_rate"] == channel["rate"]).all()
    assert found["hours_to_publication"].to_dict() == {"premiere001": 30.0, "published01": 0.0}
    assert found.loc["premiere001", "title_exclamations"] == 1
    assert found["view_count"].isna().all()


def test_a_day_without_such_videos(warehouse: Warehouse) -> None:
    """The ordinary day: no row, and still every column that forecasts read."""
    window = fill(warehouse, 20, 25, FIRST)
    found = unread_origins(warehouse, window)
    assert found.empty
    assert {"hours_to_publication", "start_view_rate", "channel_views_mean", "basis"} <= set(found)
