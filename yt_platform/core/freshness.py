"""How old the data of each table may be before somebody should know.

Age is that of the newest data, by the platform's clock: the newest instant in the table's window column, or the end of
the newest day. When the rows were written says nothing, as a rebuilt past is no news.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from yt_platform.core.lineage import NODE
from yt_platform.core.schemas.reports import REPORTS

_DAY_AND_GRACE = timedelta(hours=36)
_MADE_DAILY = timedelta(hours=50)
"""Of a table made at 02:00 from the day before: that day ends 26 hours before the next run, and a day of grace."""

_REFRESHED_MONTHLY = timedelta(days=32)
"""Metadata is read when a video is new, and again within 30 days (YouTube's policy)."""

_REPORTED = timedelta(days=5)
"""Of owners' reports: made 48 hours after the Pacific day and at times a day later, asked for daily, a day of grace."""

_OF_FEW_CHANNELS = (
    "metrics.report_cards",
    "metrics.report_end_screens",
    "metrics.report_subtitles",
    "metrics.report_provinces",
    "metrics.report_playlists",
)
"""Reports that have no row for weeks where a channel has no cards, say: those that come daily tell of a standstill."""

MAX_AGE: dict[str, timedelta | None] = {
    "metrics.video_snapshots": _DAY_AND_GRACE,
    "metrics.channel_snapshots": _MADE_DAILY,
    "metrics.videos": _REFRESHED_MONTHLY,
    "metrics.video_versions": _REFRESHED_MONTHLY,
    "metrics.channels": _REFRESHED_MONTHLY,
    "metrics.comments": timedelta(days=8),
    "metrics.video_daily": _MADE_DAILY,
    "metrics.video_hourly": _MADE_DAILY,
    "metrics.channel_daily": _MADE_DAILY,
    "metrics.video_windows": _MADE_DAILY,
    **{table.name: _REPORTED for table in REPORTS},
    **dict.fromkeys(_OF_FEW_CHANNELS),
    "metrics.video_retention": None,
    "metrics.channel_revenue": _REPORTED,
    "features.video_day": _MADE_DAILY,
    "features.video_hour": _MADE_DAILY,
    "features.channel_day": _MADE_DAILY,
    "models.scorecards": None,
    "models.champions": None,
    "models.tuned_recipes": None,
    "models.backtest_forecasts": None,
    "predictions.video_forecast": _MADE_DAILY,
    "predictions.video_hour_forecast": _MADE_DAILY,
    "predictions.channel_forecast": _MADE_DAILY,
    "predictions.forecast_accuracy": timedelta(days=9),
    "predictions.video_hour_forecast_accuracy": timedelta(days=9),
    "predictions.channel_forecast_accuracy": timedelta(days=9),
    "ops.drift": timedelta(days=9),
    "ops.alerts": None,
    "ops.anomalies": None,
    "ops.quality_scores": _MADE_DAILY,
    "ops.accounts": None,
}
"""By table; None for events, of which no news is good news. How old a model may be is judged where it is retrained."""

FAR_TOO_OLD = 2
"""Times its maximum age: data so old is an error, as nobody has mended what the warning told of."""


def data_age(newest: datetime | date, now: datetime) -> timedelta:
    """Age of the newest data; nothing for a day that has not ended."""
    if isinstance(newest, datetime):
        return now - newest
    end = datetime.combine(newest + timedelta(days=1), time(), UTC)
    return max(now - end, timedelta(0))


def outdated(ages: Mapping[str, timedelta]) -> dict[str, timedelta]:
    """Of tables with the age of their data, those that are too old, with the age they may have; not those that are so
    because a table they are made from is."""
    old = {table: limit for table, limit in MAX_AGE.items() if limit and ages.get(table, timedelta(0)) > limit}
    return {table: limit for table, limit in old.items() if not old.keys() & _made_from(table)}


def said(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"


def _made_from(table: str) -> set[str]:
    """The tables it is made from, and those they are made from."""
    inputs = {source.name for source in NODE[table].inputs} if table in NODE else set()
    return inputs.union(*map(_made_from, inputs))
