"""A world replayed from snapshots: real or synthetic ones, in the raw schemas of `storage/endpoints.py`.

Here: counts between readings, metadata as it was, what must be derived where a source lacks it. Not here: reading
files (`history`). Comments have no source: their number is replayed, their texts are invented (`comments.py`).

Readings are kept as sorted arrays, 32 bytes each; metadata stays in Arrow.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from yt_platform.metrics.durations import duration_seconds
from yt_platform.sample.generator import Sample
from yt_platform.sandbox.world import ChannelState, VideoDetails, VideoState
from yt_platform.storage.endpoints import CHANNEL_SNAPSHOTS, CHANNELS, VIDEO_SNAPSHOTS, VIDEOS
from yt_platform.tables.arrow import to_pandas

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_UNKNOWN = -1
_VIDEO_ID = "^[A-Za-z0-9_-]{11}$"
_CACHED_DETAILS = 10_000  # a few MB; a poll reads the same videos again and again


class ReplayedWorld:
    """Videos exist from `published_at`, or their first reading where that is unknown or earlier, for ever.

    At an instant a count is the last reading at or before it, moved linearly towards the next one where there is one;
    before the first reading it comes linearly from 0 at publication. Readings of several regions are one series. A
    count that a reading lacks, or that is a 0 standing for missing, is absent until the next reading. Readings
    without views, with negative ones or with a malformed video id are left out.
    """

    def __init__(
        self,
        snapshots: pa.Table,
        videos: pa.Table,
        channel_snapshots: pa.Table | None = None,
        channels: pa.Table | None = None,
    ) -> None:
        """Tables in the schemas of the endpoints video_snapshots, videos, channel_snapshots and channels.

        Channels that stand in `videos` alone have that title, no handle, hidden subscribers, and the sums of their
        replayed videos. Raises ValueError where no usable reading is left.
        """
        readings = snapshots.filter(_usable(snapshots))
        if readings.num_rows == 0:
            raise ValueError("no reading to replay: no row of the snapshots has a valid video id and a view count")
        videos = videos.filter(_is_video_id(videos["video_id"]))
        self._metadata = _Versions(videos, "video_id")
        self._readings = _Series(
            readings["video_id"],
            readings["collected_at"],
            {
                "view_count": readings["view_count"],
                "like_count": _without_zeros(readings, "like_count", "like_zero_is_missing"),
                "comment_count": _without_zeros(readings, "comment_count", "comment_zero_is_missing"),
            },
        )
        self._published = self._publishing(videos, readings)
        durations = to_pandas(pa.table({"duration": self._metadata.texts("duration")}))["duration"]
        self._seconds = duration_seconds(durations).fillna(_UNKNOWN).to_numpy(np.int64)
        self._known_channels = _Versions((channels or CHANNELS.schema.empty_table()), "channel_id")
        totals = channel_snapshots or CHANNEL_SNAPSHOTS.schema.empty_table()
        names = ("subscriber_count", "view_count", "video_count")
        self._channel_readings = _Series(
            totals["channel_id"], totals["collected_at"], {name: totals[name] for name in names}
        )
        self._uploads = self._by_channel()
        self._handles = {
            handle.lower(): channel_id
            for channel_id, handle in zip(
                self._known_channels.texts("channel_id").to_pylist(),
                self._known_channels.texts("handle").to_pylist(),
                strict=True,
            )
            if handle
        }
        self._cached_details = lru_cache(_CACHED_DETAILS)(self._read_details)

    @classmethod
    def from_sample(cls, sample: Sample) -> "ReplayedWorld":
        """The built-in sample without the bad rows that were planted in it."""
        absent = {"channel_id": None, "published_at": None}
        zeros = {"like_zero_is_missing": False, "comment_zero_is_missing": False}
        snapshots = sample.snapshots[sample.snapshots["collected_at"] <= sample.ended_at].assign(**absent, **zeros)
        frames = ((snapshots, VIDEO_SNAPSHOTS), (sample.videos, VIDEOS))
        channel_frames = ((sample.channel_snapshots, CHANNEL_SNAPSHOTS), (sample.channels, CHANNELS))
        return cls(
            *(
                pa.Table.from_pandas(frame, endpoint.schema, preserve_index=False, safe=False)
                for frame, endpoint in (*frames, *channel_frames)
            )
        )

    @property
    def last_at(self) -> float:
        """The instant of the last reading; later all counts stand still."""
        return float(self._readings.times.max())

    def videos(self, ids: Sequence[str], at: float) -> list[VideoState]:
        numbers = [self._readings.number[name] for name in ids if name in self._readings.number]
        return [self._state(number, at) for number in numbers if self._published[number] <= at]

    def details(self, video_id: str, at: float) -> VideoDetails:
        return self._cached_details(self._metadata.row(video_id, at))

    def channels(self, ids: Sequence[str], at: float) -> list[ChannelState]:
        known = (name for name in ids if name in self._uploads or name in self._known_channels)
        return [self._channel(name, at) for name in known]

    def channel_with_handle(self, handle: str) -> str | None:
        return self._handles.get(handle)

    def uploads(self, channel_id: str, at: float) -> Sequence[str] | None:
        numbers = self._uploads.get(channel_id)
        if numbers is None:
            return [] if channel_id in self._known_channels else None
        visible = numbers[: np.searchsorted(self._published[numbers], at, side="right")]
        return [self._readings.ids[number] for number in visible[::-1].tolist()]

    def comment_times(self, video_id: str, start: int, stop: int) -> list[float]:
        """When the replayed number of comments first reached each number."""
        number = self._readings.number[video_id]
        times, counts = self._readings.values(number, "comment_count")
        highest, first = np.unique(np.maximum.accumulate(np.append(0, counts)), return_index=True)
        instants = np.append(min(self._published[number], times[0]), times)[first]
        found: list[float] = np.interp(np.arange(start + 1, stop + 1), highest, instants).tolist()
        return found

    def _publishing(self, videos: pa.Table, readings: pa.Table) -> Floats:
        """When each video appeared: by its metadata, its snapshots or its first reading, whichever is first."""
        first = self._readings.first_times()
        known = np.full(len(first), np.inf)
        for table in (videos, readings):
            earliest = table.group_by("video_id").aggregate([("published_at", "min")])
            earliest = earliest.filter(pc.is_valid(earliest["published_at_min"]))
            names, times = earliest["video_id"].to_pylist(), _seconds(earliest["published_at_min"])
            for name, published_at in zip(names, times.tolist(), strict=True):
                number = self._readings.number.get(name)
                if number is not None:
                    known[number] = min(known[number], published_at)
        published: Floats = np.minimum(first, known)
        return published

    def _by_channel(self) -> dict[str, Ints]:
        """Numbers of each channel's videos, oldest first."""
        found: dict[str, list[int]] = {}
        for name, row in self._metadata.last_rows().items():
            number = self._readings.number.get(name)
            channel_id = self._metadata.value("channel_id", row)
            if number is not None and channel_id:
                found.setdefault(channel_id, []).append(number)
        ordered = {}
        for channel_id, numbers in found.items():
            videos = np.array(numbers, dtype=np.int64)
            ordered[channel_id] = videos[np.argsort(self._published[videos], kind="stable")]
        return ordered

    def _state(self, number: int, at: float) -> VideoState:
        video_id = self._readings.ids[number]
        views, likes, comments = self._readings.at(number, at, since=self._published[number])
        row = self._metadata.row(video_id, at)
        broadcast, duration, seconds, channel_id = "none", None, None, None
        if row is not None:
            broadcast = self._metadata.value("live_broadcast_content", row) or "none"
            duration = self._metadata.value("duration", row)
            seconds = None if duration is None else _count(self._seconds[row])
            channel_id = self._metadata.value("channel_id", row)
        published = float(self._published[number])
        return VideoState(video_id, channel_id, published, broadcast, duration, seconds, views or 0, likes, comments)

    def _read_details(self, row: int | None) -> VideoDetails:
        held: dict[str, Any] = dict.fromkeys(VIDEOS.schema.names)
        if row is not None:
            held = {name: self._metadata.value(name, row) for name in VIDEOS.schema.names}
        return VideoDetails(
            title=held["title"] or "",
            description=held["description"] or "",
            channel_title=held["channel_title"],
            category_id=held["category_id"],
            tags=tuple(tag.strip() for tag in held["tags"].split(",")) if held["tags"] else (),
            default_language=held["default_language"],
            default_audio_language=held["default_audio_language"],
            definition=held["definition"] or "hd",
            caption=bool(held["caption"]),
            licensed_content=bool(held["licensed_content"]),
            embeddable=held["embeddable"] is not False,
            made_for_kids=bool(held["made_for_kids"]),
            streams_at=None,
            ends_at=None,
        )

    def _channel(self, channel_id: str, at: float) -> ChannelState:
        videos = self._uploads.get(channel_id, np.array([], dtype=np.int64))
        visible = videos[self._published[videos] <= at].tolist()
        subscribers, views, count = None, None, None
        series = self._channel_readings.number.get(channel_id)
        if series is not None:
            subscribers, views, count = self._channel_readings.at(series, at, since=None)
        if views is None:
            views = sum(self._readings.at(number, at, self._published[number])[0] or 0 for number in visible)
        row = self._known_channels.row(channel_id, at)
        held: dict[str, Any] = dict.fromkeys(CHANNELS.schema.names)
        if row is not None:
            held = {name: self._known_channels.value(name, row) for name in CHANNELS.schema.names}
        published = held["published_at"]
        return ChannelState(
            channel_id=channel_id,
            title=held["title"] or self._title_in_videos(videos),
            description=held["description"] or "",
            handle=held["handle"],
            country=held["country"],
            published_at=published.timestamp() if published else float(self._published[videos].min()),
            subscriber_count=subscribers,
            view_count=views,
            video_count=len(visible) if count is None else count,
        )

    def _title_in_videos(self, videos: Ints) -> str:
        for number in videos[::-1].tolist():
            row = self._metadata.row(self._readings.ids[number], np.inf)
            title = None if row is None else self._metadata.value("channel_title", row)
            if title:
                return str(title)
        return ""


