"""A generated world of any size: counts are closed formulas of a video's parameters and the instant.

Here: when videos appear, grow, change and go. Not here: titles, descriptions and channels, which are those of the
built-in sample (`sample/generator.py`): a video borrows the metadata of one of its channel's sample videos.

Nothing is stored per reading: a video takes about 100 bytes of parameters and its id, whatever the simulated time.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from yt_platform.metrics.durations import duration_seconds
from yt_platform.sample.generator import LAST_DAY, generate, synthetic_video_ids
from yt_platform.sandbox.draws import draw
from yt_platform.sandbox.world import ChannelState, VideoDetails, VideoState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STARTS_AT = datetime.combine(LAST_DAY, time(12), UTC)
"""Where a world starts unless told otherwise: on the last day of the built-in sample."""

DAY = 86_400.0
_OLDEST_DAYS = 900  # a catalogue without new videos spreads over these
_TEMPLATES_PER_CHANNEL = 8
_TEMPLATE_DAYS = 14
_UNFINISHED = "PT1H30M"  # the length of a sample broadcast that had not ended when the sample did
_DAILY_SWING = 0.6  # relative amplitude of the rate of views over a day; below 1, so that views never fall by it
_COMMENTS_AFTER_DAYS = 90  # a video's comments number comment_share times its views at this age, in the end


class _Template(NamedTuple):
    """The metadata of a sample video: what does not change, and its kind (video, live or premiere)."""

    kind: str
    duration: str
    seconds: int
    details: VideoDetails


class _Growth(NamedTuple):
    """Parameters of growth, one value per video; times in epoch seconds, infinite for never."""

    starts_at: Floats
    launch: Floats  # views per day at the start
    decay_days: Floats
    decay_power: Floats
    tail: Floats  # lasting rate, relative to launch
    dies_after_days: Floats
    second_at: Floats
    second_size: Floats  # of a later burst, relative to the first
    purged_at: Floats
    purged_share: Floats
    peak: Floats  # seconds of the day
    like_share: Floats
    comments: Floats  # in the end


class GeneratedWorld:
    """`videos` videos of `channels` channels before `starts_at` and `new_per_day` new ones in every 24 h after it.

    The catalogue appeared at the same pace as the new videos do. After `days` days nothing new is published, while
    counts go on growing. Of the videos about 1 % are deleted or made private within a year of their publication,
    8 % get another title, 4 % hide their likes, 5 % and those for children have no comments, 1 % lose views once, an
    eighth get no views and comments after some age; broadcasts and premieres are announced hours ahead. One channel
    in 25, at least one, hides its subscribers. Ids are those of a sample with the same seed: where the built-in one
    is loaded too, take another than `core.sample.SEED`.
    """

    def __init__(
        self,
        seed: int = 1,
        channels: int = 25,
        videos: int = 1500,
        new_per_day: int = 20,
        starts_at: datetime = STARTS_AT,
        days: int = 60,
    ) -> None:
        """`starts_at` is aware. Raises ValueError for no channel or fewer videos than channels."""
        if channels < 1 or videos < channels or new_per_day < 0 or days < 0:
            raise ValueError(
                f"a world of {channels} channels and {videos} videos with {new_per_day} new ones on each of {days} "
                "days cannot be generated: give at least 1 channel, as many videos, and no negative number"
            )
        # One stream per stage, so that a change in one leaves what the others draw alone.
        plan_rng, growth_rng, change_rng, channel_rng = np.random.default_rng(seed).spawn(4)
        self._start = starts_at.timestamp()
        sample_size = max(50, _TEMPLATES_PER_CHANNEL * channels)
        sample = generate(seed, channels, sample_size, _TEMPLATE_DAYS, starts_at.date())
        templates = _templates(sample.videos)
        self.channel_ids: list[str] = sample.channels["channel_id"].to_list()
        self._templates = [template for name in self.channel_ids for template in templates[name]]

        total = videos + new_per_day * days
        self._ids = synthetic_video_ids(seed, total)
        self._number = {name: number for number, name in enumerate(self._ids.tolist())}
        self._published = self._start + _publishing(plan_rng, videos, new_per_day, days)
        self._channel = plan_rng.choice(channels, total, p=plan_rng.dirichlet(np.full(channels, 4.0)))
        self._channel[:channels] = np.arange(channels)
        sizes = np.array([len(templates[name]) for name in self.channel_ids])
        firsts = np.cumsum(sizes) - sizes
        self._template = firsts[self._channel] + plan_rng.integers(0, sizes[self._channel])
        later = firsts[self._channel] + plan_rng.integers(0, sizes[self._channel])

        launch = 10 ** channel_rng.normal(3.2, 0.9, channels).clip(1.5, 5.5)
        peak = channel_rng.uniform(11, 21, channels) * 3600
        ahead = np.array([template.kind != "video" for template in self._templates])[self._template]
        starts = self._published + np.where(ahead, plan_rng.uniform(4, 48, total) * 3600, 0.0)
        self._growth = _grow(growth_rng, starts, launch[self._channel], peak[self._channel])
        seconds = np.array([template.seconds for template in self._templates], dtype=np.float64)
        self._ends = starts + seconds[self._template]

        self._gone = _sometimes(change_rng, 0.01, self._published, 365)
        self._retitled = _sometimes(change_rng, 0.08, self._published, 120)
        self._later_template = later
        self._likes_hidden = change_rng.random(total) < 0.04
        for_kids = np.array([template.details.made_for_kids for template in self._templates])[self._template]
        self._comments_off = (change_rng.random(total) < 0.05) | for_kids

        order = np.argsort(self._channel, kind="stable")  # numbers ascend with publication within a channel
        bounds = np.searchsorted(self._channel[order], np.arange(channels + 1))
        self._of_channel = [order[first:last] for first, last in pairwise(bounds)]
        self._channels = _channel_records(channel_rng, sample.channels, launch)
        self._channel_number = {name: number for number, name in enumerate(self.channel_ids)}
        self._handles = {record.handle: record.channel_id for record in self._channels}

    def videos(self, ids: Sequence[str], at: float) -> list[VideoState]:
        known = [self._number[name] for name in ids if name in self._number]
        numbers = np.array(known, dtype=np.int64)
        numbers = numbers[self._is_public(numbers, at)]
        views, likes, comments = _counts(self._growth, numbers, at)
        rows = zip(
            numbers.tolist(),
            self._published[numbers].tolist(),
            views.tolist(),
            likes.tolist(),
            comments.tolist(),
            self._likes_hidden[numbers].tolist(),
            self._comments_off[numbers].tolist(),
            self._channel[numbers].tolist(),
            strict=True,
        )
        return [
            VideoState(
                str(self._ids[number]),
                self.channel_ids[channel],
                published,
                *self._broadcast(number, at),
                view,
                None if likes_hidden else like,
                None if comments_off else comment,
            )
            for number, published, view, like, comment, likes_hidden, comments_off, channel in rows
        ]

    def details(self, video_id: str, at: float) -> VideoDetails:
        number = self._number[video_id]
        template: _Template = self._templates[self._template[number]]
        details = template.details._replace(aspect=_aspect(video_id, template), brand_partner=self._partner(number))
        if at >= self._retitled[number]:
            later = self._templates[self._later_template[number]].details
            details = details._replace(title=f"{later.title} (new title)")
        if template.kind == "video":
            return details
        return details._replace(streams_at=float(self._growth.starts_at[number]), ends_at=float(self._ends[number]))

    def _partner(self, number: int) -> tuple[str, str] | None:
        """The brand that one video in 8 is linked to: a channel of the world, but its own."""
        chance = draw(f"{self._ids[number]}/partner")
        brand = self._channels[chance // 8 % len(self._channels)]
        if chance % 8 or brand.handle is None or brand.channel_id == self.channel_ids[self._channel[number]]:
            return None
        return brand.channel_id, brand.handle

    def channels(self, ids: Sequence[str], at: float) -> list[ChannelState]:
        return [self._channel_state(self._channel_number[name], at) for name in ids if name in self._channel_number]

    def channel_with_handle(self, handle: str) -> str | None:
        return self._handles.get(handle)

    def uploads(self, channel_id: str, at: float) -> Sequence[str] | None:
        channel = self._channel_number.get(channel_id)
        if channel is None:
            return None
        names: list[str] = self._ids[self._uploaded(channel, at)[::-1]].tolist()
        return names

    def comment_times(self, video_id: str, start: int, stop: int) -> list[float]:
        """The inverse of the share of a burst that has passed: comments come as its views do."""
        number = self._number[video_id]
        growth = self._growth
        share = np.arange(start + 1, stop + 1) / growth.comments[number]
        exponent = -1 / (growth.decay_power[number] - 1)
        age = growth.decay_days[number] * ((1 - share.clip(max=1 - 1e-12)) ** exponent - 1)
        times: list[float] = (growth.starts_at[number] + DAY * age).tolist()
        return times

    def _is_public(self, numbers: Ints, at: float) -> NDArray[np.bool_]:
        public: NDArray[np.bool_] = (self._published[numbers] <= at) & (at < self._gone[numbers])
        return public

    def _uploaded(self, channel: int, at: float) -> Ints:
        """Public videos of a channel, oldest first."""
        numbers = self._of_channel[channel]
        return numbers[self._is_public(numbers, at)]

    def _broadcast(self, number: int, at: float) -> tuple[str, str | None, int | None]:
        """Broadcast content, duration and its seconds."""
        template = self._templates[self._template[number]]
        if at < self._growth.starts_at[number]:
            return ("upcoming", "P0D", 0) if template.kind == "live" else ("upcoming", None, None)
        if template.kind == "live" and at < self._ends[number]:
            return "live", "P0D", 0
        return "none", template.duration, template.seconds

    def _channel_state(self, channel: int, at: float) -> ChannelState:
        record = self._channels[channel]
        videos = self._of_channel[channel]
        started = videos[self._published[videos] <= at]
        views = int(_counts(self._growth, started, at)[0].sum())
        subscribers = record.subscriber_count
        if subscribers is not None:
            subscribers += max(0, int(0.002 * subscribers * (at - self._start) / DAY))
        return record._replace(
            view_count=views, subscriber_count=subscribers, video_count=len(self._uploaded(channel, at))
        )


def _publishing(rng: np.random.Generator, videos: int, new_per_day: int, days: int) -> Floats:
    """Seconds from the start, ascending: `videos` before it, exactly `new_per_day` in every 24 h after it."""
    pace = new_per_day or videos / _OLDEST_DAYS
    before = (np.arange(-videos, 0) + rng.random(videos)) / pace
    after = (np.arange(new_per_day * days) + rng.random(new_per_day * days)) / pace
    return DAY * np.concatenate([before, after])


def _grow(rng: np.random.Generator, starts_at: Floats, size: Floats, peak: Floats) -> _Growth:
    videos = len(starts_at)
    views_share = np.clip(rng.lognormal(np.log(0.002), 0.7, videos), 0.0001, 0.02)
    growth = _Growth(
        starts_at=starts_at,
        launch=size * rng.lognormal(0, 0.9, videos),
        decay_days=1.5 * rng.lognormal(0, 0.4, videos),
        decay_power=1.3 + rng.uniform(-0.1, 0.6, videos),
        tail=0.015 * rng.lognormal(0, 0.8, videos),
        dies_after_days=np.where(rng.random(videos) < 0.125, rng.uniform(2, 40, videos), np.inf),
        second_at=_sometimes(rng, 0.25, starts_at, 60),
        second_size=np.clip(rng.lognormal(np.log(0.2), 0.9, videos), 0.01, 1.5),
        purged_at=_sometimes(rng, 0.01, starts_at, 120),
        purged_share=rng.uniform(0.01, 0.05, videos),
        peak=peak,
        like_share=np.clip(rng.lognormal(np.log(0.035), 0.5, videos), 0.002, 0.2),
        comments=np.zeros(videos),
    )
    lasting = growth.launch * _burst(growth.decay_days, growth.decay_power, np.full(videos, _COMMENTS_AFTER_DAYS))
    return growth._replace(comments=np.floor(views_share * lasting))


def _counts(growth: _Growth, numbers: Ints, at: float) -> tuple[Ints, Ints, Ints]:
    """Views, likes and comments of some videos.

    The views are the integral of a power-law burst (the rate `launch * (1 + age / decay) ** -power`), a later one and
    a lasting tail. The daily rhythm enters as time that runs faster around the peak: the rate at an hour is multiplied
    by `1 + swing * cos`, and the integral stays closed.
    """
    # Indexing each array of `growth` once is most of the cost of a call with 50 ids.
    one = _Growth(*(values[numbers] for values in growth))
    until = np.minimum(at, one.starts_at + DAY * one.dies_after_days)
    age = ((_warped(until, one.peak) - _warped(one.starts_at, one.peak)) / DAY).clip(min=0)
    second_age = ((until - one.second_at) / DAY).clip(min=0)
    passed = _burst(one.decay_days, one.decay_power, age) + one.tail * age
    passed += one.second_size * _burst(one.decay_days, one.decay_power, second_age)
    gross = one.launch * passed
    views = gross * np.where(at >= one.purged_at, 1 - one.purged_share, 1.0)
    whole = one.decay_days / (one.decay_power - 1)
    plain_age = ((until - one.starts_at) / DAY).clip(min=0)
    comments = one.comments * _burst(one.decay_days, one.decay_power, plain_age) / whole
    return views.astype(np.int64), (gross * one.like_share).astype(np.int64), comments.astype(np.int64)


def _burst(decay: Floats, power: Floats, age_days: Floats) -> Floats:
    """The integral from 0 to an age of a rate that begins at 1 a day."""
    grown: Floats = decay / (power - 1) * (1 - (1 + age_days / decay) ** (1 - power))
    return grown


def _warped(at: Floats, peak: Floats) -> Floats:
    """Time that runs 1 + swing times as fast at the peak of the day and 1 - swing twelve hours later."""
    turn = 2 * np.pi / DAY
    warped: Floats = at + _DAILY_SWING / turn * np.sin(turn * (at - peak))
    return warped


def _sometimes(rng: np.random.Generator, share: float, since: Floats, within_days: float) -> Floats:
    """For a share of the videos an instant within so many days after `since`, else never."""
    happens = rng.random(len(since)) < share
    return np.where(happens, since + DAY * rng.uniform(0.1, within_days, len(since)), np.inf)


def _templates(versions: pd.DataFrame) -> dict[str, list[_Template]]:
    """The sample's videos by channel, as they were read last."""
    versions = versions[versions["video_id"].str.len() == 11]  # the others are planted bad rows
    scheduled = versions[versions["live_broadcast_content"] != "none"]
    live = set(scheduled.loc[scheduled["duration"] == "P0D", "video_id"])
    announced = set(scheduled["video_id"])
    last = versions.drop_duplicates("video_id", keep="last").sort_values("video_id")
    last = last.assign(duration=last["duration"].replace("P0D", None).fillna(_UNFINISHED))
    found: dict[str, list[_Template]] = {name: [] for name in versions["channel_id"].unique()}
    rows: Iterable[Any] = last.itertuples()
    for row, seconds in zip(rows, duration_seconds(last["duration"]), strict=True):
        kind = "live" if row.video_id in live else "premiere" if row.video_id in announced else "video"
        found[row.channel_id].append(_Template(kind, row.duration, int(seconds), _borrowed(row)))
    return found


