"""Features of hours and of channels against the same definitions in SQL, on generated histories with gaps, falls,
unknown counts and a change of what counts as a view."""

import pandas as pd

from yt_platform.features.channels import build_channel_day
from yt_platform.features.hours import build_video_hour
from yt_platform.features.tables import CHANNEL_DAY, VIDEO_HOUR
from yt_platform.metrics.readings import video_hourly
from yt_platform.metrics.tables import CHANNEL_SNAPSHOTS, VIDEO_SNAPSHOTS
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.forecasting import generated
from yt_platform_tests.frames import RUN_ID, accepted

HOURS = """
WITH read AS MATERIALIZED (
    SELECT DISTINCT ON (video_id, hour) video_id, date_trunc('hour', collected_at, 'UTC') AS hour, collected_at,
        published_at, view_count, view_definition,
        count(*) OVER (PARTITION BY video_id, date_trunc('hour', collected_at, 'UTC')) AS readings
    FROM metrics.video_snapshots
    ORDER BY video_id, hour, collected_at DESC, view_count DESC, source DESC
), liked AS MATERIALIZED (
    SELECT DISTINCT ON (video_id, hour) video_id, date_trunc('hour', collected_at, 'UTC') AS hour, like_count
    FROM metrics.video_snapshots WHERE like_count IS NOT NULL
    ORDER BY video_id, hour, collected_at DESC, view_count DESC, source DESC
), hourly AS MATERIALIZED (
    SELECT * FROM read LEFT JOIN liked USING (video_id, hour)
), rates AS MATERIALIZED (
    SELECT now.*, now.view_count - before.view_count AS gained,
        extract(epoch FROM now.collected_at - before.collected_at)::float8 / 3600 AS elapsed,
        (now.view_count - before.view_count)
            / greatest(extract(epoch FROM now.collected_at - before.collected_at)::float8 / 3600, 0.25) AS view_rate,
        (now.like_count - before.like_count)
            / greatest(extract(epoch FROM now.collected_at - before.collected_at)::float8 / 3600, 0.25) AS like_rate
    FROM hourly AS now LEFT JOIN hourly AS before ON before.video_id = now.video_id
        AND before.hour = now.hour - interval '1 hour' AND before.view_definition = now.view_definition
)
SELECT origin.video_id, origin.hour,
    origin.gained::float8 AS view_increment,
    origin.view_rate AS view_rate_lag_0,
    lag_1.view_rate AS view_rate_lag_1,
    lag_23.view_rate AS view_rate_lag_23,
    lag_1.like_rate AS like_rate_lag_1,
    past.mean_3h AS view_rate_mean_3h,
    past.mean_24h AS view_rate_mean_24h,
    past.next_hour AS view_rate_next_hour_of_other_days,
    (origin.view_count - six.view_count) / (extract(epoch FROM origin.collected_at - six.collected_at)::float8 / 3600)
        AS view_rate_span_6h,
    ln(CASE WHEN origin.view_rate < 0 THEN 0 ELSE origin.view_rate END + 1)
        - ln(CASE WHEN lag_1.view_rate < 0 THEN 0 ELSE lag_1.view_rate END + 1) AS view_acceleration_lag_0,
    extract(epoch FROM origin.collected_at - origin.published_at)::float8 / 3600 AS age_hours,
    extract(hour FROM origin.hour AT TIME ZONE 'UTC')::float8 AS hour_of_day,
    extract(epoch FROM origin.collected_at - origin.hour)::float8 / 60 AS reading_minute,
    origin.readings::float8 AS reading_count,
    origin.elapsed AS elapsed_hours,
    past.observed::float8 AS hours_observed
FROM rates AS origin
LEFT JOIN rates AS lag_1 ON lag_1.video_id = origin.video_id AND lag_1.hour = origin.hour - interval '1 hour'
LEFT JOIN rates AS lag_23 ON lag_23.video_id = origin.video_id AND lag_23.hour = origin.hour - interval '23 hours'
LEFT JOIN rates AS six ON six.video_id = origin.video_id AND six.hour = origin.hour - interval '6 hours'
    AND six.view_definition = origin.view_definition
CROSS JOIN LATERAL (
    SELECT avg(view_rate) FILTER (WHERE hour > origin.hour - interval '3 hours') AS mean_3h,
        avg(view_rate) FILTER (WHERE hour > origin.hour - interval '24 hours') AS mean_24h,
        avg(view_rate) FILTER (WHERE origin.hour - hour IN (interval '23 hours', interval '47 hours')) AS next_hour,
        count(*) FILTER (WHERE hour > origin.hour - interval '24 hours') AS observed
    FROM (SELECT * FROM rates AS all_rates WHERE all_rates.video_id = origin.video_id) AS own
    WHERE hour BETWEEN origin.hour - interval '47 hours' AND origin.hour
) AS past
WHERE origin.gained IS NOT NULL
ORDER BY origin.video_id, origin.hour
"""

