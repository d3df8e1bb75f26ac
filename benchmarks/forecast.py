"""Errors, coverage, time and memory of the platform's models beside statsforecast, mlforecast and neuralforecast.

    make bench-forecast ARGS="[--history PATH] [--every 10] [--only KIND ...]"

Every model forecasts the view increments of the same rows: all origins after `--train-until` whose actual is known. It
learns from days up to then, once, and is given the history up to each origin. Rows that a peer cannot forecast get the
naive forecast, and do not count for its coverage. Each model runs in a process of its own, on one thread, and its
seconds are the processor's, so that other work on the machine does not count.

The peers need regular series: a video's days are one series as long as no more than `LONGEST_GAP` are missing in a
row, and the counts of missing days lie on the line between the readings beside them. An origin is always a day with a
reading, so no history knows a later one.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import zlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from forecast_peers import LIBRARIES
from processes import measure

from yt_platform.commands import read_history
from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import actuals, beside_actuals, score, training_frame
from yt_platform.forecasting.forecasters.catalog import KINDS, Recipe, make_forecaster
from yt_platform.forecasting.forecasters.samples import Mask
from yt_platform.forecasting.tasks import VIDEO_DAY
from yt_platform.progress import silent
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import LAST_DAY, generate

TASK = replace(VIDEO_DAY, targets=("views",))
THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
LONGEST_GAP = 7
SAMPLE_DAYS = 120
PEER_PYTHON = Path(".venv-bench/bin/python")
REAL_TRAIN_UNTIL, REAL_TEST_UNTIL = "2026-04-30", "2026-05-31"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, help="snapshots; default YT_TEST_DATA/trending, else generated ones")
    parser.add_argument("--train-until", help="last day to learn from; default 2026-04-30, or 31 days before the last")
    parser.add_argument("--test-until", help="last day of a target; default 2026-05-31, or the last")
    parser.add_argument("--every", type=int, default=1, help="take every n-th video")
    parser.add_argument("--only", nargs="+", help="kinds of the catalog and peers, by name")
    parser.add_argument("--peer-python", type=Path, default=PEER_PYTHON)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind:
        forecast_by_kind(arguments.kind, arguments.folder)
        return
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        compare(arguments, Path(folder))


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    daily, versions, plan = read(arguments, folder)
    ids = [video for video in daily["video_id"].unique() if zlib.crc32(video.encode()) % arguments.every == 0]
    daily, versions = (frame[frame["video_id"].isin(ids)] for frame in (daily, versions))
    daily = daily[daily["day"] <= plan["test_until"]]
    features = build_video_day(daily, versions, daily["day"].min(), daily["day"].max())
    cut, end = pd.Timestamp(plan["train_until"]), pd.Timestamp(plan["test_until"])
    test = features[(features["day"] > cut) & (features["day"] < end) & features["view_increment"].notna()]
    happened = actuals(TASK, daily[(daily["day"] > cut) & (daily["day"] <= end)])
    series = regular_series(daily)
    origins = series.merge(test[["video_id", "day"]], left_on=["video_id", "ds"], right_on=["video_id", "day"])
    series.drop(columns="video_id").to_parquet(folder / "series.parquet")
    origins[["unique_id", "ds"]].to_parquet(folder / "origins.parquet")
    daily.to_parquet(folder / "daily.parquet")
    versions.to_parquet(folder / "versions.parquet")
    (folder / "plan.json").write_text(json.dumps(plan))
    print(f"{len(ids):,} videos, {len(test):,} origins after {plan['train_until']}, targets to {plan['test_until']}\n")
    print("| model | WAPE at 1 / 3 / 7 days | coverage of 80 % | fit, s | predict, s | peak, MB | given naive |")
    print("|---|---|---|---:|---:|---:|---:|")
    names = arguments.only or [*(kind for kind in KINDS if kind not in missing_extras()), *LIBRARIES]
    naive = make_forecaster(Recipe("naive"), TASK, 1).predict(test)
    for name in names:
        command = [sys.executable, __file__, "--kind", name, "--folder", str(folder)]
        if name in LIBRARIES:
            peers = str(Path(__file__).with_name("forecast_peers.py"))
            command = [str(arguments.peer_python), peers, name, str(folder)]
        threads = dict.fromkeys(
            ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
        )
        measured = measure(command, folder, {**os.environ, **threads})
        found = pd.read_parquet(folder / "forecasts.parquet")
        if name in LIBRARIES:
            found = as_ours(found, origins)
        filled, missing = naive_where_missing(found, naive)
        rows = beside_actuals(TASK, filled, test, happened)
        scores, own = score(TASK, rows), score(TASK, rows.merge(filled.loc[~missing, TASK.row]))
        seconds = json.loads((folder / "seconds.json").read_text())
        print(
            f"| {name} | {' / '.join(f'{wape:.3f}' for wape in scores['wape'])} "
            f"| {' / '.join(f'{share:.2f}' for share in own['coverage80'])} "
            f"| {seconds['fit']:.1f} | {seconds['predict']:.1f} | {measured.peak_mb:,.0f} | {missing.mean():.1%} |",
            flush=True,
        )


def missing_extras() -> set[str]:
    """Kinds that are libraries of the same name, and not installed."""
    return {kind for kind in ("xgboost",) if find_spec(kind) is None}


def read(arguments: argparse.Namespace, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Daily rows, versions, and the days learned from and tested."""
    real = Path(os.environ.get("YT_TEST_DATA", "../shared/data")) / "trending"
    history = arguments.history or (real if real.is_dir() else None)
    of_real = arguments.history is None and history is not None
    if history is None:
        history = folder / "sample"
        write_sample(history, generate(days=SAMPLE_DAYS, last_day=LAST_DAY))
    daily, versions = read_history(history, folder, silent)
    last = daily["day"].max()
    plan = {"train_until": str((last - pd.Timedelta(days=31)).date()), "test_until": str(last.date())}
    if of_real:
        plan = {"train_until": REAL_TRAIN_UNTIL, "test_until": REAL_TEST_UNTIL}
    asked = {"train_until": arguments.train_until, "test_until": arguments.test_until}
    return daily, versions, plan | {name: day for name, day in asked.items() if day}


