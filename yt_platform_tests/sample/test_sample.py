"""The synthetic sample keeps what its docstrings promise, judged from its rows and files alone."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from yt_platform.sample.files import write_sample, write_snapshots
from yt_platform.sample.generator import HARMLESS_KINDS, Sample, generate, synthetic_video_ids

VIDEO_ID = r"[A-Za-z0-9_-]{11}"
CHANNEL_ID = r"UC[A-Za-z0-9_-]{22}"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return generate()


@pytest.fixture(scope="module")
def bad(sample: Sample) -> pd.Series:
    """Which snapshots break a rule, found without the list of what was planted."""
    rows = sample.snapshots
    malformed = ~rows["video_id"].str.fullmatch(VIDEO_ID)
    return (
        malformed | (rows["view_count"].fillna(-1) < 0) | (rows["collected_at"] > pd.Timestamp("2026-03-02", tz="UTC"))
    )


@pytest.fixture(scope="module")
def readings(sample: Sample, bad: pd.Series) -> pd.DataFrame:
    """Good snapshots without copies, with the day and the step since the reading before."""
    rows = sample.snapshots[~bad].drop_duplicates().sort_values(["video_id", "collected_at"])
    return rows.assign(
        day=rows["collected_at"].dt.normalize(), step=rows.groupby("video_id")["view_count"].diff().astype("Float64")
    )


@pytest.fixture(scope="module")
def versions(sample: Sample) -> pd.DataFrame:
    return sample.videos[sample.videos["video_id"].str.fullmatch(VIDEO_ID)].sort_values(["video_id", "collected_at"])


def test_equal_seeds_give_equal_bytes_and_other_seeds_other_videos(tmp_path: Path) -> None:
    """At the files: identity there is what keeps a second import from changing anything."""
    for name in ("first", "second"):
        write_sample(tmp_path / name, generate(seed=7, channels=3, videos=60, days=40))
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.parquet"))
    assert [str(file) for file in files] == [
        "channel_snapshots.parquet",
        "channels.parquet",
        "snapshots/2026-01.parquet",
        "snapshots/2026-02.parquet",
        "snapshots/2026-03.parquet",
        "videos.parquet",
    ]
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file
    other = generate(seed=8, channels=3, videos=60, days=40)
    assert not set(other.videos["video_id"]) & set(generate(seed=7, channels=3, videos=60, days=40).videos["video_id"])


def test_ids_stay_distinct_and_valid_in_great_numbers() -> None:
    """On the id function alone: the load tests need more ids than the sample has."""
    ids = pd.Series(synthetic_video_ids(3, 300_000))
    assert ids.is_unique
    assert ids.str.fullmatch(VIDEO_ID).all()


@pytest.mark.parametrize(("channels", "videos", "days"), [(0, 50, 60), (60, 59, 60), (1, 49, 60), (1, 50, 13)])
def test_impossible_sizes_are_refused(channels: int, videos: int, days: int) -> None:
    """On the generator alone: sizes are its arguments."""
    with pytest.raises(ValueError, match=f"{channels} channels, {videos} videos and {days} days cannot"):
        generate(channels=channels, videos=videos, days=days)


def test_the_smallest_sample_can_be_made() -> None:
    """On the generator alone: a third of one channel and a share of few rows must still be whole numbers."""
    smallest = generate(channels=1, videos=50, days=14)
    assert smallest.snapshots["video_id"].str.fullmatch(VIDEO_ID).any()
    assert set(smallest.planted["kind"]) >= {"negative_view_count", "missing_view_count", "future_collected_at"}


def test_size_and_time(sample: Sample, readings: pd.DataFrame) -> None:
    """On the frames: the figures the issue and the docstring name."""
    assert readings["video_id"].nunique() == 1500
    assert sample.channels["channel_id"].nunique() == len(sample.channels) == 25
    days = pd.date_range("2026-01-01", "2026-03-01", tz="UTC")
    assert sorted(readings["day"].unique()) == list(days)
    hour = (readings["collected_at"] - readings["day"]) / pd.Timedelta(hours=1)
    assert hour.between(1, 7).all()
    assert hour.groupby(readings["day"]).min().std() > 1
    assert sample.ended_at == readings["collected_at"].max()
    assert not readings.duplicated(["source", "video_id", "region", "collected_at"]).any()


def test_every_video_is_read_each_day_but_for_some_gaps(readings: pd.DataFrame, sample: Sample) -> None:
    """On the frames: features and targets are built from such rows."""
    seen = readings.groupby("video_id")["day"].agg(["min", "max", "size"])
    assert (seen["max"] == sample.ended_at.normalize()).all()
    due = ((seen["max"] - seen["min"]).dt.days + 1).sum()
    assert 0.98 < seen["size"].sum() / due < 0.999
    read_channels = sample.channel_snapshots.groupby(sample.channel_snapshots["collected_at"].dt.date).size()
    assert sorted(read_channels.unique()) == [17, 25]
    assert (read_channels < 25).sum() == 1


def test_no_video_is_read_before_it_exists(readings: pd.DataFrame, versions: pd.DataFrame) -> None:
    """On the frames: published_at and collected_at come from different stages."""
    published = versions.groupby("video_id")["published_at"].first()
    assert (readings["video_id"].map(published) < readings["collected_at"]).all()
    assert 0.35 < (published < pd.Timestamp("2026-01-01", tz="UTC")).mean() < 0.45


def test_bad_snapshots_are_those_planted(sample: Sample, bad: pd.Series) -> None:
    """Against rules of the test's own: the list is what other tests compare the quarantine with."""
    of_snapshots = sample.planted[sample.planted["table"] == "snapshots"]
    planted = of_snapshots[~of_snapshots["kind"].isin(HARMLESS_KINDS)]
    listed = pd.MultiIndex.from_frame(planted[["id", "collected_at"]])
    found = pd.MultiIndex.from_frame(sample.snapshots.loc[bad, ["video_id", "collected_at"]])
    assert listed.is_unique
    assert sorted(listed) == sorted(found)
    assert 0.0025 < bad.mean() < 0.0035
    past = sample.snapshots["collected_at"] <= sample.ended_at
    assert bad[past].groupby(sample.snapshots["collected_at"].dt.date).mean().max() < 0.006, "a day loaded alone"
    assert planted["kind"].value_counts().gt(30).all()
    assert planted["kind"].nunique() == 4


