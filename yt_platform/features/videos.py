"""Features of a video on a day, as known at the end of that UTC day.

Belongs here: turning daily rows and metadata versions into `features.video_day`. Does not belong here: targets, and
anything that reads a day later than the origin. What each column means is in `features/tables.py`.

Every value depends only on rows from `LOOKBACK_DAYS` before the origin to the origin: the cost of a day does not grow
with history. They are rows of the video and of its channel; only `view_acceleration_of_day` is measured over all videos
of the origin day. Days come whole, so that a value is the same however they are grouped into calls.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.features.tables import (
    ACCELERATION_LAGS,
    RESPONSE_RATE_LAGS,
    VIDEO_DAY_FEATURES,
    VIEW_RATE_LAGS,
)
from yt_platform.panel import (
    Features,
    Floats,
    History,
    Panel,
    Rows,
    acceleration,
    floats,
    mean,
    ratio,
    series_key,
    take,
)
from yt_platform.tables.times import LOOKBACK_DAYS

CHANNEL_DAYS = LOOKBACK_DAYS - 1
"""Days of a channel's record: the acceleration of its oldest day reads two days before that one."""

MIN_ELAPSED_HOURS = 6.0
"""Readings on either side of midnight may be minutes apart, and would make any rate per 24 hours."""

_KEYS = ("video_id", "day", "channel_id")

_EMOJI = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55]"
_HASHTAG = r"#\w"
_URL = r"https?://"


