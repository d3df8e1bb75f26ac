"""Features against the same definitions written in SQL, on a generated history with gaps, falls and unknown counts."""

import pandas as pd

from yt_platform.features.tables import VIDEO_DAY
from yt_platform.features.videos import build_video_day
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_VERSIONS
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.forecasting import generated
from yt_platform_tests.frames import RUN_ID, accepted

ORACLE = """
WITH rates AS MATERIALIZED (
    SELECT today.*,
        today.view_count - yesterday.view_count AS gained,
        today.day - row_number() OVER (PARTITION BY today.video_id ORDER BY today.day)::int AS unbroken_since,
        (today.view_count - yesterday.view_count) * 24 / elapsed.hours AS view_rate,
        (today.like_count - yesterday.like_count) * 24 / elapsed.hours AS like_rate
    FROM metrics.video_daily AS today
    LEFT JOIN metrics.video_daily AS yesterday ON yesterday.video_id = today.video_id
        AND yesterday.day = today.day - 1 AND yesterday.view_definition = today.view_definition
    CROSS JOIN LATERAL (
        SELECT greatest(extract(epoch FROM today.collected_at - yesterday.collected_at) / 3600, 6)::float8 AS hours
    ) AS elapsed
), upward AS MATERIALIZED (
    SELECT *, CASE WHEN view_rate < 0 THEN 0 ELSE view_rate END AS upward_rate FROM rates
), daily AS MATERIALIZED (
    SELECT today.*, ln(today.upward_rate + 1) - ln(yesterday.upward_rate + 1) AS acceleration
    FROM upward AS today
    LEFT JOIN upward AS yesterday ON yesterday.video_id = today.video_id AND yesterday.day = today.day - 1
)
SELECT origin.video_id, origin.day, origin.channel_id,
    origin.gained::float8 AS view_increment,
    origin.view_rate AS view_rate_lag_0,
    lag_3.view_rate AS view_rate_lag_3,
    lag_6.view_rate AS view_rate_lag_6,
    lag_2.like_rate AS like_rate_lag_2,
    origin.acceleration AS view_acceleration_lag_0,
    lag_3.acceleration AS view_acceleration_lag_3,
    video.mean_7d AS view_rate_mean_7d,
    video.peak AS view_rate_peak,
    (origin.day - video.peak_day)::float8 AS days_since_peak,
    video.spread AS view_acceleration_spread,
    video.observed::float8 AS days_observed,
    video.in_a_row::float8 AS days_observed_in_a_row,
    CASE WHEN origin.view_rate > 0 THEN origin.like_rate / origin.view_rate END AS recent_like_ratio,
    (extract(epoch FROM origin.collected_at - origin.published_at) / 3600)::float8 AS age_hours,
    (extract(isodow FROM origin.published_at AT TIME ZONE 'UTC') - 1)::float8 AS published_weekday,
    (extract(isodow FROM origin.day) - 1)::float8 AS weekday,
    origin.region_count::float8 AS region_count,
    lag_1.region_count::float8 AS region_count_lag_1,
    channel.videos::float8 AS channel_videos,
    channel.video_days::float8 AS channel_video_days,
    channel.views_mean::float8 AS channel_views_mean,
    channel.view_rate_mean AS channel_view_rate_mean,
    channel.acceleration_mean AS channel_acceleration_mean,
    channel.other_view_rate AS channel_other_view_rate,
    (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY acceleration) FROM daily WHERE day = origin.day)
        AS view_acceleration_of_day,
    (origin.day - earlier.day)::float8 AS days_since_reading,
    (origin.view_count - earlier.view_count) * 24 / earlier.hours AS view_rate_since_reading,
    (origin.comment_count - earlier.comment_count) * 24 / earlier.hours AS comment_rate_since_reading,
    length(version.title)::float8 AS title_length,
    version.duration_seconds::float8 AS duration_seconds
FROM daily AS origin
LEFT JOIN daily AS lag_1 ON lag_1.video_id = origin.video_id AND lag_1.day = origin.day - 1
LEFT JOIN daily AS lag_2 ON lag_2.video_id = origin.video_id AND lag_2.day = origin.day - 2
LEFT JOIN daily AS lag_3 ON lag_3.video_id = origin.video_id AND lag_3.day = origin.day - 3
LEFT JOIN daily AS lag_6 ON lag_6.video_id = origin.video_id AND lag_6.day = origin.day - 6
LEFT JOIN LATERAL (
    SELECT avg(view_rate) FILTER (WHERE day > origin.day - 7) AS mean_7d,
        max(view_rate) FILTER (WHERE day > origin.day - 28) AS peak,
        (array_agg(day ORDER BY view_rate DESC, day DESC)
            FILTER (WHERE view_rate IS NOT NULL AND day > origin.day - 28))[1] AS peak_day,
        stddev_pop(acceleration) FILTER (WHERE day > origin.day - 6) AS spread,
        count(*) AS observed,
        count(*) FILTER (WHERE unbroken_since = origin.unbroken_since) AS in_a_row
    FROM daily AS past WHERE past.video_id = origin.video_id AND past.day BETWEEN origin.day - 28 AND origin.day
) AS video ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE day = origin.day) AS videos, count(*) AS video_days, avg(view_count) AS views_mean,
        avg(upward_rate) AS view_rate_mean,
        avg(acceleration) AS acceleration_mean,
        coalesce(sum(upward_rate) FILTER (WHERE day = origin.day AND video_id <> origin.video_id), 0) AS other_view_rate
    FROM daily AS past WHERE past.channel_id = origin.channel_id AND past.day BETWEEN origin.day - 26 AND origin.day
) AS channel ON origin.channel_id IS NOT NULL
LEFT JOIN LATERAL (
    SELECT * FROM metrics.video_versions AS past
    WHERE past.video_id = origin.video_id AND past.collected_at < (origin.day + 1)::timestamp AT TIME ZONE 'UTC'
        AND past.collected_at >= (origin.day - 28)::timestamp AT TIME ZONE 'UTC'
    ORDER BY past.collected_at DESC LIMIT 1
) AS version ON true
LEFT JOIN LATERAL (
    SELECT newest.*,
        greatest(extract(epoch FROM origin.collected_at - newest.collected_at) / 3600, 6)::float8 AS hours
    FROM (
        SELECT * FROM metrics.video_daily AS past
        WHERE past.video_id = origin.video_id AND past.day BETWEEN origin.day - 28 AND origin.day - 1
        ORDER BY past.day DESC LIMIT 1
    ) AS newest
    WHERE newest.view_definition = origin.view_definition
) AS earlier ON true
ORDER BY origin.video_id, origin.day
"""

DAYS = 50
FIRST = pd.Timestamp("2026-07-20")  # what counts as a view changes on 2026-08-24


def test_python_and_sql_agree(warehouse: Warehouse) -> None:
    """On a real server: the definitions are written twice, by row here and by array there."""
    last = FIRST + pd.Timedelta(days=DAYS - 1)
    window = Window(FIRST.date(), last.date())
    daily, versions = generated.daily(40, DAYS, 3, FIRST), generated.versions(40, DAYS, 3, FIRST)
    with warehouse.transaction() as transaction:
        transaction.replace(VIDEO_DAILY, daily, window, RUN_ID)
        transaction.replace(VIDEO_VERSIONS, versions, window, RUN_ID)

    expected = warehouse.read(ORACLE)
    found = accepted(VIDEO_DAY, build_video_day(daily, versions, FIRST, last))[expected.columns.tolist()]
    assert len(expected) > 800
    assert expected.drop(columns="channel_id").notna().any().all()
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9, atol=1e-9)