CHANNELS = """
WITH daily AS MATERIALIZED (
    SELECT DISTINCT ON (channel_id, day) channel_id, (collected_at AT TIME ZONE 'UTC')::date AS day, collected_at,
        view_count, view_definition
    FROM metrics.channel_snapshots WHERE view_count IS NOT NULL
    ORDER BY channel_id, day, collected_at DESC
), rates AS MATERIALIZED (
    SELECT now.*, now.view_count - before.view_count AS gained,
        extract(epoch FROM now.collected_at - before.collected_at)::float8 / 3600 AS elapsed,
        (now.view_count - before.view_count) * 24
            / greatest(extract(epoch FROM now.collected_at - before.collected_at)::float8 / 3600, 6) AS view_rate
    FROM daily AS now LEFT JOIN daily AS before ON before.channel_id = now.channel_id AND before.day = now.day - 1
        AND before.view_definition = now.view_definition
)
SELECT origin.channel_id, origin.day,
    origin.gained::float8 AS view_increment,
    origin.view_rate AS view_rate_lag_0,
    lag_6.view_rate AS view_rate_lag_6,
    past.mean_7d AS view_rate_mean_7d,
    past.mean_28d AS view_rate_mean_28d,
    (origin.view_count - week.view_count) * 24
        / (extract(epoch FROM origin.collected_at - week.collected_at)::float8 / 3600) AS view_rate_span_7d,
    ln(CASE WHEN origin.view_rate < 0 THEN 0 ELSE origin.view_rate END + 1)
        - ln(CASE WHEN lag_6.view_rate < 0 THEN 0 ELSE lag_6.view_rate END + 1) AS view_acceleration_6d,
    (extract(isodow FROM origin.day) - 1)::float8 AS weekday,
    origin.elapsed AS elapsed_hours,
    past.observed::float8 AS days_observed
FROM rates AS origin
LEFT JOIN rates AS lag_6 ON lag_6.channel_id = origin.channel_id AND lag_6.day = origin.day - 6
LEFT JOIN rates AS week ON week.channel_id = origin.channel_id AND week.day = origin.day - 7
    AND week.view_definition = origin.view_definition
CROSS JOIN LATERAL (
    SELECT avg(view_rate) FILTER (WHERE day > origin.day - 7) AS mean_7d, avg(view_rate) AS mean_28d,
        count(*) AS observed
    FROM (SELECT * FROM rates AS all_rates WHERE all_rates.channel_id = origin.channel_id) AS own
    WHERE day BETWEEN origin.day - 27 AND origin.day
) AS past
ORDER BY origin.channel_id, origin.day
"""


def test_hours_in_python_and_in_sql(warehouse: Warehouse) -> None:
    """On a real server: the definitions are written twice, by row here and by array there."""
    first, last = pd.Timestamp("2026-08-20"), pd.Timestamp("2026-08-27")
    read = generated.read_hourly(8, 8, 3, first)
    with warehouse.transaction() as transaction:
        transaction.replace(VIDEO_SNAPSHOTS, read, Window(first.date(), last.date()), RUN_ID)
    expected = warehouse.read(HOURS)
    found = accepted(VIDEO_HOUR, build_video_hour(video_hourly(read, first, last), first, last))[
        expected.columns.tolist()
    ]
    assert len(expected) > 400
    assert expected.notna().any().all()
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9, atol=1e-9)


def test_channels_in_python_and_in_sql(warehouse: Warehouse) -> None:
    """On a real server, as for hours."""
    first, last = pd.Timestamp("2026-07-20"), pd.Timestamp("2026-09-08")
    read = generated.channel_snapshots(15, 50, 3, first)
    with warehouse.transaction() as transaction:
        transaction.replace(CHANNEL_SNAPSHOTS, read, Window(first.date(), last.date()), RUN_ID)
    expected = warehouse.read(CHANNELS)
    found = accepted(CHANNEL_DAY, build_channel_day(read, first, last))[expected.columns.tolist()]
    assert len(expected) > 600
    assert expected.notna().any().all()
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9, atol=1e-9)
