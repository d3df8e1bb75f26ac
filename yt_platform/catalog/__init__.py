"""One contract per table, by layer; `TABLES` is the registry that checks, migrations' tests and docs read."""

from yt_platform.features.tables import CHANNEL_DAY, VIDEO_DAY, VIDEO_HOUR
from yt_platform.forecasting.tables import (
    CHANNEL_FORECAST,
    CHANNEL_FORECAST_ACCURACY,
    FORECAST_ACCURACY,
    VIDEO_FORECAST,
    VIDEO_HOUR_FORECAST,
    VIDEO_HOUR_FORECAST_ACCURACY,
)
from yt_platform.metrics.tables import (
    CHANNEL_DAILY,
    CHANNEL_REVENUE,
    CHANNEL_SNAPSHOTS,
    CHANNELS,
    COMMENTS,
    VIDEO_DAILY,
    VIDEO_HOURLY,
    VIDEO_RETENTION,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
    VIDEO_WINDOWS,
    VIDEOS,
)
from yt_platform.models.tables import BACKTEST_FORECASTS, CHAMPIONS, SCORECARDS, TUNED_RECIPES
from yt_platform.monitoring.tables import ACCOUNTS, ALERTS, ANOMALIES, DRIFT, QUALITY_SCORES
from yt_platform.tables.declaration import Table
from yt_platform.youtube.reporting_api.tables import REPORTS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        VIDEO_SNAPSHOTS,
        CHANNEL_SNAPSHOTS,
        VIDEOS,
        VIDEO_VERSIONS,
        CHANNELS,
        COMMENTS,
        VIDEO_DAILY,
        VIDEO_HOURLY,
        CHANNEL_DAILY,
        VIDEO_WINDOWS,
        *REPORTS,
        VIDEO_RETENTION,
        CHANNEL_REVENUE,
        VIDEO_DAY,
        VIDEO_HOUR,
        CHANNEL_DAY,
        SCORECARDS,
        CHAMPIONS,
        TUNED_RECIPES,
        BACKTEST_FORECASTS,
        VIDEO_FORECAST,
        VIDEO_HOUR_FORECAST,
        CHANNEL_FORECAST,
        FORECAST_ACCURACY,
        VIDEO_HOUR_FORECAST_ACCURACY,
        CHANNEL_FORECAST_ACCURACY,
        DRIFT,
        ALERTS,
        ANOMALIES,
        QUALITY_SCORES,
        ACCOUNTS,
    )
}