def test_bad_versions_are_those_planted(sample: Sample) -> None:
    """Against a rule of the test's own, as above; also in the share of a day that is loaded alone."""
    malformed = ~sample.videos["video_id"].str.fullmatch(VIDEO_ID)
    planted = sample.planted.loc[sample.planted["table"] == "videos", "id"]
    assert sorted(sample.videos.loc[malformed, "video_id"]) == sorted(planted)
    assert 0 < malformed.groupby(sample.videos["collected_at"].dt.date).mean().max() < 0.006


def test_channel_tables_hold_no_bad_rows(sample: Sample) -> None:
    """On the frames: one bad row of 25 in a day would block that day's load."""
    assert sample.channels["channel_id"].str.fullmatch(CHANNEL_ID).all()
    assert set(sample.channel_snapshots["channel_id"]) == set(sample.channels["channel_id"])
    assert not sample.channel_snapshots.duplicated(["channel_id", "collected_at"]).any()
    assert (sample.channel_snapshots.select_dtypes("Int64") > 0).all(axis=None)


def test_copies_are_equal_rows(sample: Sample) -> None:
    """On the frame: a copy with other values would be a conflict, not a duplicate."""
    key = ["source", "video_id", "region", "collected_at"]
    copies = sample.snapshots.duplicated()
    assert copies.sum() == sample.snapshots.duplicated(key).sum() == (sample.planted["kind"] == "duplicate").sum() > 30


