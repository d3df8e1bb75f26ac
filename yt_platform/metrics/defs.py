"""Assets of the `metrics` layer that are parsed from raw batches, or made from more than their inputs."""

from functools import cache, partial

import pandas as pd
import pyarrow as pa
from dagster import (
    Definitions,
)

from yt_platform.metrics import parse, parse_api
from yt_platform.metrics.channel_days import load_channel_days
from yt_platform.metrics.tables import (
    CHANNEL_DAILY,
    CHANNEL_REVENUE,
    CHANNEL_SNAPSHOTS,
    CHANNELS,
    COMMENTS,
    VIDEO_RETENTION,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
    VIDEOS,
)
from yt_platform.orchestration.daily import Load, Sources, daily_table
from yt_platform.orchestration.partitions import daily_partitions
from yt_platform.settings import Settings
from yt_platform.storage.endpoints import ANALYTICS_RETENTION, ANALYTICS_REVENUE
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.loading import Loaded, Parser, load_from_raw
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.analytics_api.retention_rows import video_retention
from yt_platform.youtube.analytics_api.revenue_rows import channel_revenue
from yt_platform.youtube.reporting_api import reports
from yt_platform.youtube.watchlist import channels_of_videos

COUNTS = "api_video_stats"

OF_REPORTS: list[tuple[Table, dict[str, Parser]]] = [
    (family.table, {family.endpoint: reports.rows}) for family in reports.FAMILIES
]

PARSERS: list[tuple[Table, dict[str, Parser]]] = [
    (
        VIDEO_SNAPSHOTS,
        {
            "video_snapshots": parse.video_snapshots,
            "api_videos": parse_api.video_snapshots,
            COUNTS: parse_api.video_snapshots,
        },
    ),
    (
        CHANNEL_SNAPSHOTS,
        {"channel_snapshots": parse.channel_snapshots, "api_channels": parse_api.channel_snapshots},
    ),
    (VIDEOS, {"videos": parse.video_metadata, "api_videos": parse_api.video_metadata}),
    (VIDEO_VERSIONS, {"videos": parse.video_metadata, "api_videos": parse_api.video_metadata}),
    (
        CHANNELS,
        {
            "channels": parse.channels,
            "videos": parse.channels_of_videos,
            "api_channels": parse_api.channels,
            "api_videos": parse_api.channels_of_videos,
        },
    ),
    (COMMENTS, {"api_comments": parse_api.comments}),
    *OF_REPORTS,
    (VIDEO_RETENTION, {ANALYTICS_RETENTION: video_retention}),
    (CHANNEL_REVENUE, {ANALYTICS_REVENUE: channel_revenue}),
]
"""Tables parsed from raw batches, and the function that parses each endpoint."""


def build(settings: Settings) -> Definitions:
    partitions = daily_partitions(settings.partitions_start)
    parsed = [daily_table(table, partitions, _from_raw(table, parsers)) for table, parsers in PARSERS]
    return Definitions(assets=[*parsed, daily_table(CHANNEL_DAILY, partitions, _channel_daily)])


def _from_raw(table: Table, parsers: dict[str, Parser]) -> Load:
    def load(sources: Sources, window: Window) -> Loaded:
        warehouse, run_id = sources.warehouse, sources.run_id
        completed = {**parsers, **_with_channels(warehouse, parsers)}
        return load_from_raw(warehouse, sources.raw_store, table, completed, window, run_id, sources.progress)

    return load


def _with_channels(warehouse: Warehouse, parsers: dict[str, Parser]) -> dict[str, Parser]:
    """The parser of counts, whose answers name no channel, with those of the tracked videos."""
    if COUNTS not in parsers:
        return {}
    channels = cache(partial(channels_of_videos, warehouse))  # asked for where there are such answers

    def with_channels(raw: pa.Table) -> pd.DataFrame:
        frame = parsers[COUNTS](raw)
        of_video = frame["video_id"].map(channels())
        return frame.assign(channel_id=frame["channel_id"].where(frame["channel_id"].notna(), of_video))

    return {COUNTS: with_channels}


def _channel_daily(sources: Sources, window: Window) -> Loaded:
    rates = sources.settings.revenue_rates
    return load_channel_days(sources.warehouse, window, rates, sources.run_id, sources.progress)
