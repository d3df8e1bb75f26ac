"""Queries of `sql/checks` against a real Postgres: what they are for is found, and what is in order is not."""

import pandas as pd
import pytest
from dagster import AssetChecksDefinition, AssetKey, build_asset_check_context

from yt_platform.clock import Clock
from yt_platform.metrics import parse_api
from yt_platform.metrics.tables import COMMENTS, VIDEO_SNAPSHOTS
from yt_platform.monitoring.defs.checks import build_checks
from yt_platform.orchestration.partitions import asset_key
from yt_platform.warehouse.migrations import SQL_FOLDER
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID, accepted, answers

THREAD, REPLY = "Ugthread000000000000000001", "Ugthread000000000000000001.reply00000000001"
DAY = pd.Timestamp("2026-09-01").date()
GOOD = {
    "video_id": "abcdefghijk",
    "text": "x",
    "published_at": pd.Timestamp("2026-08-01", tz="UTC"),
    "updated_at": pd.Timestamp("2026-08-02", tz="UTC"),
    "collected_at": pd.Timestamp("2026-09-01", tz="UTC"),
    "source": "test",
    "access": "api_key",
    "refreshed_at": pd.Timestamp("2026-09-01", tz="UTC"),
}


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("replies_follow_their_thread", {"video_id": "bcdefghijkl"}),
        ("replies_follow_their_thread", {"published_at": pd.Timestamp("2026-07-31", tz="UTC")}),
        ("times_in_order", {"updated_at": pd.Timestamp("2026-07-31", tz="UTC")}),
        ("times_in_order", {"updated_at": pd.Timestamp("2026-09-02", tz="UTC")}),
    ],
)
def test_comments_out_of_order_are_found(check: str, change: dict[str, object], warehouse: Warehouse) -> None:
    query = (SQL_FOLDER / "checks" / "metrics.comments" / f"{check}.sql").read_text()
    thread, reply = {**GOOD, "comment_id": THREAD}, {**GOOD, "comment_id": REPLY, "parent_id": THREAD}
    _write(warehouse, thread, reply)
    assert warehouse.records(query, Window(DAY, DAY).bounds) == []
    with warehouse.transaction() as transaction:
        transaction.execute("DELETE FROM metrics.comments")
    _write(warehouse, thread, {**reply, **change})
    assert [row["comment_id"] for row in warehouse.records(query, Window(DAY, DAY).bounds)] == [REPLY]


def _write(warehouse: Warehouse, *rows: dict[str, object]) -> None:
    frame = accepted(COMMENTS, pd.DataFrame(rows).reindex(columns=COMMENTS.column_names))
    with warehouse.transaction() as transaction:
        transaction.upsert(COMMENTS, frame, RUN_ID)


def test_snapshots_of_an_answer_are_not_rows_from_nowhere(warehouse: Warehouse) -> None:
    """The catalogue counts answers of the API, each of which holds up to 50 rows."""
    query = (SQL_FOLDER / "checks" / "metrics.video_snapshots" / "rows_are_in_raw.sql").read_text()
    items = ",".join(f'{{"id": "video-{n:05d}", "statistics": {{"viewCount": "1"}}}}' for n in range(51))
    frame = parse_api.video_snapshots(answers("videos.list", f'{{"items": [{items}]}}'))
    for rows, offences in ((50, 0), (51, 1)):
        with warehouse.transaction() as transaction:
            transaction.execute("DELETE FROM raw.batches")
            transaction.execute(
                "INSERT INTO raw.batches (source, endpoint, partition_day, collected_at, path, sha256, bytes, "
                "row_count, run_id) VALUES ('api', 'api_videos', $1, $1, 'p', 's', 1, 1, $2::uuid)",
                (DAY, RUN_ID),
            )
            transaction.upsert(VIDEO_SNAPSHOTS, accepted(VIDEO_SNAPSHOTS, frame.iloc[:rows]), RUN_ID)
        assert len(warehouse.records(query, Window(DAY, DAY).bounds)) == offences


def test_old_data_is_said_by_the_platforms_clock(warehouse: Warehouse) -> None:
    """By calling the check: rebuilding an old day must not turn it green, and the time of day is not asked."""
    clock = Clock(warehouse)
    check = next(check for check in build_checks() if asset_key("metrics.comments") in _assets(check))
    context = build_asset_check_context(resources={"warehouse": warehouse, "clock": clock})
    assert check(context).passed
    _write(warehouse, {**GOOD, "comment_id": THREAD})
    for at, passed in ((pd.Timestamp("2026-09-08", tz="UTC"), True), (pd.Timestamp("2026-09-10", tz="UTC"), False)):
        clock.simulate(at.to_pydatetime())
        found = check(context)
        assert found.passed is passed
        assert found.description == f"the newest data is {at.day - 1} days old"


def _assets(check: AssetChecksDefinition) -> set[AssetKey]:
    return {key.asset_key for key in check.check_keys if key.name == "fresh"}
