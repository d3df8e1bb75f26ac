"""Seconds of a day's features and forecasts, Postgres to Postgres, and of fitting the models.

    .venv/bin/python benchmarks/forecast_speed.py [--videos 100000] [--kind ensemble] [--fit-on PATH]

Videos are generated, each read once a day. The model is fitted on `--fit-on`, or on a part of them. Everything from
reading the tables to the commit is the platform's own, judged by the contracts; Dagster, which adds no work per row, is
left out. Beside the wall time stands the processor's time of this process, which other work on the machine does not
lengthen; PostgreSQL's own is in the wall time alone.
"""

import argparse
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg

from yt_platform.commands import read_history
from yt_platform.features.tables import VIDEO_DAY
from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import training_frame
from yt_platform.forecasting.forecasters.catalog import Recipe, make_forecaster, save_forecaster
from yt_platform.forecasting.predictions import forecast
from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.forecasting.tasks import VIDEO_DAY as TASK
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_VERSIONS
from yt_platform.models.registry import ModelRegistry
from yt_platform.progress import silent
from yt_platform.tables.times import LOOKBACK_DAYS
from yt_platform.tables.validation import judge
from yt_platform.warehouse.databases import Databases, sqlalchemy_url
from yt_platform.warehouse.loading import load_from_tables
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.warehouse import Warehouse, Window

ORIGIN = date(2026, 5, 31)
THREADS = 2
MONTHS = (1, 3, 6)
FITTED_VIDEOS = 500
RUN_ID = str(uuid.uuid4())