def test_views_fall_only_where_they_were_purged(sample: Sample, readings: pd.DataFrame) -> None:
    """On the frames: readers of the sample trust that falls are rare and known."""
    falls = readings[readings["step"] < 0]
    listed = sample.planted[sample.planted["kind"] == "fall"]
    assert set(zip(falls["video_id"], falls["collected_at"], strict=True)) <= set(
        zip(listed["id"], listed["collected_at"], strict=True)
    )
    assert 10 <= len(falls) <= len(listed) < 100
    before = (falls["view_count"] - falls["step"]).astype(float)
    assert (falls["step"].astype(float) / before > -0.05).all()


def test_likes_and_comments_never_fall_and_are_unknown_throughout_or_never(readings: pd.DataFrame) -> None:
    """On the frame: NULL must mean hidden, not a missing reading."""
    by_video = readings.groupby("video_id")
    for count, low, high in (("like_count", 0.02, 0.06), ("comment_count", 0.06, 0.2)):
        assert not (by_video[count].diff() < 0).any()
        unknown = readings[count].isna().groupby(readings["video_id"]).mean()
        assert set(unknown.unique()) == {0.0, 1.0}
        assert low < unknown.mean() < high
        assert ((readings[count] <= readings["view_count"]) | readings[count].isna() | (readings["step"] < 0)).all()


def test_made_for_kids_means_no_comments(readings: pd.DataFrame, versions: pd.DataFrame) -> None:
    """Across two frames: YouTube disables comments on such videos."""
    for_kids = versions.loc[versions["made_for_kids"], "video_id"]
    assert for_kids.size
    assert readings.loc[readings["video_id"].isin(for_kids), "comment_count"].isna().all()


def test_audiences_have_weekly_rhythms(readings: pd.DataFrame, versions: pd.DataFrame) -> None:
    """On old videos, where no launch hides it; a step read in the small hours belongs to the day before."""
    first = versions.drop_duplicates("video_id").set_index("video_id")
    old = readings[readings["video_id"].map(first["published_at"]) < pd.Timestamp("2025-12-01", tz="UTC")]
    weekend = (old["day"] - pd.Timedelta(days=1)).dt.dayofweek >= 5
    topic = old["video_id"].map(first["channel_title"]).str.split(" - ").str[1]
    gained = old["step"].astype(float).clip(lower=0).groupby([topic, weekend]).mean().unstack()
    lift = gained[True] / gained[False]
    assert lift["Fútbol de Barrio"] > 1.3
    assert lift["Retro Gaming"] > 1.2
    assert lift["Morning Business"] < 0.9


def test_some_videos_are_dead_and_some_come_back(readings: pd.DataFrame) -> None:
    """On the frame: a forecaster must meet both."""
    wide = readings.pivot(index="video_id", columns="day", values="step").astype(float)
    steady = wide[wide.iloc[:, :40].notna().sum(axis=1) > 30]
    busy_then_still = (steady.iloc[:, :10].sum(axis=1) > 50) & (steady.iloc[:, -14:].sum(axis=1) == 0)
    assert busy_then_still.sum() > 10
    usual = wide.T.rolling(5).median().shift().T  # defined from the seventh reading on, when the launch is over
    assert ((wide > 3 * usual) & (wide > 100)).any(axis=1).sum() > 50


def test_naive_forecasts_are_neither_perfect_nor_useless(readings: pd.DataFrame) -> None:
    """On the frame, with the definition of naive that the backtest uses: the demonstration would else say nothing."""
    views = readings.pivot(index="video_id", columns="day", values="view_count").astype(float).to_numpy()
    step = np.diff(views, axis=1).clip(min=0)
    wape = {}
    for horizon in (1, 3, 7):
        actual = (views[:, 1 + horizon :] - views[:, 1:-horizon]).clip(min=0)
        naive = horizon * step[:, :-horizon]
        both = np.isfinite(actual) & np.isfinite(naive)
        wape[horizon] = np.abs(actual - naive)[both].sum() / actual[both].sum()
    assert 0.2 < wape[1] < wape[3] < wape[7] < 0.65


