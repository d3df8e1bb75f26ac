"""The daily reading against the same rule written in SQL, on generated snapshots with gaps, ties and falls."""

import numpy as np
import pandas as pd

from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_SNAPSHOTS
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID, accepted, snapshot

ORACLE = """
WITH readings AS (
    SELECT *, (collected_at AT TIME ZONE 'UTC')::date AS day,
        row_number() OVER (
            PARTITION BY video_id, (collected_at AT TIME ZONE 'UTC')::date
            ORDER BY collected_at, view_count, source COLLATE "C", region COLLATE "C"
        ) AS position
    FROM metrics.video_snapshots
), daily AS (
    SELECT video_id, day,
        max(collected_at) AS collected_at,
        (array_agg(view_count ORDER BY position DESC))[1] AS view_count,
        (array_agg(like_count ORDER BY position DESC) FILTER (WHERE like_count IS NOT NULL))[1] AS like_count,
        count(*) AS reading_count,
        count(DISTINCT region) FILTER (WHERE region <> '') AS region_count,
        count(DISTINCT source) AS source_count
    FROM readings GROUP BY video_id, day
)
SELECT today.video_id, today.day, today.collected_at, today.view_count, today.like_count,
    today.view_count - yesterday.view_count AS view_increment,
    today.like_count - yesterday.like_count AS like_increment,
    coalesce(today.view_count < yesterday.view_count, false) AS view_count_fell,
    today.reading_count, today.region_count, today.source_count
FROM daily AS today
LEFT JOIN daily AS yesterday ON yesterday.video_id = today.video_id AND yesterday.day = today.day - 1
ORDER BY today.video_id, today.day
"""


def test_python_and_sql_agree(warehouse: Warehouse) -> None:
    random = np.random.default_rng(7)
    rows = [
        snapshot(
            str(pd.Timestamp("2026-01-30") + pd.Timedelta(hours=int(random.integers(0, 24 * 6)))),
            int(random.integers(0, 5)),
            video_id=f"video_{random.integers(0, 8):05d}",
            region=str(random.choice(["", "DE", "FR"])),
            source=str(random.choice(["a", "b"])),
            like_count=None if random.random() < 0.3 else int(random.integers(0, 9)),
        )
        for _ in range(600)
    ]
    frame = accepted(VIDEO_SNAPSHOTS, pd.DataFrame(rows)).drop_duplicates(list(VIDEO_SNAPSHOTS.key), keep="last")
    window = Window(pd.Timestamp("2026-01-30").date(), pd.Timestamp("2026-02-05").date())
    with warehouse.transaction() as transaction:
        transaction.replace(VIDEO_SNAPSHOTS, frame, window, RUN_ID)

    expected = warehouse.read(ORACLE)
    found = accepted(VIDEO_DAILY, video_daily(frame, pd.Timestamp(window.first), pd.Timestamp(window.last)))
    found = found.sort_values(["video_id", "day"], ignore_index=True)[expected.columns.tolist()]
    assert len(expected) > 40
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