class Videos:
    """Counts and metadata of so many videos, alike on every call."""

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(1)
        self.ids = pd.Series([f"v{number:010d}" for number in range(count)], dtype="string[pyarrow]")
        self.channels = pd.Series([f"UC{number // 20:022d}" for number in range(count)], dtype="string[pyarrow]")
        self.rate = random.lognormal(6, 2, count)
        self.age_days = random.uniform(200, 400, count)

    def daily(self, day: date) -> pd.DataFrame:
        """Rows of `metrics.video_daily`."""
        random = np.random.default_rng(day.toordinal())
        midnight = pd.Timestamp(day, tz="UTC")
        collected_at = midnight + pd.to_timedelta(random.uniform(2, 5, len(self.ids)), unit="h")
        age = self.age_days - (ORIGIN - day).days
        gained = (self.rate * random.lognormal(0, 0.2, len(self.ids))).astype("int64")
        views = (self.rate * age).astype("int64") + gained
        rows = {
            "video_id": self.ids,
            "day": pd.Timestamp(day),
            "channel_id": self.channels,
            "published_at": pd.Timestamp(ORIGIN, tz="UTC") - pd.to_timedelta(self.age_days, unit="D"),
            "collected_at": collected_at,
            **{f"{name}_count": views // part for name, part in PARTS.items()},
            **{f"{name}_increment": gained // part for name, part in PARTS.items()},
            **{f"{name}_count_fell": False for name in PARTS},
            "reading_count": 1,
            "region_count": 0,
            "source_count": 1,
            "view_definition": "shorts_at_start",
        }
        return judge(VIDEO_DAILY, pd.DataFrame(rows)[VIDEO_DAILY.column_names]).accepted

    def versions(self, day: date) -> pd.DataFrame:
        """Rows of `metrics.video_versions`: every video's is read again every 28 days."""
        due = np.arange(len(self.ids)) % LOOKBACK_DAYS == day.toordinal() % LOOKBACK_DAYS
        at = pd.Timestamp(day, tz="UTC")
        rows = pd.DataFrame(
            {
                "video_id": self.ids[due],
                "collected_at": at,
                "source": "synthetic",
                "title": "A title of usual length, with some CAPITALS and 2 digits #tag",
                "description": "A line of text with a link https://example.org and more\n" * 10,
                "duration_seconds": 600,
                "category_id": "10",
                "tags": "one,two,three",
                "live_broadcast_content": "none",
                "is_short_guess": False,
                "short_guess_rule": "duration",
                "access": "import",
                "refreshed_at": at,
            }
        )
        return judge(VIDEO_VERSIONS, rows.reindex(columns=VIDEO_VERSIONS.column_names)).accepted


PARTS = {"view": 1, "like": 25, "comment": 400}
"""Views for each of a count."""


def main() -> None:
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--kind", default="ensemble", help="kind of model that forecasts")
    parser.add_argument("--fit-on", type=Path, help="history to fit on")
    arguments = parser.parse_args()
    print("| step | wall, s | processor, s |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server runs under an account of its own
        bundle = Path(folder) / "bundle"
        fit(arguments.kind, arguments.fit_on, Path(folder), bundle)
        with warehouse_of(Path(folder) / "many", arguments.videos) as (warehouse, registry, videos):
            fill(warehouse, videos, 0, LOOKBACK_DAYS + 1)
            promote(registry, bundle)
            said = f"{arguments.videos:,} videos"
            timed(f"features of a day, {said}", lambda: make_features(warehouse))
            timed(f"forecasts of a day, {said}, {arguments.kind}", lambda: make_forecasts(warehouse, registry))
        few = max(arguments.videos // 10, 100)
        with warehouse_of(Path(folder) / "long", few) as (warehouse, registry, videos):
            promote(registry, bundle)
            for before, months in zip((0, *MONTHS), MONTHS, strict=False):
                fill(warehouse, videos, before * 30, months * 30)
                said = f"{few:,} videos, {months} months of history"
                timed(f"a day's features and forecasts, {said}", lambda: make_day(warehouse, registry))


def timed(step: str, work: Callable[[], object]) -> None:
    begun, processor = time.perf_counter(), time.process_time()
    work()
    seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    print(f"| {step} | {seconds:.1f} | {processor:.1f} |", flush=True)


@contextmanager
def warehouse_of(home: Path, count: int) -> Iterator[tuple[Warehouse, ModelRegistry, Videos]]:
    databases = Databases(home)
    with databases.open() as urls:
        databases.create()
        migrate(urls.warehouse)
        registry = ModelRegistry(sqlalchemy_url(urls.mlflow), (home / "artifacts").as_uri())
        yield Warehouse(urls.warehouse), registry, Videos(count)
        with psycopg.connect(urls.warehouse) as connection:
            size = connection.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchone()
        print(f"| (the warehouse then held {size and size[0]}) | | |", flush=True)


def fill(warehouse: Warehouse, videos: Videos, newest: int, oldest: int) -> None:
    """Write the days from `oldest` days back up to `newest`, the first not included."""
    for back in range(newest, oldest):
        day = ORIGIN - timedelta(days=back)
        with warehouse.transaction() as transaction:
            transaction.write(VIDEO_DAILY, videos.daily(day), Window(day, day), RUN_ID)
            transaction.write(VIDEO_VERSIONS, videos.versions(day), Window(day, day), RUN_ID)
    with warehouse.transaction() as transaction:
        for table in (VIDEO_DAILY, VIDEO_VERSIONS):
            transaction.execute(f"ANALYZE {table.name}")


def make_features(warehouse: Warehouse) -> None:
    loaded = load_from_tables(warehouse, VIDEO_DAY, build_video_day, Window(ORIGIN, ORIGIN), RUN_ID, silent)
    if not loaded.row_count or loaded.reject_count:
        raise RuntimeError(f"{loaded.row_count} rows of features, {loaded.reject_count} refused")


def make_forecasts(warehouse: Warehouse, registry: ModelRegistry) -> None:
    loaded = forecast(VIDEO_FORECASTER, warehouse, registry, Window(ORIGIN, ORIGIN), THREADS, RUN_ID, silent)
    if not loaded.row_count or loaded.reject_count:
        raise RuntimeError(f"{loaded.row_count} forecasts, {loaded.reject_count} refused")


def make_day(warehouse: Warehouse, registry: ModelRegistry) -> None:
    make_features(warehouse)
    make_forecasts(warehouse, registry)


def fit(kind: str, history: Path | None, folder: Path, bundle: Path) -> None:
    """Fit the kind, all targets and horizons, and save it."""
    if history:
        daily, versions = read_history(history, folder, silent)
    else:
        videos = Videos(FITTED_VIDEOS)
        days = [ORIGIN - timedelta(days=back) for back in range(60)]
        daily, versions = (pd.concat(map(read, days)) for read in (videos.daily, videos.versions))
    daily = daily[daily["day"] < pd.Timestamp(ORIGIN)]
    last = daily["day"].max()
    forecaster = make_forecaster(Recipe(kind), TASK, THREADS)
    frame = training_frame(TASK, build_video_day(daily, versions, daily["day"].min(), last), daily, last)
    timed(f"fit of {kind} on {len(frame):,} origins", lambda: forecaster.fit(frame))
    save_forecaster(forecaster, Recipe(kind), TASK, bundle)


def promote(registry: ModelRegistry, bundle: Path) -> None:
    registry.ensure_experiment("benchmark")
    client = registry.client()
    experiment = client.get_experiment_by_name("benchmark")
    assert experiment
    run = client.create_run(experiment.experiment_id)
    yesterday = ORIGIN - timedelta(days=1)
    registry.promote(registry.register(VIDEO_FORECASTER.name, run.info.run_id, bundle, yesterday, "benchmark"))


if __name__ == "__main__":
    main()
