"""Synthetic data as files, in the Parquet layout that the history importer reads.

Here: the layout and its writers. Not here: what the built-in sample holds (`sample/generator.py`), reading (`history`).

A folder holds `snapshots/YYYY-MM.parquet` and `videos.parquet`, the built-in sample also `channel_snapshots.parquet`
and `channels.parquet`. As in collected histories, flags of videos are the texts True and False, and `refreshed_at` is
the ISO text of when a row was read. Equal arguments give equal bytes under one version of pyarrow.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yt_platform.sample.generator import LAST_DAY, SEED, SOURCE, Sample, synthetic_video_ids

_INSTANT = pa.timestamp("ns", "UTC")

SNAPSHOTS_SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "video_id": pa.string(),
        "region": pa.string(),
        "collected_at": _INSTANT,
        "view_count": pa.int64(),
        "like_count": pa.int64(),
        "comment_count": pa.int64(),
        "like_zero_is_missing": pa.bool_(),
        "comment_zero_is_missing": pa.bool_(),
    }
)

_FLAGS = ("caption", "licensed_content", "embeddable", "made_for_kids")

VIDEOS_SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "video_id": pa.string(),
        "channel_id": pa.string(),
        "channel_title": pa.string(),
        "title": pa.string(),
        "description": pa.string(),
        "published_at": _INSTANT,
        "duration": pa.string(),
        "category_id": pa.string(),
        "tags": pa.string(),
        "default_language": pa.string(),
        "default_audio_language": pa.string(),
        "live_broadcast_content": pa.string(),
        "definition": pa.string(),
        **dict.fromkeys(_FLAGS, pa.string()),
        "refreshed_at": pa.string(),
    }
)

CHANNEL_SNAPSHOTS_SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "channel_id": pa.string(),
        "collected_at": _INSTANT,
        "subscriber_count": pa.int64(),
        "view_count": pa.int64(),
        "video_count": pa.int64(),
    }
)

CHANNELS_SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "channel_id": pa.string(),
        "collected_at": _INSTANT,
        "title": pa.string(),
        "handle": pa.string(),
        "description": pa.string(),
        "country": pa.string(),
        "published_at": _INSTANT,
        "uploads_playlist_id": pa.string(),
    }
)

_CHUNK_ROWS = 500_000  # about 40 MB of Arrow; larger chunks write no faster


def write_sample(folder: Path, sample: Sample) -> None:
    """Write the sample to `folder`, which appears only when it is complete.

    Planted snapshots from the future stand in the file of the last month, where a collector with a wrong clock would
    have put them. Raises FileExistsError if the folder exists.
    """
    collected_at = sample.snapshots["collected_at"]
    written_at = collected_at.where(collected_at <= sample.ended_at, sample.ended_at)
    snapshots = sample.snapshots.assign(like_zero_is_missing=False, comment_zero_is_missing=False)
    videos = sample.videos.assign(
        refreshed_at=sample.videos["collected_at"].map(pd.Timestamp.isoformat),
        **{flag: np.where(sample.videos[flag], "True", "False") for flag in _FLAGS},
    )
    with _new_folder(folder) as unfinished:
        (unfinished / "snapshots").mkdir()
        for month, rows in snapshots.groupby(written_at.dt.strftime("%Y-%m")):
            _write(rows, SNAPSHOTS_SCHEMA, unfinished / "snapshots" / f"{month}.parquet")
        _write(videos, VIDEOS_SCHEMA, unfinished / "videos.parquet")
        _write(sample.channel_snapshots, CHANNEL_SNAPSHOTS_SCHEMA, unfinished / "channel_snapshots.parquet")
        _write(sample.channels, CHANNELS_SCHEMA, unfinished / "channels.parquet")


def write_snapshots(folder: Path, rows: int, videos: int, days: int, seed: int = SEED) -> None:
    """Write exactly `rows` snapshots of `videos` videos over the `days` UTC days up to `LAST_DAY`, for load tests.

    Each day holds rows / days of the videos, once each: a window that moves evenly from the first video to the last,
    as a chart turns over; fewer rows than videos leave some of these unread. Counts grow as a power of age, without
    noise or bad rows; `videos.parquet` holds one version per video. Memory grows with the videos, not with the rows.
    `folder` appears only when it is complete. Raises ValueError when the rows do not fit (more than videos x days,
    fewer than days) and FileExistsError if the folder exists.
    """
    if not days <= rows <= videos * days:
        raise ValueError(
            f"{rows} snapshots of {videos} videos on {days} days cannot be written: every day has a snapshot, and a "
            f"video at most one a day; give {days} to {videos * days} rows, or other numbers of videos and days"
        )
    catalogue = _plain_catalogue(seed, videos, LAST_DAY - timedelta(days=days - 1))
    with _new_folder(folder) as unfinished:
        (unfinished / "snapshots").mkdir()
        for month, windows in groupby(_windows(rows, videos, days), lambda window: f"{window[0]:%Y-%m}"):
            path = unfinished / "snapshots" / f"{month}.parquet"
            # A dictionary of ids pays nothing: each stands once in a row group.
            with pq.ParquetWriter(
                path, SNAPSHOTS_SCHEMA, compression="zstd", use_dictionary=["source", "region"]
            ) as file:
                for day, window in windows:
                    file.write_table(_plain_snapshots(catalogue, day, window))
        pq.write_table(_plain_videos(catalogue), unfinished / "videos.parquet", compression="zstd")


class _Catalogue(NamedTuple):
    """The videos of a load test: ids, publication, and the views of the first day of life."""

    ids: pa.StringArray
    published: NDArray[np.datetime64]
    first_day_views: NDArray[np.float64]


def _plain_catalogue(seed: int, videos: int, first_day: date) -> _Catalogue:
    rng = np.random.default_rng(seed)
    age = rng.integers(1, 300 * 86_400, videos).astype("timedelta64[s]")
    return _Catalogue(
        ids=pa.array(synthetic_video_ids(seed, videos)),
        published=np.datetime64(first_day, "ns") - age,
        first_day_views=rng.lognormal(6, 2, videos),
    )


def _windows(rows: int, videos: int, days: int) -> Iterator[tuple[date, slice]]:
    """Each day with the videos read on it, in pieces of at most `_CHUNK_ROWS`."""
    for number in range(days):
        size = rows * (number + 1) // days - rows * number // days
        start = (videos - size) * number // max(days - 1, 1)
        for piece in range(start, start + size, _CHUNK_ROWS):
            yield LAST_DAY - timedelta(days=days - 1 - number), slice(piece, min(piece + _CHUNK_ROWS, start + size))


def _plain_snapshots(catalogue: _Catalogue, day: date, window: slice) -> pa.Table:
    """One reading of each video of the window: from 01:00 on, a millisecond after the video before."""
    after_one = np.arange(window.start, window.stop).astype("timedelta64[ms]")
    collected = np.datetime64(day, "ns") + np.timedelta64(1, "h") + after_one
    age_days = (collected - catalogue.published[window]) / np.timedelta64(1, "D")
    views = (catalogue.first_day_views[window] * age_days**0.6).astype(np.int64)
    constants = {"source": SOURCE, "region": "", "like_zero_is_missing": False, "comment_zero_is_missing": False}
    columns = {
        "video_id": catalogue.ids[window],
        "collected_at": pa.array(collected, pa.timestamp("ns")).cast(_INSTANT),
        "view_count": views,
        "like_count": views // 25,
        "comment_count": views // 400,
    }
    columns |= {name: pa.repeat(value, len(views)) for name, value in constants.items()}
    return pa.table(columns, schema=SNAPSHOTS_SCHEMA)


def _plain_videos(catalogue: _Catalogue) -> pa.Table:
    """One version per video, seen when the last of them was published; what is not set is null."""
    videos = len(catalogue.ids)
    constants = {
        "source": SOURCE,
        "channel_id": "UCsynthetic-data-plain00",
        "channel_title": "Synthetic Channel",
        "title": "Plain video [synthetic]",
        "duration": "PT5M",
        "live_broadcast_content": "none",
        "refreshed_at": pd.Timestamp(catalogue.published.max(), tz="UTC").isoformat(),
    }
    columns = {field.name: pa.nulls(videos, field.type) for field in VIDEOS_SCHEMA}
    columns |= {name: pa.repeat(value, videos) for name, value in constants.items()}
    columns["video_id"] = catalogue.ids
    columns["published_at"] = pa.array(catalogue.published, pa.timestamp("ns")).cast(_INSTANT)
    return pa.table(columns, schema=VIDEOS_SCHEMA)


def _write(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name when the block ends without an error."""
    if folder.exists():
        raise FileExistsError(f"{folder} exists; generated data goes to a new folder only: remove it or name another")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    if unfinished.exists():  # left by a process that was killed
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True)
    yield unfinished
    unfinished.rename(folder)
