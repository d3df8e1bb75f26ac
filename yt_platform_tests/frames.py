"""Small frames that tests build by hand, in the dtypes of the contracts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from yt_platform.metrics.tables import VIDEO_SNAPSHOTS
from yt_platform.storage.endpoints import API_RESPONSE
from yt_platform.tables.declaration import Table
from yt_platform.tables.validation import judge

RUN_ID = "00000000-0000-0000-0000-000000000001"
VIDEO = "abcdefghijk"
CHANNEL = "UC" + "a" * 22
VERIFIED = (
    "INSERT INTO ops.accounts (name, kind, scopes, authorized_at, authorization_checked_at, state, verified_at) "
    "VALUES ($1, 'owner', '', $2, $2, 'authorized', $2)"
)
"""An account of this name that was last verified then."""


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
        **obtained(at),
    }
    return {**row, **columns}


def obtained(at: str) -> dict[str, Any]:
    """The columns every row parsed from raw has."""
    return {"access": "import", "refreshed_at": pd.Timestamp(at, tz="UTC")}


def snapshots(*rows: dict[str, Any]) -> pd.DataFrame:
    return accepted(VIDEO_SNAPSHOTS, pd.DataFrame(rows))


def accepted(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in the contract's dtypes; every row must keep the contract. A rule of guesses that was left out is the
    database's default."""
    if "short_guess_rule" in frame:
        frame = frame.assign(short_guess_rule=frame["short_guess_rule"].fillna("duration"))
    verdict = judge(table, frame)
    assert verdict.rejected.empty, verdict.rejected["reason"].tolist()
    return verdict.accepted


def answers(method: str, *bodies: str, part: str = "snippet,contentDetails,statistics,status") -> pa.Table:
    """Raw rows of an API pull on 2026-09-01, an hour between two answers."""
    hours = range(len(bodies))
    rows = [
        {
            "source": "api",
            "access": "api_key",
            "collected_at": datetime(2026, 9, 1, tzinfo=UTC) + timedelta(hours=hour),
            "method": method,
            "parameters": json.dumps({"part": part, "id": "a,b"}),
            "body": body,
        }
        for hour, body in zip(hours, bodies, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=API_RESPONSE)
