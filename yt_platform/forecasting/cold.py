"""Cold starts: origins of videos whose last daily increment is unknown, and the model that forecasts from them.

Belongs here: what stands in for the increment, and which rows are learned from. Does not belong here: how it is learned
(`forecasting/forecasters/lightgbm.py`), and forecasts of videos read on two days running.

Three kinds of video have no increment: one read again after a gap, one read for the first time, and one published later
than the origin, of which only metadata and its channel's record are known. For the last the count at the origin is 0.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from yt_platform.features.tables import CHANNEL_RECORD, METADATA
from yt_platform.features.videos import metadata_features
from yt_platform.forecasting.evaluation import training_frame
from yt_platform.forecasting.forecasters.catalog import Recipe, load_forecaster, make_forecaster, save_forecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster, NotEnoughRowsError
from yt_platform.forecasting.tables import FIRST_READING, GAP, NO_READING
from yt_platform.forecasting.tasks import VIDEO_COLD, count_column
from yt_platform.tables.times import LOOKBACK_DAYS

COLD_RECIPE = Recipe("lightgbm", {"num_iterations": 70, "learning_rate": 0.15, "num_leaves": 31})
"""Fewer, longer and simpler steps than from increments: there is less to learn, and every training has to wait for it.
"""

COLD_DAYS = 90
"""Origins that are learned from, up to the last: more take time and change little."""

COLD = "cold"
"""Folder of the cold-start forecaster in a bundle."""

LEADS = (1, 2, 3)
"""Days before publication from which videos without a reading are learned."""

PER_VIEW = {"views": 1.0, "likes": 0.03, "comments": 0.002}
"""What a video without a reading starts from, by view that its channel's videos gain: about what 96,732 trending videos
have in the median when first read, 0.037 likes and 0.0023 comments. From 0 these rows would weigh next to nothing in
the fit, and the forecast was that nobody comments."""

_COUNTS = [count_column(target) for target in VIDEO_COLD.targets]


def cold_rows(features: pd.DataFrame) -> pd.DataFrame:
    """The rows of `features.video_day` without an increment of views, as origins of `VIDEO_COLD`, with their `basis`.

    The rate to start from is that since the newest earlier reading, else that since publication, else 0.
    """
    rows = features[features["view_increment"].isna()].reset_index(drop=True)
    gap = rows["view_rate_since_reading"].notna()
    started = {VIDEO_COLD.rates[target]: _start_rate(rows, target) for target in VIDEO_COLD.targets}
    return rows.assign(**started, hours_to_publication=np.nan, basis=np.where(gap, GAP, FIRST_READING))


def _start_rate(rows: pd.DataFrame, target: str) -> pd.Series:
    count = rows[count_column(target)]
    since_published = count / np.maximum(rows["age_hours"], 1.0) * 24
    since_reading: pd.Series = rows[f"{target.removesuffix('s')}_rate_since_reading"]
    return since_reading.fillna(since_published).fillna(count * 0.0)


def unread_rows(videos: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Origins of `VIDEO_COLD` of videos without a reading, with their `basis`.

    `videos`: `video_id`, `day` (the origin), `channel_id`, `published_at` and the columns `METADATA`. `features`: rows
    of `features.video_day` of the same channels, of which each channel's newest within `LOOKBACK_DAYS` before an origin
    tells its record. What only a reading tells is unknown.
    """
    records = features.loc[features["channel_id"].notna(), ["channel_id", "day", *CHANNEL_RECORD]]
    rows = pd.merge_asof(
        videos.sort_values("day", ignore_index=True).astype({"day": records["day"].dtype}),
        records.sort_values("day"),
        on="day",
        by="channel_id",
        tolerance=pd.Timedelta(days=LOOKBACK_DAYS),
    )
    published, end = rows["published_at"], rows["day"].dt.tz_localize("UTC") + pd.Timedelta(days=1)
    known = {
        "published_hour": (published - published.dt.normalize()).dt.total_seconds() / 3600,
        "published_weekday": published.dt.weekday,
        "weekday": rows["day"].dt.weekday,
        "hours_to_publication": ((published - end).dt.total_seconds() / 3600).clip(lower=0.0),
    }
    views = rows["channel_view_rate_mean"].fillna(0.0)
    known |= {VIDEO_COLD.rates[target]: views * per_view for target, per_view in PER_VIEW.items()}
    rows = rows.assign(**known, basis=NO_READING)
    columns = ["video_id", "day", "channel_id", *VIDEO_COLD.features, *VIDEO_COLD.rates.values(), "basis"]
    origins: pd.DataFrame = rows.reindex(columns=list(dict.fromkeys(columns)))
    return origins


