"""Worlds, asked directly: their numbers need oracles, not HTTP."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from yt_platform.sample.generator import Sample, generate
from yt_platform.sandbox import GeneratedWorld, ReplayedWorld
from yt_platform.sandbox.__main__ import replayed
from yt_platform.storage.endpoints import VIDEO_SNAPSHOTS, VIDEOS
from yt_platform_tests.sandbox.client import STARTS_AT

DAY = 86_400
START = STARTS_AT.timestamp()


def ids_of(world: GeneratedWorld, at: float) -> list[str]:
    channels = [world.channel_with_handle(f"@synthetic-{number:02d}") or "" for number in range(1, 9)]
    return [video for channel in channels for video in world.uploads(channel, at) or ()]


def test_equal_arguments_give_equal_worlds(world: GeneratedWorld) -> None:
    """Two worlds side by side, and another seed."""
    arguments = {"channels": 8, "videos": 900, "new_per_day": 40, "starts_at": STARTS_AT, "days": 30}
    again, other = GeneratedWorld(seed=3, **arguments), GeneratedWorld(seed=4, **arguments)
    at = START + 5 * DAY
    ids = ids_of(world, at)
    assert ids == ids_of(again, at)
    assert world.videos(ids, at) == again.videos(ids, at)
    assert not set(ids) & set(ids_of(other, at))


def test_every_day_has_its_new_videos(world: GeneratedWorld) -> None:
    """By publication, of the videos seen on each day: at most a few of a day's are deleted before it ends."""
    for day in (0, 1, 29):
        seen = world.videos(ids_of(world, START + (day + 1) * DAY), START + (day + 1) * DAY)
        assert 38 <= sum(START + day * DAY < video.published_at for video in seen) <= 40


def test_counts_are_the_integral_of_the_rate() -> None:
    """Against numeric integration of the documented rate: the world uses its closed form."""
    world = GeneratedWorld(seed=8, channels=2, videos=40, new_per_day=0, starts_at=STARTS_AT)
    growth = world._growth
    chosen = [number for number in range(40) if not np.isfinite(growth.purged_at[number])]
    ends = START + 3.3 * DAY
    states = {state.video_id: state for state in world.videos(world._ids.tolist(), ends)}
    checked = 0
    for number in chosen:
        state = states.get(world._ids[number])
        if state is None or state.broadcast == "upcoming":
            continue
        one = {name: values[number] for name, values in growth._asdict().items()}
        times = np.linspace(one["starts_at"], ends, 400_001)
        swing = 1 + 0.6 * np.cos(2 * np.pi * (times - one["peak"]) / DAY)
        age = np.cumsum(np.append(0, (swing[1:] + swing[:-1]) / 2 * np.diff(times))) / DAY  # of the warped clock
        rate = one["launch"] * ((1 + age / one["decay_days"]) ** -one["decay_power"] + one["tail"]) * swing
        later = (times - one["second_at"]) / DAY
        rate += (
            np.where(later >= 0, one["launch"] * one["second_size"], 0)
            * (1 + later.clip(min=0) / one["decay_days"]) ** -one["decay_power"]
        )
        rate[times > one["starts_at"] + DAY * one["dies_after_days"]] = 0
        expected = np.sum((rate[1:] + rate[:-1]) / 2 * np.diff(times)) / DAY
        assert state.view_count == pytest.approx(expected, rel=2e-3, abs=2)
        checked += 1
    assert checked > 30


def test_comments_arrive_when_the_count_rises(world: GeneratedWorld) -> None:
    """The times are an inverse of the count: one second before a comment it is not counted, one after it is."""
    at = START + 2 * DAY
    busy = max(world.videos(ids_of(world, at), at), key=lambda video: video.comment_count or 0)
    times = world.comment_times(busy.video_id, 0, busy.comment_count or 0)
    assert times == sorted(times)
    assert busy.published_at < times[0] <= times[-1] <= at + 1
    for number in range(0, len(times), 17):
        for moment, least, most in ((times[number] - 1, 0, number), (times[number] + 1, number + 1, len(times))):
            [state] = world.videos([busy.video_id], moment)
            assert least <= (state.comment_count or 0) <= most