def _aspect(video_id: str, template: _Template) -> tuple[int, int] | None:
    """Most videos called Shorts are vertical, some square, and some wide all the same; one in 20 is not known."""
    chance = draw(f"{video_id}/aspect") % 20
    if chance == 0:
        return None
    if "#shorts" in template.details.title:
        return (16, 9) if chance < 4 else (1, 1) if chance == 4 else (9, 16)
    return (9, 16) if chance == 1 else (16, 9)


def _borrowed(row: Any) -> VideoDetails:
    return VideoDetails(
        title=row.title,
        description=row.description,
        channel_title=row.channel_title,
        category_id=row.category_id,
        tags=tuple(row.tags.split(", ")) if row.tags else (),
        default_language=row.default_language,
        default_audio_language=row.default_audio_language,
        definition=row.definition,
        caption=bool(row.caption),
        licensed_content=bool(row.licensed_content),
        embeddable=bool(row.embeddable),
        made_for_kids=bool(row.made_for_kids),
        streams_at=None,
        ends_at=None,
    )


def _channel_records(rng: np.random.Generator, frame: pd.DataFrame, size: Floats) -> list[ChannelState]:
    """The channels at the start; their counts of views and videos are those of their videos."""
    subscribers = (size * rng.uniform(20, 80, len(frame))).astype(np.int64)
    hidden = np.arange(len(frame)) % 25 == rng.integers(0, min(25, len(frame)))
    rows: Iterable[Any] = frame.itertuples()
    return [
        ChannelState(
            channel_id=row.channel_id,
            title=row.title,
            description=row.description,
            handle=row.handle,
            country=row.country,
            published_at=row.published_at.timestamp(),
            subscriber_count=None if is_hidden else int(count),
            view_count=0,
            video_count=0,
        )
        for row, count, is_hidden in zip(rows, subscribers, hidden, strict=True)
    ]
