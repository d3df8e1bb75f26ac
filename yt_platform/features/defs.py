"""Assets of the `features` layer."""

from collections.abc import Callable, Mapping

import pandas as pd
from dagster import (
    Definitions,
)

from yt_platform.features.channels import build_channel_day
from yt_platform.features.hours import build_video_hour
from yt_platform.features.tables import CHANNEL_DAY, VIDEO_DAY, VIDEO_HOUR
from yt_platform.features.videos import build_video_day
from yt_platform.orchestration.daily import Load, Sources, daily_table
from yt_platform.orchestration.partitions import daily_partitions
from yt_platform.settings import Settings
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.loading import Loaded, load_from_tables
from yt_platform.warehouse.warehouse import Window

Frames = Mapping[str, pd.DataFrame]
Build = Callable[[Frames, pd.Timestamp, pd.Timestamp], pd.DataFrame]

BUILDS: tuple[tuple[Table, Build], ...] = (
    (
        VIDEO_DAY,
        lambda frames, first, last: build_video_day(
            frames["metrics.video_daily"], frames["metrics.video_versions"], first, last
        ),
    ),
    (VIDEO_HOUR, lambda frames, first, last: build_video_hour(frames["metrics.video_hourly"], first, last)),
    (CHANNEL_DAY, lambda frames, first, last: build_channel_day(frames["metrics.channel_snapshots"], first, last)),
)
"""Tables of features, and the function that makes one from its inputs."""


def build(settings: Settings) -> Definitions:
    partitions = daily_partitions(settings.partitions_start)
    return Definitions(assets=[daily_table(table, partitions, _from_tables(table, build)) for table, build in BUILDS])


def _from_tables(table: Table, build: Build) -> Load:
    def load(sources: Sources, window: Window) -> Loaded:
        return load_from_tables(sources.warehouse, table, build, window, sources.run_id, sources.progress)

    return load