class _Series:
    """Readings of counts by id, each id's in order of time."""

    def __init__(self, ids: pa.ChunkedArray, collected_at: pa.ChunkedArray, counts: dict[str, pa.ChunkedArray]) -> None:
        encoded = ids.combine_chunks().dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        times = _seconds(collected_at)
        order = np.lexsort((times, codes))
        self.ids: list[str] = encoded.dictionary.to_pylist()
        self.number = {name: number for number, name in enumerate(self.ids)}
        self.times = times[order]
        self._names = tuple(counts)
        self._counts = [
            pc.fill_null(values, _UNKNOWN).to_numpy().astype(np.int64, copy=False)[order] for values in counts.values()
        ]
        self._bounds = np.searchsorted(codes[order], np.arange(len(self.ids) + 1))

    def first_times(self) -> Floats:
        return self.times[self._bounds[:-1]]

    def values(self, number: int, name: str) -> tuple[Floats, Ints]:
        """Times and known counts of one id."""
        rows = slice(self._bounds[number], self._bounds[number + 1])
        counts = self._counts[self._names.index(name)][rows]
        known = counts != _UNKNOWN
        return self.times[rows][known], counts[known]

    def at(self, number: int, at: float, since: float | None) -> list[int | None]:
        """Each count at an instant; before the first reading from 0 at `since`, or that reading's without `since`."""
        first, stop = int(self._bounds[number]), int(self._bounds[number + 1])
        following = first + int(np.searchsorted(self.times[first:stop], at, side="right"))
        if following == first:
            return [_before_first(_count(counts[first]), since, self.times[first], at) for counts in self._counts]
        last = following - 1
        if following == stop:
            return [_count(counts[last]) for counts in self._counts]
        before, after = self.times[last], self.times[following]
        return [_between(_count(counts[last]), _count(counts[following]), before, after, at) for counts in self._counts]


