"""Small frames that tests build by hand, in the dtypes of the contracts."""

from typing import Any

import pandas as pd

from yt_platform.core.schemas.base import Table, judge
from yt_platform.core.schemas.metrics import VIDEO_SNAPSHOTS

RUN_ID = "00000000-0000-0000-0000-000000000001"
VIDEO = "abcdefghijk"
CHANNEL = "UC" + "a" * 22


def snapshot(at: str, views: int | None, **columns: Any) -> dict[str, Any]:
    """One row of `metrics.video_snapshots`."""
    row = {
        "source": "test",
        "video_id": VIDEO,
        "region": "",
        "collected_at": pd.Timestamp(at, tz="UTC"),
        "channel_id": CHANNEL,
        "published_at": pd.Timestamp("2026-01-01", tz="UTC"),
        "view_count": views,
        "like_count": None,
        "comment_count": None,
        "likes_known": False,
        "comments_known": False,
        "view_definition": "shorts_at_start",
    }
    return {**row, **columns}


def snapshots(*rows: dict[str, Any]) -> pd.DataFrame:
    return accepted(VIDEO_SNAPSHOTS, pd.DataFrame(rows))


def accepted(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in the contract's dtypes; every row must keep the contract."""
    verdict = judge(table, frame)
    assert verdict.rejected.empty, verdict.rejected["reason"].tolist()
    return verdict.accepted
