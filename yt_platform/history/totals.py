"""Counts that were gained in a day or a period, as totals, where they can be that.

Belongs here: what YouTube Studio's exports become. Not here: how they are worded (`studio.py`).

Studio counts what a period gained, and a day is one of Los Angeles. A chart of a video's views, day after day since it
was published, adds up to its views at the end of each day. A table has the sums of a period, which are a video's views
at its end where the video was published within it. What is no total is refused with its reason.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import pyarrow as pa

from yt_platform.history.problems import Reject, csv_text, excerpt
from yt_platform.history.rows import Chunk, Rows
from yt_platform.history.studio import LOS_ANGELES

_VIDEO_ID = re.compile(r"[\w-]{11}", re.ASCII)


def without_sums(chunk: Chunk) -> Chunk:
    """The chunk without lines of sums and notes: they name no video, title or day of publication."""
    contents, titles, published = (chunk.columns[name].to_pylist() for name in ("video_id", "title", "published_at"))
    keep = [
        row
        for row, content in enumerate(contents)
        if titles[row] or published[row] or _VIDEO_ID.fullmatch((content or "").strip())
    ]
    if len(keep) == len(contents):
        return chunk
    return replace(
        chunk,
        columns={name: values.take(pa.array(keep, pa.int64())) for name, values in chunk.columns.items()},
        lines=[chunk.lines[row] for row in keep],
        record=lambda row: chunk.record(keep[row]),
        headers=chunk.headers + len(contents) - len(keep),
    )


@dataclass
class _Video:
    counted_until: datetime
    total: int = 0
    fault: str = ""


@dataclass
class RunningTotals:
    """Views of a chart's days as totals, one file through. A video's day is refused where a total cannot be known."""

    name: str
    videos: dict[str, _Video] = field(default_factory=dict)

    def __call__(self, rows: Rows) -> Rows:
        columns = {name: values.to_pylist() for name, values in rows.columns.items()}
        totals: list[int] = []
        keep: list[int] = []
        rejects: list[Reject] = []
        for row, video_id in enumerate(columns["video_id"]):
            at, published, views = (columns[name][row] for name in ("collected_at", "published_at", "view_count"))
            video = self._next(video_id, at, published, views)
            if video.fault:
                rejects.append(_reject(self.name, rows.lines[row], video.fault, [video_id, at, published, views]))
            elif _day(at) >= published.date():
                keep.append(row)
                totals.append(video.total)
        before_publication = len(columns["video_id"]) - len(keep) - len(rejects)
        kept = {name: values.take(pa.array(keep, pa.int64())) for name, values in rows.columns.items()}
        kept["view_count"] = pa.array(totals, pa.int64())
        return replace(rows, columns=kept, rejects=[*rows.rejects, *rejects], headers=rows.headers + before_publication)

    def _next(self, video_id: str, at: datetime, published: datetime | None, views: int | None) -> _Video:
        """The video after one more day of it."""
        day = _day(at)
        video = self.videos.get(video_id)
        if video is None:
            video = self.videos[video_id] = _Video(at)
            if published is None or day > published.date():
                video.fault = "the chart begins after the video was published: what it had before is not known"
        elif day != _day(video.counted_until) + timedelta(days=1):
            video.fault = video.fault or "the chart lacks the day before: the total after it is not known"
        if views is None and published is not None and day >= published.date():
            video.fault = video.fault or "has no views of this day: the totals from it on are not known"
        video.total += views or 0
        video.counted_until = at
        return video


def _day(end: datetime) -> date:
    """The day of Los Angeles that ends at this instant."""
    return (end.astimezone(LOS_ANGELES) - timedelta(hours=12)).date()


@dataclass(frozen=True)
class SumsOfPeriod:
    """A table's sums as totals at the end of its period, of videos that were published within it."""

    name: str
    begins: date

    def __call__(self, rows: Rows) -> Rows:
        published = rows.columns["published_at"].to_pylist()
        old = [row for row, at in enumerate(published) if at is None or at.date() < self.begins]
        reason = f"was not published within the period, which begins on {self.begins}: its sum is no total"
        videos = rows.columns["video_id"].to_pylist()
        rejects = [_reject(self.name, rows.lines[row], reason, [videos[row], published[row]]) for row in old]
        keep = pa.array(sorted({*range(len(published))} - {*old}), pa.int64())
        kept = {name: values.take(keep) for name, values in rows.columns.items()}
        return replace(rows, columns=kept, rejects=[*rows.rejects, *rejects])


def _reject(name: str, line: int, reason: str, values: Sequence[object]) -> Reject:
    return Reject(name, line, None, reason, excerpt(csv_text(["" if one is None else str(one) for one in values])))