@pytest.mark.parametrize("arguments", [{"channels": 0}, {"channels": 9, "videos": 8}, {"new_per_day": -1}])
def test_worlds_that_cannot_be_are_refused(arguments: dict[str, int]) -> None:
    """At the constructor, with the numbers in the message."""
    with pytest.raises(ValueError, match="cannot be generated"):
        GeneratedWorld(**arguments)


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def table(rows: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
    """Rows of an endpoint; what they leave out is null."""
    return pa.Table.from_pylist(rows, schema=schema)


def reading(video: str, at: str, views: int | None, likes: int | None = 5, comments: int | None = 2, **more: object):
    return {
        "source": "test", "video_id": video, "region": "", "collected_at": datetime.fromisoformat(at),
        "view_count": views, "like_count": likes, "comment_count": comments,
        "like_zero_is_missing": False, "comment_zero_is_missing": False, **more,
    }  # fmt: skip


def metadata(video: str, at: str, title: str, published: str | None) -> dict[str, object]:
    return {
        "source": "test", "video_id": video, "collected_at": datetime.fromisoformat(at), "channel_id": "UC" + "c" * 22,
        "channel_title": "Channel", "title": title, "duration": "PT1M2S", "tags": "a, b",
        "published_at": datetime.fromisoformat(published) if published else None,
    }  # fmt: skip


@pytest.fixture
def replay() -> ReplayedWorld:
    """Three videos: read twice, read in two regions with missing counts, and without metadata."""
    snapshots = [
        reading("aaaaaaaaaaa", "2026-01-03T00:00Z", 300, 30, 3),
        reading("aaaaaaaaaaa", "2026-01-02T00:00Z", 100, 10, 1),
        reading("bbbbbbbbbbb", "2026-01-02T00:00Z", 50, 0, 4, region="DE", like_zero_is_missing=True),
        reading("bbbbbbbbbbb", "2026-01-02T00:10Z", 60, 7, None, region="US"),
        reading("ccccccccccc", "2026-01-02T00:00Z", 10),
        reading("ccccccccccc", "2026-01-03T00:00Z", None),
        reading("ccccccccccc", "2026-01-04T00:00Z", -1),
        reading("malformed", "2026-01-02T00:00Z", 10),
    ]
    videos = [
        metadata("aaaaaaaaaaa", "2026-01-02T00:00Z", "Old", "2026-01-01T00:00Z"),
        metadata("aaaaaaaaaaa", "2026-01-03T00:00Z", "New", "2026-01-01T00:00Z"),
        metadata("bbbbbbbbbbb", "2026-01-02T00:00Z", "B", None),
    ]
    return ReplayedWorld(table(snapshots, VIDEO_SNAPSHOTS.schema), table(videos, VIDEOS.schema))


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        ("2026-01-01T12:00Z", (50, 5, 0)),  # half-way from publication
        ("2026-01-02T00:00Z", (100, 10, 1)),
        ("2026-01-02T12:00Z", (200, 20, 2)),
        ("2026-01-03T00:00Z", (300, 30, 3)),
        ("2026-02-01T00:00Z", (300, 30, 3)),
    ],
)
def test_counts_move_from_reading_to_reading(replay: ReplayedWorld, at: str, counts: tuple[int, int, int]) -> None:
    """By hand: 0 at publication, 100 after a day, 300 after two, then nothing more."""
    [state] = replay.videos(["aaaaaaaaaaa"], instant(at))
    assert (state.view_count, state.like_count, state.comment_count) == counts


def test_what_a_reading_lacks_is_absent(replay: ReplayedWorld) -> None:
    """By hand: regions are one series, and a zero that means missing is none."""
    ids = ["bbbbbbbbbbb", "ccccccccccc", "malformed"]
    [early] = replay.videos(ids[:1], instant("2026-01-02T00:05Z"))
    assert (early.view_count, early.like_count, early.comment_count) == (55, None, 4)
    late = replay.videos(ids, instant("2026-01-09T00:00Z"))
    assert [(state.video_id[0], state.view_count, state.like_count, state.comment_count) for state in late] == [
        ("b", 60, 7, None),
        ("c", 10, 5, 2),
    ]


def test_videos_exist_from_publication_or_first_reading(replay: ReplayedWorld) -> None:
    """By hand, for all three, and in the uploads of their channel, newest first."""
    ids = ["aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc"]
    assert replay.videos(ids, instant("2025-12-31T23:59Z")) == []
    assert [state.video_id for state in replay.videos(ids, instant("2026-01-01T00:00Z"))] == ids[:1]
    assert [state.video_id for state in replay.videos(ids, instant("2026-01-02T00:00Z"))] == ids
    assert replay.uploads("UC" + "c" * 22, instant("2026-01-01T00:00Z")) == ids[:1]
    assert replay.uploads("UC" + "c" * 22, instant("2026-01-02T00:00Z")) == [ids[1], ids[0]]
    assert replay.uploads("UC" + "d" * 22, instant("2026-01-02T00:00Z")) is None


