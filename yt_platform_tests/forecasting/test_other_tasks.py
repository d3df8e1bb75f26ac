"""Forecasts of channels and of hours: the same models, judged by the same rules, on other tables and other steps."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from yt_platform.features.channels import build_channel_day
from yt_platform.features.hours import build_video_hour
from yt_platform.features.tables import CHANNEL_DAY, VIDEO_HOUR
from yt_platform.forecasting.evaluation import actuals, backtest, score, training_frame
from yt_platform.forecasting.forecasters.catalog import (
    Recipe,
    load_forecaster,
    make_forecaster,
    save_forecaster,
    task_of,
)
from yt_platform.forecasting.registered import CHANNEL_FORECASTER, VIDEO_HOUR_FORECASTER, ModelSpec
from yt_platform.history import open_history
from yt_platform.metrics import parse
from yt_platform.metrics.readings import video_hourly
from yt_platform.metrics.tables import VIDEO_HOURLY, VIDEO_SNAPSHOTS
from yt_platform.progress import silent
from yt_platform.storage.raw import RawStore
from yt_platform_tests.forecasting import generated
from yt_platform_tests.frames import accepted

FIRST = generated.FIRST
FASTER = {"num_iterations": 60, "learning_rate": 0.15, "num_leaves": 15, "min_data_in_leaf": 20}


def last_day(days: int) -> pd.Timestamp:
    return FIRST + pd.Timedelta(days=days - 1)


@pytest.fixture(scope="module")
def hours() -> pd.DataFrame:
    hourly = accepted(VIDEO_HOURLY, video_hourly(generated.read_hourly(16, 12), FIRST, last_day(12)))
    return accepted(VIDEO_HOUR, build_video_hour(hourly, FIRST, last_day(12)))


@pytest.fixture(scope="module")
def channels() -> pd.DataFrame:
    read = generated.channel_snapshots(60, 90)
    return accepted(CHANNEL_DAY, build_channel_day(read, FIRST, last_day(90)))


def scores_of(spec: ModelSpec, features: pd.DataFrame, cut: str, end: str) -> pd.DataFrame:
    make = partial(make_forecaster, Recipe("lightgbm", FASTER), spec.task, 2)
    until = [spec.end_of(pd.Timestamp(day).date()) for day in (cut, end)]
    return score(spec.task, backtest(spec.task, features, features, *until, make))


def test_the_next_hour(hours: pd.DataFrame) -> None:
    """On a backtest: an hour's step, an instant for a time, and a rhythm of the day that naive does not know."""
    scores = scores_of(VIDEO_HOUR_FORECASTER, hours, "2026-05-09", "2026-05-12")
    assert (scores["wape"] < scores["naive_wape"]).all()


def test_channels_at_1_7_and_28_days(channels: pd.DataFrame) -> None:
    """On a backtest: the one place where 28 days ahead are scored, as no real history is long enough."""
    scores = scores_of(CHANNEL_FORECASTER, channels, "2026-06-15", "2026-07-29")
    assert scores["horizon"].tolist() == [1, 7, 28]
    assert (scores["wape"] < scores["naive_wape"]).all()


def test_a_bundle_knows_the_horizons_it_was_trained_for(channels: pd.DataFrame, tmp_path: Path) -> None:
    """On the file: forecasts 28 days ahead by a model that never saw one would be naive's under another name."""
    task, until = CHANNEL_FORECASTER.task.within([1, 7]), pd.Timestamp("2026-05-25")
    recipe = Recipe("lightgbm", FASTER)
    forecaster = make_forecaster(recipe, task, 2)
    forecaster.fit(training_frame(task, channels, channels, until))
    save_forecaster(forecaster, recipe, task, tmp_path)
    assert task_of(tmp_path) == task
    unseen = channels[channels["day"] > until]
    loaded = load_forecaster(tmp_path, 1).predict(unseen)
    told = loaded[loaded["horizon"].isin(task.horizons)].reset_index(drop=True)
    pd.testing.assert_frame_equal(told, forecaster.predict(unseen), check_exact=True)


def test_a_day_of_hours_ends_with_its_last_hour() -> None:
    """By hand: the hour that begins at midnight belongs to the next day's forecasts."""
    day = pd.Timestamp("2026-05-03").date()
    assert VIDEO_HOUR_FORECASTER.end_of(day) == pd.Timestamp("2026-05-03T23:00", tz="UTC")
    assert CHANNEL_FORECASTER.end_of(day) == pd.Timestamp("2026-05-03")


def test_hours_of_real_series(data_dir: Path, tmp_path: Path) -> None:
    """On five public trackers: what counts as an hour to forecast, and a week held out."""
    features = hours_of_history(data_dir / "hourly", tmp_path)
    task = VIDEO_HOUR_FORECASTER.task
    assert len(actuals(task, features)) == 9_992

    recipe = Recipe("lightgbm", VIDEO_HOUR_FORECASTER.parameters["lightgbm"])
    until = [pd.Timestamp(hour, tz="UTC") for hour in ("2021-01-24T23:00", "2021-01-31T23:00")]
    scores = score(task, backtest(task, features, features, *until, partial(make_forecaster, recipe, task, 2)))
    assert scores["n"].item() > 1_000
    assert scores["wape"].item() < 0.8 * scores["naive_wape"].item()


def hours_of_history(path: Path, scratch: Path) -> pd.DataFrame:
    """`features.video_hour` of a history, made by the same code as the warehouse's."""
    store = RawStore(str(scratch / "raw"))
    (scratch / "spool").mkdir()
    stored = open_history(path).batches(store, scratch / "spool", silent)
    batches = [batch for batch in stored if batch.endpoint == "video_snapshots"]
    read = pd.concat(parse.video_snapshots(store.read_table(b.file.path, b.file.sha256)) for b in batches)
    first, last = pd.Timestamp(min(b.day for b in batches)), pd.Timestamp(max(b.day for b in batches))
    hourly = video_hourly(accepted(VIDEO_SNAPSHOTS, read), first, last)
    return accepted(VIDEO_HOUR, build_video_hour(accepted(VIDEO_HOURLY, hourly), first, last))