def test_metadata_is_kept_at_first_sight_on_changes_and_every_month(
    readings: pd.DataFrame, versions: pd.DataFrame, sample: Sample
) -> None:
    """Across two frames: features read metadata as of a day."""
    assert not versions.duplicated(["video_id", "collected_at"]).any()
    listed = ~versions["video_id"].isin(sample.planted.query("table == 'snapshots'")["id"])
    first_version = versions[listed].groupby("video_id")["collected_at"].min()
    first_reading = readings.groupby("video_id")["collected_at"].min()
    assert (first_version.reindex(first_reading.index).dropna() <= first_reading.reindex(first_version.index)).all()
    age = (sample.ended_at - versions.groupby("video_id")["collected_at"].max()).dt.days
    assert (age > 32).mean() < 0.01  # but for the versions whose id was truncated
    assert 40 < (versions.groupby("video_id")["title"].nunique() > 1).sum() < 200


def test_broadcasts_are_announced_run_and_end(readings: pd.DataFrame, versions: pd.DataFrame) -> None:
    """Across two frames: status, duration and views must tell one story."""
    status = versions["live_broadcast_content"]
    seconds = pd.to_timedelta(versions["duration"].where(status == "none"))
    upcoming, live = versions[status == "upcoming"], versions[status == "live"]
    assert len(upcoming) > 50
    assert len(live) > 10
    assert set(live["duration"]) == {"P0D"}
    assert set(upcoming["duration"].fillna("none")) == {"P0D", "none"}
    assert (seconds.dropna() > pd.Timedelta(0)).all()
    assert seconds[status == "none"].notna().all()
    announced = readings.merge(upcoming[["video_id", "collected_at"]])
    assert len(announced) > 50
    assert (announced["view_count"] == 0).all()
    last = versions.drop_duplicates("video_id", keep="last").set_index("video_id")["live_broadcast_content"]
    assert (last.loc[upcoming["video_id"].unique()] == "none").mean() > 0.7


def test_shorts_are_short(versions: pd.DataFrame) -> None:
    """On the frame: the platform guesses Shorts from the duration."""
    shorts = versions["title"].str.contains("#shorts")
    assert 0.15 < shorts.mean() < 0.35
    assert (pd.to_timedelta(versions.loc[shorts, "duration"]) <= pd.Timedelta(seconds=180)).all()


def test_channels_span_three_orders_of_magnitude_and_subscribers_are_rounded(sample: Sample) -> None:
    """On the frame: YouTube shows three significant figures."""
    subscribers = sample.channel_snapshots["subscriber_count"]
    assert subscribers.astype(str).str.fullmatch(r"\d{1,3}0*").all()
    largest = sample.channel_snapshots.groupby("channel_id")["subscriber_count"].max()
    assert largest.max() > 1000 * largest.min()


def test_everything_that_shows_says_synthetic(sample: Sample) -> None:
    """On every text a reader meets: nobody may take the sample for real channels."""
    for frame in (sample.snapshots, sample.videos, sample.channel_snapshots, sample.channels):
        assert set(frame["source"]) == {"synthetic"}
    assert sample.videos["title"].str.endswith("[synthetic]").all()
    assert sample.videos["title"].str.len().max() <= 100
    assert sample.videos["channel_title"].str.startswith("Synthetic Channel ").all()
    assert sample.videos["description"].str.startswith("Synthetic sample data").all()
    assert sample.channels["title"].str.startswith("Synthetic Channel ").all()
    assert sample.channels["handle"].str.fullmatch(r"@synthetic-\d\d").all()
    assert sample.channels["description"].str.startswith("Synthetic sample data").all()


