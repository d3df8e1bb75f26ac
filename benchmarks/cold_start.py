"""Forecasts of videos without a last daily increment, on real videos that training has never seen.

    .venv/bin/python benchmarks/cold_start.py [--history PATH] [--every 1]

Fitted on days up to `--train-until`, as a training does, and tested on the videos whose first reading is later: grouped
by video and by time. Beside it stand two rivals: what videos of the same basis gained in the median (those of the same
channel where it has had `ENOUGH`, else all), and the rate to start from times the horizon. The last row is the LightGBM
that forecasts from increments, on the same videos from their second day in a row on: what its intervals cover, and how
wide they are.

Videos without a reading (`no_reading`) are those read later, as they were 1 to 3 days before publication; as in
training they are known to reach the charts, so their figures flatter.
"""

import argparse
import tempfile
import zlib
from pathlib import Path

import pandas as pd
from forecast import TASK, read

from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.cold import cold_frame, fit_cold, forecast_cold
from yt_platform.forecasting.evaluation import actuals, beside_actuals, training_frame, wape
from yt_platform.forecasting.forecasters.catalog import Recipe, make_forecaster
from yt_platform.forecasting.tables import BASES, INCREMENTS
from yt_platform.forecasting.tasks import VIDEO_COLD, target_column
from yt_platform.panel import floats

ENOUGH = 5
"""Videos of a channel whose median is its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, help="snapshots; default YT_TEST_DATA/trending, else generated ones")
    parser.add_argument("--train-until", help="last day to learn from; default 2026-04-30, or 31 days before the last")
    parser.add_argument("--test-until", help="last day of a target; default 2026-05-31, or the last")
    parser.add_argument("--every", type=int, default=1, help="take every n-th video")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        daily, versions, plan = read(arguments, Path(folder))
    kept = daily["video_id"].map(lambda video: zlib.crc32(video.encode()) % arguments.every == 0)
    daily = daily[kept & (daily["day"] <= plan["test_until"])]
    cut, end = pd.Timestamp(plan["train_until"]), pd.Timestamp(plan["test_until"])
    features = build_video_day(daily, versions, daily["day"].min(), end)
    known, seen = features[features["day"] <= cut], daily[daily["day"] <= cut]
    met = set(seen["video_id"])
    new = ~daily["video_id"].isin(met)
    print(f"{len(met):,} videos up to {plan['train_until']}; {daily.loc[new, 'video_id'].nunique():,} later ones\n")

    rows = cold_starts(features, daily, met, cut, end)
    learned, readings = cold_frame(known, seen, cut)
    rows = rows.merge(medians(training_frame(VIDEO_COLD, learned, readings, cut), rows), on=VIDEO_COLD.row, how="left")
    warm = make_forecaster(Recipe("lightgbm"), TASK, 1)
    warm.fit(training_frame(TASK, known, seen, cut))
    later = features[(features["day"] > cut) & ~features["video_id"].isin(met) & features["view_increment"].notna()]
    beside = beside_actuals(TASK, warm.predict(later), later, actuals(TASK, daily[new]))
    report(pd.concat([rows, beside.assign(basis=INCREMENTS)], ignore_index=True))


def cold_starts(
    features: pd.DataFrame, daily: pd.DataFrame, met: set[str], cut: pd.Timestamp, end: pd.Timestamp
) -> pd.DataFrame:
    """The forecasts of videos that were not `met`, beside what happened, with their `basis` and channel."""
    forecaster = fit_cold(features[features["day"] <= cut], daily[daily["day"] <= cut], cut, 1)
    origins, readings = cold_frame(features, daily, end)
    origins = origins[(origins["day"] > cut) & (origins["day"] < end) & ~origins["video_id"].isin(met)]
    happened = actuals(VIDEO_COLD, readings[~readings["video_id"].isin(met)])
    rows = beside_actuals(VIDEO_COLD, forecast_cold(forecaster, origins), origins, happened)
    return rows.merge(origins[["video_id", "day", "basis", "channel_id"]], on=["video_id", "day"])


def medians(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """For each of `rows`, what videos of its basis gained in the median of `frame`, in the column `median`."""
    found = []
    for (target, horizon), asked in rows.groupby(["target", "horizon"]):
        gained = frame[["basis", "channel_id"]].assign(gained=frame[target_column(target, horizon)]).dropna()
        own = gained.groupby(["basis", "channel_id"])["gained"].agg(["size", "median"]).reset_index()
        own = own.loc[own["size"] >= ENOUGH, ["basis", "channel_id", "median"]]
        told = asked[[*VIDEO_COLD.row, "basis", "channel_id"]].merge(own, how="left", on=["basis", "channel_id"])
        overall = told["basis"].map(gained.groupby("basis")["gained"].median())
        found.append(told[VIDEO_COLD.row].assign(median=told["median"].fillna(overall)))
    return pd.concat(found, ignore_index=True)


def report(rows: pd.DataFrame) -> None:
    """Figures at every horizon, by basis and target. The width is the mean one as a share of the mean gain."""
    print("| basis | target | forecasts | WAPE | the median's | the rate's | coverage of 80 % | width |")
    print("|---|---|---|---|---|---|---|---|")
    for basis in reversed(BASES):
        for target in VIDEO_COLD.targets:
            found = rows[(rows["basis"] == basis) & (rows["target"] == target)]
            if len(found):
                print(f"| {basis} | {target} | {' | '.join(figures(found))} |", flush=True)


def figures(rows: pd.DataFrame) -> list[str]:
    horizons = [found for _, found in rows.groupby("horizon")]
    gained = [floats(found["actual"]) for found in horizons]

    def errors(name: str) -> str:
        return shown([wape(actual, floats(found[name])) for actual, found in zip(gained, horizons, strict=True)])

    inside = [found["actual"].between(found["p10"], found["p90"]).mean() for found in horizons]
    width = [(found["p90"] - found["p10"]).sum() / found["actual"].sum() for found in horizons]
    counted = " / ".join(f"{len(found):,}" for found in horizons)
    return [counted, errors("p50"), errors("median"), errors("naive"), shown(inside), shown(width)]


def shown(values: list[float]) -> str:
    return " / ".join("" if pd.isna(value) else f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main()