def test_metadata_is_that_of_its_time(replay: ReplayedWorld) -> None:
    """By hand: before the first version stands the first."""
    titles = [replay.details("aaaaaaaaaaa", instant(at)).title for at in ("2026-01-01T00:00Z", "2026-01-02T23:00Z")]
    assert titles == ["Old", "Old"]
    details = replay.details("aaaaaaaaaaa", instant("2026-01-03T00:00Z"))
    assert (details.title, details.tags) == ("New", ("a", "b"))
    [state] = replay.videos(["aaaaaaaaaaa"], instant("2026-01-03T00:00Z"))
    assert (state.duration, state.seconds) == ("PT1M2S", 62)


def test_channels_are_derived_where_there_are_none(replay: ReplayedWorld) -> None:
    """By hand: the sums of the videos there are, and no subscribers."""
    [channel] = replay.channels(["UC" + "c" * 22], instant("2026-01-02T00:00Z"))
    assert (channel.title, channel.view_count, channel.video_count) == ("Channel", 150, 2)
    assert channel.subscriber_count is None


def test_nothing_to_replay_is_an_error() -> None:
    """At the constructor: an empty world would answer everything with nothing."""
    with pytest.raises(ValueError, match="no reading to replay"):
        ReplayedWorld(VIDEO_SNAPSHOTS.schema.empty_table(), VIDEOS.schema.empty_table())


@pytest.fixture(scope="module")
def sample() -> Sample:
    return generate(seed=11, channels=5, videos=120, days=14)


def test_the_sample_is_replayed_as_it_was_read(sample: Sample) -> None:
    """Every true reading of the sample, at its own instant; planted bad rows have no trace."""
    world = ReplayedWorld.from_sample(sample)
    planted = sample.planted.loc[sample.planted["table"] == "snapshots", ["id", "collected_at"]]
    true = sample.snapshots.merge(
        planted, how="left", left_on=["video_id", "collected_at"], right_on=["id", "collected_at"], indicator=True
    )
    true = true[true["_merge"] == "left_only"]
    assert len(true) > 1000
    for row in true.itertuples():
        [state] = world.videos([row.video_id], row.collected_at.timestamp())
        expected = [None if pd.isna(count) else count for count in (row.view_count, row.like_count, row.comment_count)]
        assert [state.view_count, state.like_count, state.comment_count] == expected
    assert world.last_at <= sample.ended_at.timestamp()
    for row in sample.channel_snapshots.tail(5).itertuples():
        [channel] = world.channels([row.channel_id], row.collected_at.timestamp())
        counts = (channel.subscriber_count, channel.view_count, channel.video_count)
        assert counts == (row.subscriber_count, row.view_count, row.video_count)
        assert channel.handle is not None
        assert world.channel_with_handle(channel.handle) == row.channel_id


def test_comments_of_a_replay_follow_its_counts(sample: Sample) -> None:
    """At a reading between the first and the last: as many comments have arrived as were counted."""
    world = ReplayedWorld.from_sample(sample)
    known = sample.snapshots.dropna(subset=["comment_count"])
    video = known.loc[known["comment_count"].idxmax(), "video_id"]
    end = sample.ended_at.timestamp()
    [last] = world.videos([video], end)
    times = np.array(world.comment_times(video, 0, last.comment_count or 0))
    [earlier] = world.videos([video], end - 5 * DAY)
    assert (earlier.comment_count or 0) == pytest.approx((times <= end - 5 * DAY).sum(), abs=1)
    assert (times <= end).all()


def test_trending_is_replayed_as_it_was_read(data_dir: Path) -> None:
    """All real snapshots, through the importer: a sample of readings at their own instants."""
    world = replayed(str(data_dir / "trending"))
    snapshots = pd.read_parquet(data_dir / "trending" / "snapshots" / "2026-03.parquet")
    single = snapshots.drop_duplicates(["video_id", "collected_at"], keep=False).sample(300, random_state=1)
    for row in single.itertuples():
        [state] = world.videos([row.video_id], row.collected_at.timestamp())
        assert state.view_count == row.view_count
        assert state.like_count == (row.like_count or None)  # this source writes 0 for missing
        assert world.details(row.video_id, row.collected_at.timestamp()).title
    assert datetime.fromtimestamp(world.last_at, STARTS_AT.tzinfo) - STARTS_AT > timedelta(days=60)