def build_video_day(
    daily: pd.DataFrame, versions: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    """`features.video_day` for the days `first` to `last` (naive midnights, both included).

    `daily` holds the rows of `metrics.video_daily`, `versions` those of `metrics.video_versions`, both from
    `LOOKBACK_DAYS` before `first` to `last`; neither their order nor rows of other days matter. Of the versions, the
    newest up to the end of the origin day counts. One row comes back for each row of `daily` in the days asked for,
    ordered by video and day.

    Raises ValueError when a video has two rows on one day.
    """
    daily = daily[daily["day"].between(first - pd.Timedelta(days=LOOKBACK_DAYS), last)]
    daily = daily.sort_values(["video_id", "day"], ignore_index=True)
    _refuse_duplicates(daily)
    video, video_ids = pd.factorize(daily["video_id"])
    videos = Panel(series_key(video, daily["day"]))
    rates = _rates(daily, videos)
    wanted = daily["day"].between(first, last).to_numpy()
    origins = daily[wanted]
    history = History(videos, videos.key[wanted], LOOKBACK_DAYS)

    features = _levels(origins)
    features |= _increments(rates, history)
    features |= _accelerations(rates, features, history)
    features |= _age_and_calendar(origins)
    features |= _ratios(features)
    features |= _presence(daily, history)
    features |= _channel_record(daily, rates, wanted)
    features |= _metadata(versions, video_ids, history)
    features["view_acceleration_of_day"] = _of_day(origins["day"], features["view_acceleration_lag_0"])
    features |= _since_reading(daily, videos, wanted)
    keys = {name: origins[name].array for name in _KEYS}
    return pd.DataFrame({**keys, **{name: features[name] for name in VIDEO_DAY_FEATURES}})


def _refuse_duplicates(daily: pd.DataFrame) -> None:
    repeated = daily[daily.duplicated(["video_id", "day"])]
    if len(repeated):
        row = repeated.iloc[0]
        raise ValueError(
            f"{len(repeated)} daily rows repeat a video and day, the first of them {row['video_id']} on "
            f"{row['day']:%Y-%m-%d}: keep one row per video_id and day, as metrics.video_daily does"
        )


def _rates(daily: pd.DataFrame, videos: Panel) -> Features:
    """Per row of `daily`: `view_increment`, and `view`, `like` and `comment` rates and the view `acceleration`.

    An increment across a change of what counts as a view is unknown, for it is not growth.
    """
    before = videos.at(videos.key - 1)
    before[_regime_changed(daily, before)] = -1
    elapsed_days = _elapsed_days(daily, before)
    rates: Features = {}
    for name in ("view", "like", "comment"):
        counts = floats(daily[f"{name}_count"])
        rates[f"{name}_increment"] = counts - take(counts, before)
        rates[name] = rates[f"{name}_increment"] / elapsed_days
    rates["acceleration"] = acceleration(rates["view"], take(rates["view"], before))
    return rates


def _regime_changed(daily: pd.DataFrame, before: Rows) -> npt.NDArray[np.bool_]:
    """Whether what counts as a view is known to differ between each row of `daily` and the row `before` it."""
    regime = pd.factorize(daily["view_definition"])[0].astype("float64")
    changed: npt.NDArray[np.bool_] = take(regime, before) != regime
    return changed


def _elapsed_days(daily: pd.DataFrame, before: Rows) -> Floats:
    """Between the readings of each row of `daily` and of the row `before` it."""
    microseconds = daily["collected_at"].dt.tz_localize(None).to_numpy("datetime64[us]").astype("float64")
    elapsed_hours = (microseconds - take(microseconds, before)) / 3.6e9
    days: Floats = np.maximum(elapsed_hours, MIN_ELAPSED_HOURS) / 24
    return days


def _levels(origins: pd.DataFrame) -> Features:
    return {name: floats(origins[name]) for name in ("view_count", "like_count", "comment_count")}


def _increments(rates: Features, history: History) -> Features:
    views = [history.lag(rates["view"], k) for k in range(VIEW_RATE_LAGS)]
    features = {f"{name}_increment": history.lag(rates[f"{name}_increment"], 0) for name in ("view", "like", "comment")}
    features |= {f"view_rate_lag_{k}": rate for k, rate in enumerate(views)}
    for name in ("like", "comment"):
        features |= {f"{name}_rate_lag_{k}": history.lag(rates[name], k) for k in range(RESPONSE_RATE_LAGS)}
    features["view_rate_mean_3d"] = mean(views[:3])
    features["view_rate_mean_7d"] = mean(views)
    return features


def _accelerations(rates: Features, increments: Features, history: History) -> Features:
    rate = increments["view_rate_lag_0"]
    lags = [history.lag(rates["acceleration"], k) for k in range(ACCELERATION_LAGS)]
    peak, days_since_peak = _peak(rates["view"], history)
    return {
        **{f"view_acceleration_lag_{k}": lag for k, lag in enumerate(lags)},
        "view_acceleration_3d": acceleration(rate, increments["view_rate_lag_3"]),
        "view_acceleration_6d": acceleration(rate, increments["view_rate_lag_6"]),
        "view_acceleration_spread": np.sqrt(np.maximum(mean([lag**2 for lag in lags]) - mean(lags) ** 2, 0.0)),
        "view_rate_peak": peak,
        "days_since_peak": days_since_peak,
        "view_acceleration_from_peak": acceleration(rate, peak),
        "like_acceleration": acceleration(increments["like_rate_lag_0"], increments["like_rate_lag_1"]),
        "comment_acceleration": acceleration(increments["comment_rate_lag_0"], increments["comment_rate_lag_1"]),
    }


def _peak(rate: Floats, history: History) -> tuple[Floats, Floats]:
    """The highest known rate and how many days ago it was, the latest of equals."""
    peak = history.lag(rate, 0)
    days_since = np.where(np.isnan(peak), np.nan, 0.0)
    for k in range(1, LOOKBACK_DAYS):
        lag = history.lag(rate, k)
        higher = (lag > peak) | (np.isnan(peak) & ~np.isnan(lag))
        peak[higher], days_since[higher] = lag[higher], k
    return peak, days_since


def _of_day(day: pd.Series, acceleration: Floats) -> Floats:
    """Each day's median."""
    return floats(pd.Series(acceleration).groupby(day.to_numpy()).transform("median"))


def _since_reading(daily: pd.DataFrame, videos: Panel, wanted: npt.NDArray[np.bool_]) -> Features:
    """Gains per 24 hours since the newest earlier reading, be it the day before or weeks ago."""
    before = videos.newest(videos.key - 1, LOOKBACK_DAYS - 1)
    before[_regime_changed(daily, before)] = -1
    days = daily["day"].to_numpy("datetime64[D]").astype("float64")
    elapsed_days = _elapsed_days(daily, before)
    features = {"days_since_reading": days - take(days, before)}
    for name in ("view", "like", "comment"):
        counts = floats(daily[f"{name}_count"])
        features[f"{name}_rate_since_reading"] = (counts - take(counts, before)) / elapsed_days
    return {name: values[wanted] for name, values in features.items()}


def _age_and_calendar(origins: pd.DataFrame) -> Features:
    published = origins["published_at"]
    return {
        "age_hours": floats((origins["collected_at"] - published).dt.total_seconds()) / 3600,
        "published_hour": floats((published - published.dt.normalize()).dt.total_seconds()) / 3600,
        "published_weekday": floats(published.dt.weekday),
        "weekday": floats(origins["day"].dt.weekday),
    }


def _ratios(features: Features) -> Features:
    views, rate = features["view_count"], features["view_rate_lag_0"]
    since_published = views / np.maximum(features["age_hours"], 1.0) * 24
    like_ratio, recent_like_ratio = ratio(features["like_count"], views), ratio(features["like_rate_lag_0"], rate)
    return {
        "view_rate_since_published": since_published,
        "view_acceleration_since_published": acceleration(rate, since_published),
        "view_growth": ratio(rate, views),
        "like_ratio": like_ratio,
        "comment_ratio": ratio(features["comment_count"], views),
        "recent_like_ratio": recent_like_ratio,
        "recent_comment_ratio": ratio(features["comment_rate_lag_0"], rate),
        "like_ratio_change": ratio(recent_like_ratio, like_ratio),
    }


def _presence(daily: pd.DataFrame, history: History) -> Features:
    regions = [history.lag(floats(daily["region_count"]), k) for k in range(3)]
    observed = np.zeros(len(history.origins))
    in_a_row = np.zeros(len(history.origins))
    for k in range(LOOKBACK_DAYS + 1):
        in_a_row += history.observed(k) & (in_a_row == k)
        observed += history.observed(k)
    return {
        "region_count": regions[0],
        "region_count_lag_1": regions[1],
        "region_count_lag_2": regions[2],
        "region_count_change": regions[0] - regions[1],
        "days_observed": observed,
        "days_observed_in_a_row": in_a_row,
    }


def _channel_record(daily: pd.DataFrame, rates: Features, wanted: npt.NDArray[np.bool_]) -> Features:
    """Sums per channel and day, then over the `CHANNEL_DAYS` up to the origin; unknown where the channel is."""
    channel = pd.factorize(daily["channel_id"])[0]
    known = np.flatnonzero(channel >= 0)
    key, group = np.unique(series_key(channel[known], daily["day"].iloc[known]), return_inverse=True)
    of_origin = np.full(len(daily), -1)
    of_origin[known] = group
    of_origin = of_origin[wanted]
    needed = np.unique(of_origin[of_origin >= 0])
    history = History(Panel(key), key[needed], CHANNEL_DAYS)

    def on_day(values: Floats) -> Floats:
        return np.bincount(group, np.nan_to_num(values[known]), minlength=len(key)).astype(np.float64)

    def in_record(sums: Floats) -> Floats:
        total = np.full(len(key), np.nan)
        total[needed] = sum(np.nan_to_num(history.lag(sums, k)) for k in range(CHANNEL_DAYS))
        return total

    def mean_in_record(values: Floats) -> Floats:
        return ratio(in_record(on_day(values)), in_record(on_day((~np.isnan(values)).astype("float64"))))

    gained = np.maximum(rates["view"], 0.0)
    videos, gained_on_day, own = on_day(np.ones(len(daily))), on_day(gained), gained[wanted]
    channel_gained = take(gained_on_day, of_origin)
    return {
        "channel_videos": take(videos, of_origin),
        "channel_video_days": take(in_record(videos), of_origin),
        "channel_views_mean": take(mean_in_record(floats(daily["view_count"])), of_origin),
        "channel_view_rate_mean": take(mean_in_record(gained), of_origin),
        "channel_acceleration_mean": take(mean_in_record(rates["acceleration"]), of_origin),
        "channel_other_view_rate": np.maximum(channel_gained - np.nan_to_num(own), 0.0),
        "channel_view_rate_share": ratio(own, channel_gained),
    }


def _metadata(versions: pd.DataFrame, video_ids: pd.Index, history: History) -> Features:
    """Features of the newest version collected up to the end of each origin's day."""
    video = pd.Index(video_ids).get_indexer(versions["video_id"])
    versions, video = versions[video >= 0], video[video >= 0]
    order = np.lexsort((versions["collected_at"], video))
    versions, video = versions.iloc[order], video[order]
    in_force = Panel(series_key(video, versions["collected_at"].dt.tz_localize(None))).newest(
        history.origins, LOOKBACK_DAYS
    )
    used, of_used = np.unique(in_force[in_force >= 0], return_inverse=True)
    rows = np.full(len(in_force), -1)
    rows[in_force >= 0] = of_used
    used_versions = versions.iloc[used]
    return {name: take(values, rows) for name, values in metadata_features(used_versions).items()}


def metadata_features(versions: pd.DataFrame) -> Features:
    """What rows of `metrics.video_versions` or `metrics.videos` tell (`METADATA`), row by row."""
    return {**_facts(versions), **_title(versions["title"]), **_description(versions["description"])}


def _facts(versions: pd.DataFrame) -> Features:
    broadcast = versions["live_broadcast_content"]
    return {
        "duration_seconds": floats(versions["duration_seconds"]),
        "category": floats(pd.to_numeric(versions["category_id"], errors="coerce")),
        "is_short": floats(versions["is_short_guess"]),
        "is_broadcast": floats(broadcast.isin(["live", "upcoming"]).astype("Float64").mask(broadcast.isna())),
        "tag_count": _occurrences(versions["tags"], ",") + 1,
    }


def _title(titles: pd.Series) -> Features:
    letters, capitals = _occurrences(titles, r"[^\W\d_]"), _capitals(titles)
    return {
        "title_length": floats(titles.str.len()),
        "title_words": _occurrences(titles, r"\S+"),
        "title_digits": _occurrences(titles, r"\d"),
        "title_uppercase_share": ratio(capitals, letters),
        "title_questions": _occurrences(titles, r"\?"),
        "title_exclamations": _occurrences(titles, "!"),
        "title_emojis": _occurrences(titles, _EMOJI),
        "title_hashtags": _occurrences(titles, _HASHTAG),
    }


def _description(descriptions: pd.Series) -> Features:
    return {
        "description_length": floats(descriptions.str.len()),
        "description_words": _occurrences(descriptions, r"\S+"),
        "description_lines": _occurrences(descriptions, "\n") + 1,
        "description_urls": _occurrences(descriptions, _URL),
        "description_hashtags": _occurrences(descriptions, _HASHTAG),
    }


def _occurrences(texts: pd.Series, pattern: str) -> Floats:
    r"""Matches of `pattern` in each text. As objects, for Arrow's regular expressions know \w and \S in ASCII only."""
    return floats(texts.astype(object).str.count(pattern))


def _capitals(texts: pd.Series) -> Floats:
    return floats(texts.astype(object).map(lambda text: sum(map(str.isupper, text)), na_action="ignore"))