def _count(value: np.int64) -> int | None:
    return None if value == _UNKNOWN else int(value)


def _before_first(count: int | None, since: float | None, first_at: float, at: float) -> int | None:
    """From 0 at `since`; what the first reading lacks is absent before it too."""
    return count if since is None or count is None else _between(0, count, since, first_at, at)


def _between(before: int | None, after: int | None, start: float, end: float, at: float) -> int | None:
    """The count on the way from one reading to the next; that of the last reading where the next lacks it."""
    if before is None or after is None:
        return before
    return before + int((after - before) * (at - start) / (end - start))


class _Versions:
    """Metadata by id and time of reading, in Arrow."""

    def __init__(self, table: pa.Table, key: str) -> None:
        table = table.sort_by([(key, "ascending"), ("collected_at", "ascending")])
        self._columns = {name: _one_chunk(table[name]) for name in table.column_names}
        self._times = _seconds(table["collected_at"])
        names = table[key].to_pylist()
        self._rows: dict[str, tuple[int, int]] = {}
        for row, name in enumerate(names):
            self._rows[name] = (self._rows.get(name, (row, row))[0], row + 1)

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def row(self, name: str, at: float) -> int | None:
        """The last version read at or before an instant, else the first; None for an id without any."""
        rows = self._rows.get(name)
        if rows is None:
            return None
        first, stop = rows
        if stop - first == 1:
            return first
        return max(first, first + int(np.searchsorted(self._times[first:stop], at, side="right")) - 1)

    def last_rows(self) -> dict[str, int]:
        return {name: stop - 1 for name, (_, stop) in self._rows.items()}

    def value(self, name: str, row: int) -> Any:
        return self._columns[name][row].as_py()

    def texts(self, name: str) -> pa.Array:
        return self._columns[name]


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Without a copy where there is one already; rows of an array are found at once, those of chunks are searched."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _usable(snapshots: pa.Table) -> pa.ChunkedArray:
    counted = pc.fill_null(pc.greater_equal(snapshots["view_count"], 0), False)
    return pc.and_(counted, _is_video_id(snapshots["video_id"]))


def _is_video_id(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.match_substring_regex(ids, _VIDEO_ID), False)


def _without_zeros(readings: pa.Table, count: str, flag: str) -> pa.ChunkedArray:
    missing = pc.and_(pc.fill_null(pc.equal(readings[count], 0), False), readings[flag])
    return pc.if_else(missing, pa.scalar(None, pa.int64()), readings[count])


def _seconds(times: pa.ChunkedArray) -> Floats:
    microseconds = pc.cast(times.cast(pa.timestamp("us", "UTC")), pa.int64())
    seconds: Floats = microseconds.to_numpy() / 1e6
    return seconds