def regular_series(daily: pd.DataFrame) -> pd.DataFrame:
    """`unique_id`, `video_id`, `ds`, `views` and `age` for every day from the first reading of a series to its last."""
    rows = daily[["video_id", "day", "view_count", "view_definition", "published_at"]].sort_values(["video_id", "day"])
    rows = rows.dropna(subset="view_count")
    gap = rows.groupby("video_id")["day"].diff() > pd.Timedelta(days=LONGEST_GAP + 1)
    redefined = rows["view_definition"].ne(rows.groupby("video_id")["view_definition"].shift()).fillna(False)
    number = (gap | redefined).groupby(rows["video_id"]).cumsum()
    rows = rows.assign(unique_id=rows["video_id"].astype(str) + "#" + number.astype(str))
    span = rows.groupby("unique_id")["day"].agg(["min", "max"])
    length = (span["max"] - span["min"]).dt.days.to_numpy() + 1
    day = np.concatenate([np.arange(n) for n in length])
    grid = pd.DataFrame({"unique_id": span.index.repeat(length), "ds": span["min"].repeat(length).to_numpy()})
    grid["ds"] += pd.to_timedelta(day, unit="D")
    known = rows.rename(columns={"day": "ds"})[["unique_id", "ds", "view_count"]]
    grid = grid.merge(known, how="left", on=["unique_id", "ds"])
    grid["views"] = grid["view_count"].astype("float64").interpolate()  # every series begins and ends with a reading
    facts = rows.groupby("unique_id")[["video_id", "published_at"]].first()
    grid = grid.join(facts, on="unique_id")
    age = (grid["ds"] - grid["published_at"].dt.tz_localize(None)).dt.total_seconds() / 86_400
    return grid.assign(age=age.clip(lower=0).fillna(30.0))[["unique_id", "video_id", "ds", "views", "age"]]


def as_ours(found: pd.DataFrame, origins: pd.DataFrame) -> pd.DataFrame:
    rows = found.merge(origins[["unique_id", "ds", "video_id"]], on=["unique_id", "ds"])
    rows = rows.rename(columns={"ds": "day", "step": "horizon"}).assign(target="views")
    p10, p50, p90 = (rows[name].clip(lower=0).to_numpy() for name in ("p10", "p50", "p90"))
    rows = rows.assign(p10=np.minimum(p10, p50), p50=p50, p90=np.maximum(p50, p90))
    return rows[[*TASK.row, "p10", "p50", "p90"]]


def naive_where_missing(found: pd.DataFrame, naive: pd.DataFrame) -> tuple[pd.DataFrame, Mask]:
    """All rows, and which of them are naive's."""
    rows = naive[TASK.row].merge(found, on=TASK.row, how="left")
    missing = rows[["p10", "p50", "p90"]].isna().any(axis="columns").to_numpy()
    rows.loc[missing, ["p10", "p50", "p90"]] = naive.loc[missing, ["p10", "p50", "p90"]]
    return rows, missing


def forecast_by_kind(kind: str, folder: Path) -> None:
    """As a peer does: features are built within the seconds, as peers make theirs."""
    plan = json.loads((folder / "plan.json").read_text())
    daily, versions = (pd.read_parquet(folder / f"{name}.parquet") for name in ("daily", "versions"))
    cut, end = pd.Timestamp(plan["train_until"]), pd.Timestamp(plan["test_until"])
    begun = time.process_time()
    known = daily[daily["day"] <= cut]
    features = build_video_day(known, versions, known["day"].min(), cut)
    forecaster = make_forecaster(Recipe(kind), TASK, 1)
    forecaster.fit(training_frame(TASK, features, known, cut))
    fitted = time.process_time()
    test = build_video_day(daily, versions, cut + pd.Timedelta(days=1), end - pd.Timedelta(days=1))
    found = forecaster.predict(test)
    done = time.process_time()
    found.to_parquet(folder / "forecasts.parquet")
    (folder / "seconds.json").write_text(json.dumps({"fit": fitted - begun, "predict": done - fitted}))


if __name__ == "__main__":
    main()