def cold_frame(
    features: pd.DataFrame, daily: pd.DataFrame, train_until: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Origins of `VIDEO_COLD` before `train_until`, and the readings (with 0 views before publication) that tell what
    became of them.

    Videos without a reading are those of `daily` as they were known `LEADS` days before they were published: by the
    metadata of their first row in `features`, and the record of their channel then.
    """
    first = train_until - pd.Timedelta(days=COLD_DAYS)
    features = features[features["day"].between(first - pd.Timedelta(days=LOOKBACK_DAYS), train_until)]
    announced = _announced(features, daily)
    unread = unread_rows(announced.drop(columns="view_definition"), features)
    before = announced[["video_id", "day", "view_definition"]].assign(**dict.fromkeys(_COUNTS, 0))
    origins = pd.concat([cold_rows(features), unread], ignore_index=True)
    readings = daily[["video_id", "day", "view_definition", *_COUNTS]]
    return origins[origins["day"] >= first], pd.concat([readings, before], ignore_index=True)


def _announced(features: pd.DataFrame, daily: pd.DataFrame) -> pd.DataFrame:
    known = ["video_id", "day", "published_at", "view_definition"]
    told = features[["video_id", "day", "channel_id", *METADATA]].merge(daily[known], on=["video_id", "day"])
    first = told.sort_values("day").drop_duplicates("video_id")
    published = first["published_at"].dt.tz_localize(None).dt.normalize()
    lately = (first["day"] - published).dt.days.between(0, max(VIDEO_COLD.horizons) - 1)
    leads: list[pd.DataFrame] = [
        first[lately].assign(day=published[lately] - pd.Timedelta(days=lead)) for lead in LEADS
    ]
    return pd.concat(leads, ignore_index=True)


def fit_cold(features: pd.DataFrame, daily: pd.DataFrame, train_until: pd.Timestamp, threads: int) -> Forecaster:
    """A forecaster of `VIDEO_COLD` fitted on targets up to `train_until`, from rows of `features.video_day` and
    `metrics.video_daily`.

    Raises NotEnoughRowsError where hardly any video without an increment was read again.
    """
    rows, readings = cold_frame(features, daily, train_until)
    forecaster = make_forecaster(COLD_RECIPE, VIDEO_COLD, threads)
    forecaster.fit(training_frame(VIDEO_COLD, rows, readings, train_until))
    return forecaster


def forecast_cold(forecaster: Forecaster, origins: pd.DataFrame) -> pd.DataFrame:
    """What `forecaster` predicts from rows of `cold_rows` and `unread_rows`; until it is published, a video gains
    nothing."""
    forecasts = forecaster.predict(origins)
    keys = [VIDEO_COLD.series, VIDEO_COLD.time]
    waits = forecasts[keys].merge(origins[[*keys, "hours_to_publication"]], on=keys, how="left")["hours_to_publication"]
    published = ~(waits >= forecasts["horizon"] * 24).to_numpy()
    return forecasts.assign(**{name: forecasts[name] * published for name in ("p10", "p50", "p90")})


def add_cold(
    bundle: Path, features: pd.DataFrame, daily: pd.DataFrame, train_until: pd.Timestamp, threads: int
) -> bool:
    """Fit a forecaster of cold starts (`fit_cold`) and put it beside a champion's files, for they are forecast with and
    rolled back together. False where there is too little to learn from: then only videos with increments are forecast.
    """
    try:
        forecaster = fit_cold(features, daily, train_until, threads)
    except NotEnoughRowsError:
        return False
    save_forecaster(forecaster, COLD_RECIPE, VIDEO_COLD, bundle / COLD)
    return True


def load_cold(bundle: Path, threads: int) -> Forecaster | None:
    """None where `add_cold` found too little to learn from."""
    return load_forecaster(bundle / COLD, threads) if (bundle / COLD).exists() else None


def unread_videos(versions: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """What `unread_rows` takes, from rows of `metrics.video_versions`, one per video, as they stand on `day`."""
    keys = versions[["video_id", "channel_id", "published_at"]].reset_index(drop=True)
    return keys.assign(day=day, **metadata_features(versions))
