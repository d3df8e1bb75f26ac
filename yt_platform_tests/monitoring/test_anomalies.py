"""Each kind of anomaly on series built by hand, where what is to be found is known without the detectors."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.injection import INJECTIONS, inject
from yt_platform.metrics.readings import video_daily, video_hourly
from yt_platform.metrics.steps import DAILY, HOURLY, medians, steps
from yt_platform.monitoring import anomalies
from yt_platform.monitoring.anomalies import find, severity
from yt_platform.monitoring.tables import ANOMALIES
from yt_platform.tables.validation import judge
from yt_platform_tests.frames import snapshot, snapshots

BEGIN = pd.Timestamp("2026-02-01", tz="UTC")
NO_FORECASTS = pd.DataFrame(
    {"video_id": pd.Series(dtype="str"), "day": pd.Series(dtype="datetime64[ns]"), "p90": pd.Series(dtype="float64")}
)


def readings(counts: "np.typing.ArrayLike", every: str, begin: pd.Timestamp = BEGIN, video: str = "abcdefghijk"):
    """One video's counts at regular instants."""
    at = pd.date_range(begin, periods=len(np.atleast_1d(counts)), freq=every).astype("datetime64[us, UTC]")
    counts = pd.Series(counts).astype("Int64")
    return pd.DataFrame({"video_id": video, "collected_at": at, "view_count": counts})


def noisy(rate: float, steps: int, seed: int = 1) -> "np.ndarray":
    """A count that gains `rate` a step, with the noise of a count."""
    return 10_000 + np.cumsum(np.random.default_rng(seed).poisson(rate, steps))


def judged(frame: pd.DataFrame, detect, resolution=HOURLY):
    series = steps(frame, "view_count", resolution)
    return detect(series, np.arange(len(series.at)))


def shifted(counts: "np.ndarray", at: int, by: float) -> "np.ndarray":
    changed = counts.copy()
    changed[at:] += int(by)
    return changed


def test_zscore_is_that_of_its_definition() -> None:
    """Against numpy, window by window, with gaps of unknown steps: the vectorised windows have an oracle."""
    random = np.random.default_rng(3)
    counts = 10_000 + np.cumsum(random.lognormal(3, 2, 300))
    frame = readings(counts.astype("int64"), "h")
    frame["collected_at"] += pd.to_timedelta(np.where(np.arange(300) >= 150, 30, 0), unit="h")
    found = judged(frame, anomalies.zscores)
    at = frame["collected_at"].dt.tz_localize(None).to_numpy()
    hours = np.diff(at) / np.timedelta64(1, "h")
    rate = np.append(np.nan, np.where(hours <= 24, np.diff(frame["view_count"].to_numpy("float64")), np.nan))
    expected = {}
    for row in range(300):
        window = [
            2 * np.sqrt(rate[k] + 3 / 8)
            for k in range(max(row - 100, 0), row)
            if at[row] - at[k] <= np.timedelta64(7, "D") and not np.isnan(rate[k])
        ]
        if len(window) >= 30 and not np.isnan(rate[row]):
            spread = max(1.4826 * np.median(np.abs(window - np.median(window))), 1)
            expected[row] = (2 * np.sqrt(rate[row] + 3 / 8) - np.median(window)) / spread
    expected = {row: score for row, score in expected.items() if abs(score) >= 3}
    assert len(expected) > 5
    assert dict(zip(found.at.tolist(), found.score.round(9).tolist(), strict=True)) == {
        row: round(score, 9) for row, score in expected.items()
    }


def test_no_score_below_thirty_samples() -> None:
    counts = shifted(noisy(100, 31), 30, 10_000)
    assert len(judged(readings(counts, "h"), anomalies.zscores).at) == 0
    counts = shifted(noisy(100, 32), 31, 10_000)
    assert judged(readings(counts, "h"), anomalies.zscores).at.tolist() == [31]


def test_medians_leave_out_what_is_unknown() -> None:
    found, known = medians(np.array([[3, np.nan, 1], [np.nan, np.nan, np.nan], [1, 2, 9.0]]))
    assert known.tolist() == [2, 0, 3]
    assert found[[0, 2]].tolist() == [2, 2]
    assert np.isnan(found[1])


