"""Anomalies found in real readings as they are, and in the same readings with anomalies put in, kind by kind.

.venv/bin/python benchmarks/anomalies.py [--data ../shared/data] [--rounds 10]

`hourly` are readings every 10 minutes to 2 hours, `trending` daily ones. Untouched data has anomalies of its own, so
what is flagged there is an upper bound of false alarms.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from injection import INJECTIONS, inject

from yt_platform.metrics.readings import video_daily, video_hourly
from yt_platform.monitoring.anomalies import find

FORECASTS = pd.DataFrame({"video_id": [], "day": pd.to_datetime([]), "p90": []}).astype({"video_id": str})
DAYS_BEFORE = {"hourly": {"reversal": 4.0}, "daily": {"spike": 4.0, "reversal": 3.0, "stuck": 4.0, "fall": 1.0}}
LONG = 7
"""Readings of a video at least, for anomalies to be put into it."""
SHOWN = ("low", "medium", "high")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with hourly/ and trending/")
    parser.add_argument("--rounds", type=int, default=10, help="times that anomalies are put into the hourly readings")
    arguments = parser.parse_args()
    hourly, trending = hours(arguments.data), trending_days(arguments.data)
    random = np.random.default_rng(5)
    tables = {
        "hourly": (hourly, lambda readings: find(days_of(readings), readings, FORECASTS, *ends(readings))),
        "daily": (trending, lambda days: find(days, hourly.iloc[:0], FORECASTS, *ends(days))),
    }
    for series, (readings, judge) in tables.items():
        begun = time.perf_counter()
        found = judge(readings)
        seconds = time.perf_counter() - begun
        print_untouched(series, found, len(readings), seconds)
        readings = readings[readings.groupby("video_id")["view_count"].transform("size") >= LONG]
        rounds = arguments.rounds if series == "hourly" else 1
        print(f"\n| put in, {series} | sites | found by its own kind | recall | at low, medium, high |")
        print("|---|---:|---:|---:|---|")
        for kind in INJECTIONS:
            before = DAYS_BEFORE[series].get(kind, 2.0)
            hits = pd.concat([recalled(readings, judge, kind, before, random) for _ in range(rounds)])
            by_severity = ", ".join(str((hits["severity"] == severity).sum()) for severity in SHOWN)
            count = hits["severity"].notna().sum()
            print(f"| {kind} | {len(hits):,} | {count:,} | {count / len(hits):.1%} | {by_severity} |")
        print()


def hours(data: Path) -> pd.DataFrame:
    """`metrics.video_hourly` of the sub-daily trackers."""
    rows = pd.read_parquet(data / "hourly" / "snapshots.parquet").drop_duplicates(["video_id", "collected_at"])
    counts = {name: rows[name].astype("Int64") for name in ("view_count", "like_count", "comment_count")}
    never = pd.to_datetime(pd.Series(pd.NaT, index=rows.index), utc=True)
    snapshots = rows.assign(**counts, region="", channel_id=None, published_at=never)
    return video_hourly(snapshots, *ends(snapshots)).assign(source="hourly", region="")


def trending_days(data: Path) -> pd.DataFrame:
    """`metrics.video_daily` of the charts, with publication times."""
    months = [pd.read_parquet(path) for path in sorted((data / "trending" / "snapshots").glob("*.parquet"))]
    rows = pd.concat(months, ignore_index=True).assign(source="trending", channel_id=None)
    videos = pd.read_parquet(data / "trending" / "videos.parquet").drop_duplicates("video_id").set_index("video_id")
    rows["published_at"] = pd.to_datetime(rows["video_id"].map(videos["published_at"]), utc=True)
    for name in ("view_count", "like_count", "comment_count"):
        counts = rows[name].astype("Int64")
        rows[name] = counts if name == "view_count" else counts.mask(counts == 0)
    return days_of(rows)


def days_of(snapshots: pd.DataFrame) -> pd.DataFrame:
    return video_daily(snapshots, *ends(snapshots))


def ends(readings: pd.DataFrame) -> tuple[pd.Timestamp, pd.Timestamp]:
    days = readings["collected_at"].dt.tz_localize(None).dt.normalize()
    return days.min(), days.max()


def print_untouched(series: str, found: pd.DataFrame, rows: int, seconds: float) -> None:
    print(f"{series}, untouched: {rows:,} readings in {seconds:.1f} s\n")
    print("| kind | count | " + " | ".join(SHOWN) + " |\n|---|---|" + "---:|" * len(SHOWN))
    for (kind, target), group in found.groupby(["kind", "target"]):
        shares = (f"{(group['severity'] == severity).sum() / rows:.3%}" for severity in SHOWN)
        print(f"| {kind} | {target} | {' | '.join(shares)} |")
    shares = (f"{distinct(found[found['severity'] == severity]) / rows:.3%}" for severity in SHOWN)
    print(f"| any | any | {' | '.join(shares)} |")


def distinct(found: pd.DataFrame) -> int:
    return len(found[["video_id", "at"]].drop_duplicates())


def recalled(readings: pd.DataFrame, judge, kind: str, days_before: float, random: np.random.Generator) -> pd.DataFrame:
    """The places of one round, each with the highest severity its own kind gave it, if any."""
    changed, places = inject(readings, kind, days_before, random)
    found = judge(changed)
    own = found[(found["kind"] == kind) & (found["target"] == "views")]
    pairs = places.reset_index(names="place").merge(own, on="video_id")
    pairs = pairs[pairs["at"].between(pairs["begin"], pairs["end"])]
    ranked = pairs.assign(rank=pairs["severity"].map(SHOWN.index)).sort_values("rank")
    best = ranked.drop_duplicates("place", keep="last").set_index("place")["severity"]
    return places.assign(severity=best)


if __name__ == "__main__":
    main()