def test_written_sample_holds_the_frames(tmp_path: Path, sample: Sample) -> None:
    """At the files: NULL stays NULL, and the layout's texts for flags and times say what the frames say."""
    write_sample(tmp_path / "new" / "sample", sample)
    folder = tmp_path / "new" / "sample"
    files = sorted((folder / "snapshots").iterdir())
    snapshots = pd.concat([pq.ParquetFile(file).read().to_pandas() for file in files])
    assert len(snapshots) == len(sample.snapshots)
    for count in ("view_count", "like_count", "comment_count"):
        assert snapshots[count].isna().sum() == sample.snapshots[count].isna().sum()
        assert snapshots[count].sum() == sample.snapshots[count].sum()
    assert not snapshots[["like_zero_is_missing", "comment_zero_is_missing"]].any(axis=None)
    videos = pd.read_parquet(folder / "videos.parquet")
    assert (pd.to_datetime(videos["refreshed_at"]) == sample.videos["collected_at"]).all()
    assert (videos["made_for_kids"].map({"True": True, "False": False}) == sample.videos["made_for_kids"]).all()
    assert videos["tags"].isna().sum() == sample.videos["tags"].isna().sum() > 0
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "channels.parquet"), sample.channels, check_dtype=False)
    channel_snapshots = pd.read_parquet(folder / "channel_snapshots.parquet")
    pd.testing.assert_frame_equal(channel_snapshots, sample.channel_snapshots, check_dtype=False)
    assert [path.name for path in folder.parent.iterdir()] == ["sample"]


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    """At the file system: what a user has there must survive."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="remove it or name another"):
        write_snapshots(tmp_path, rows=10, videos=5, days=5)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_failed_write_leaves_no_folder_and_can_be_repeated(tmp_path: Path) -> None:
    """In a process of its own, which may write no file above 100 kB: a full disk is met halfway."""
    folder = tmp_path / "load"
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from pathlib import Path; from yt_platform.sample.files import write_snapshots;"
        f"write_snapshots(Path({str(folder)!r}), rows=100_000, videos=10_000, days=20)"
    )
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert "File too large" in failed.stderr
    assert not folder.exists()
    write_snapshots(folder, rows=1000, videos=100, days=20)
    assert [path.name for path in tmp_path.iterdir()] == ["load"]


def test_load_snapshots_are_as_many_as_asked_and_grow(tmp_path: Path) -> None:
    """At the files: load tests compare tables with these figures."""
    write_snapshots(tmp_path / "load", rows=100_003, videos=5000, days=45)
    files = sorted((tmp_path / "load" / "snapshots").iterdir())
    assert [file.name for file in files] == ["2026-01.parquet", "2026-02.parquet", "2026-03.parquet"]
    rows = pd.concat([pq.ParquetFile(file).read().to_pandas() for file in files])
    assert len(rows) == 100_003
    assert not rows.duplicated(["source", "video_id", "region", "collected_at"]).any()
    assert rows["video_id"].nunique() == 5000
    assert rows["collected_at"].dt.date.nunique() == 45
    assert rows["collected_at"].dt.date.max() == date(2026, 3, 1)
    assert rows.groupby("video_id")["view_count"].diff().min() >= 0
    videos = pd.read_parquet(tmp_path / "load" / "videos.parquet")
    assert set(videos["video_id"]) == set(rows["video_id"])
    assert videos["channel_id"].str.fullmatch(CHANNEL_ID).all()
    assert videos["published_at"].max() < rows["collected_at"].min()
    with pytest.raises(ValueError, match="give 45 to 90 rows"):
        write_snapshots(tmp_path / "too many", rows=91, videos=2, days=45)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """In processes of their own, whose peak is theirs alone: four times the rows of as many videos."""
    peaks = [_peak_of_writing(tmp_path / str(days), 20_000 * days, days) for days in (10, 40)]
    assert peaks[1] < 1.1 * peaks[0]


def _peak_of_writing(folder: Path, rows: int, days: int) -> int:
    code = (
        "import resource; from pathlib import Path; from yt_platform.sample.files import write_snapshots;"
        f"write_snapshots(Path({str(folder)!r}), rows={rows}, videos=20_000, days={days});"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