def test_spikes_are_beyond_five_times_the_typical_step() -> None:
    calm = 10_000 + 100 * np.arange(40)
    found = judged(readings(shifted(calm, 20, 450), "h"), anomalies.spikes)
    assert found.at.tolist() == [20]
    assert found.score.tolist() == [5.5]
    assert len(judged(readings(shifted(calm, 20, 390), "h"), anomalies.spikes).at) == 0


def test_chance_views_of_a_slow_video_are_no_spike() -> None:
    """Six views after hours with one each are six times as many, and nothing."""
    assert len(judged(readings(shifted(np.arange(40), 20, 5), "h"), anomalies.spikes).at) == 0


@pytest.mark.parametrize(("every", "resolution"), [("h", HOURLY), ("D", DAILY)])
@pytest.mark.parametrize("way", [1, -1])
def test_reversals_are_told_once_with_their_smaller_factor(every: str, resolution, way: int) -> None:
    per_day = 24 if every == "h" else 1
    day = np.abs(np.arange(12 * per_day) // per_day - 6)
    counts = 10_000 + np.cumsum(20_000 * 4.0 ** (-way * day / 2) * (64 if way < 0 else 1) ** -0.5 / per_day)
    found = judged(readings(counts.astype("int64"), every), anomalies.reversals, resolution)
    assert len(found.at) == 1
    assert 7 * per_day <= found.at[0] < 9 * per_day + 1
    assert 2 < found.score[0] <= 4.1


def test_the_rhythm_of_the_day_is_no_reversal() -> None:
    rhythm = np.tile(1 + 0.9 * np.sin(np.arange(24) * np.pi / 12), 10)
    counts = 10_000 + np.cumsum(1_000 * rhythm)
    assert len(judged(readings(counts.astype("int64"), "h"), anomalies.reversals).at) == 0


def test_a_stuck_counter_is_told_once_after_its_24_hours() -> None:
    counts = noisy(50, 96)
    counts[50:80] = counts[49]
    found = judged(readings(counts, "h"), anomalies.stuck_counters)
    assert found.at.tolist() == [49 + 23]
    assert 900 < found.score[0] < 1_400
    assert len(judged(readings(noisy(50, 96), "h"), anomalies.stuck_counters).at) == 0


def test_a_counter_that_often_rests_is_not_stuck() -> None:
    counts = noisy(50, 96)
    counts[10:20] = counts[9]
    counts[50:80] = counts[49]
    assert len(judged(readings(counts, "h"), anomalies.stuck_counters).at) == 0


def test_a_daily_counter_is_stuck_after_a_whole_day() -> None:
    counts = np.array([100, 200, 300, 400, 500, 500, 600])
    assert judged(readings(counts, "D"), anomalies.stuck_counters, DAILY).at.tolist() == [5]


def test_falls_are_told_with_their_share() -> None:
    found = judged(readings([1_000, 1_200, 1_140, 1_300], "h"), anomalies.falls)
    assert found.at.tolist() == [2]
    assert found.score.tolist() == [5.0]
    assert (found.observed[0], found.expected[0]) == (1_140, 1_200)


def test_growth_is_beyond_the_forecast_by_half_and_by_a_thousand() -> None:
    series = steps(readings([0, 10_000, 20_000, 30_000, 30_900], "D"), "view_count", DAILY)
    at = np.arange(1, 5)
    found = anomalies.growth_beyond_forecast(series, at, np.array([5_000, 7_000, np.nan, 100]))
    assert found.at.tolist() == [1]
    assert found.score.tolist() == [2.0]


def test_a_young_video_is_compared_with_its_age() -> None:
    """Fifty videos of the same age double; one grows tenfold. Peers of another age do not count."""
    random = np.random.default_rng(5)
    videos = [readings([5_000, 10_000 + random.integers(-900, 900)], "D", video=f"video-{n:05d}") for n in range(50)]
    old = [readings([5_000, 5_010], "D", video=f"old---{n:05d}") for n in range(50)]
    frame = pd.concat([*videos, *old, readings([5_000, 50_000], "D", video="viral-00000")], ignore_index=True)
    series = steps(frame, "view_count", DAILY)
    old_ones = frame["video_id"].str.startswith("old").to_numpy()
    ages = np.where(old_ones, 5_000.0, 40.0)[series.row]
    found = anomalies.unusual_for_age(series, np.arange(len(series.at)), ages)
    assert frame["video_id"].iloc[series.row[found.at]].tolist() == ["viral-00000"]
    assert found.score[0] > 8


@pytest.mark.parametrize(
    ("kind", "target", "scores"),
    [
        ("zscore", "views", [-4, 5, 8.5]),
        ("spike", "views", [6, 10, 25]),
        ("fall", "views", [0.1, 0.5, 2]),
        ("fall", "comments", [2, 5, 20]),
        ("stuck", "views", [20, 1_000, 1e6]),
    ],
)
def test_severity_is_by_the_limits_of_the_kind(kind: str, target: str, scores: list[float]) -> None:
    assert severity(kind, target, np.array(scores)).tolist() == ["low", "medium", "high"]


def test_a_change_of_what_counts_as_a_view_is_no_anomaly() -> None:
    """On 2026-08-24 counts began to grow by what was started, not watched: every video would be a spike."""
    begin = pd.Timestamp("2026-08-20", tz="UTC")
    counts = 10_000 + np.cumsum(np.repeat([50, 2_000], 96))
    everything = found_in(readings(counts, "h", begin))
    assert everything.empty
    same_in_july = found_in(readings(counts, "h", begin - pd.Timedelta(days=30)))
    assert {"zscore", "spike"} <= set(same_in_july["kind"])


def found_in(frame: pd.DataFrame, first: pd.Timestamp | None = None) -> pd.DataFrame:
    """Anomalies of readings as the platform judges them: hours and days made from snapshots."""
    rows = [
        snapshot(str(row.collected_at.tz_localize(None)), row.view_count, video_id=row.video_id)
        for row in frame.itertuples()
    ]
    made = snapshots(*rows)
    days = frame["collected_at"].dt.tz_localize(None).dt.normalize()
    ends = (days.min(), days.max())
    return find(video_daily(made, *ends), video_hourly(made, *ends), NO_FORECASTS, first or ends[0], ends[1])


def test_rows_keep_the_contract_and_do_not_depend_on_how_days_are_grouped() -> None:
    counts = shifted(noisy(200, 24 * 6), 100, -800)
    counts = shifted(counts, 60, 4_000)
    frame = pd.concat([readings(counts, "h"), readings(shifted(noisy(500, 12), 8, -600), "D", video="daily-00000")])
    whole = found_in(frame)
    assert judge(ANOMALIES, whole).rejected.empty
    assert {"spike", "fall"} <= set(whole["kind"])
    assert set(whole["series"]) == {"hourly", "daily"}
    last = pd.Timestamp(frame["collected_at"].dt.tz_localize(None).max().normalize())
    by_day = pd.concat(
        [
            rows[rows["at"].dt.tz_localize(None).dt.normalize() == day]
            for day in pd.date_range("2026-02-01", last)
            if len(rows := found_in(frame, day))
        ]
    )
    columns = list(ANOMALIES.key)
    pd.testing.assert_frame_equal(
        whole.sort_values(columns, ignore_index=True), by_day.sort_values(columns, ignore_index=True)
    )


@pytest.mark.parametrize("counts", [[5], [5, 5], [0, 0, 0, 0], [0, 10**12]])
def test_degenerate_series_have_no_anomalies(counts: list[int]) -> None:
    assert found_in(readings(counts, "h")).empty


@pytest.mark.parametrize("kind", INJECTIONS)
def test_what_is_put_into_generated_series_is_found_by_its_own_kind(kind: str) -> None:
    """The benchmark on real data in small: hourly series with a rhythm and with decay."""
    random = np.random.default_rng(9)
    hours = np.arange(24 * 12)
    frames = []
    for n in range(40):
        rate = (
            random.lognormal(6, 1) * (1 + 0.5 * np.sin(hours * np.pi / 12)) * np.exp(-hours / random.uniform(200, 900))
        )
        frames.append(readings(10_000 + np.cumsum(random.poisson(rate + 20)), "h", video=f"video-{n:05d}"))
    changed, places = inject(pd.concat(frames, ignore_index=True), kind, 4.0, random)
    found = found_in(changed)
    own = found[(found["kind"] == kind) & (found["series"] == "hourly")]
    hit = [
        (own["video_id"].eq(place.video_id) & own["at"].between(place.begin, place.end)).any()
        for place in places.itertuples()
    ]
    assert len(hit) >= 30
    assert np.mean(hit) >= 0.95
