"""What is new in answers since 2026, from the sandbox through collection to the tables of a real Postgres."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from yt_platform.metrics.defs import PARSERS
from yt_platform.metrics.tables import VIDEO_SNAPSHOTS
from yt_platform.progress import silent
from yt_platform.sandbox import Fault
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.loading import load_from_raw
from yt_platform.warehouse.migrations import SQL_FOLDER
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID
from yt_platform_tests.youtube.data_api.test_collecting import STARTS_AT, Rig, rigged

TODAY = Window(STARTS_AT.date(), STARTS_AT.date())


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path) -> Iterator[Rig]:
    with rigged(warehouse_url, str(tmp_path), channels=4, videos=400) as rig:
        yield rig


def loaded(rig: Rig) -> None:
    for table, parsers in PARSERS:
        load_from_raw(Warehouse(rig.warehouse_url), RawStore(rig.raw_url), table, parsers, TODAY, RUN_ID, silent)
    assert rig.rows("SELECT table_name, reason FROM ops.quarantine") == []


def test_shapes_partners_and_pictures_reach_the_tables_at_no_further_unit(rig: Rig) -> None:
    """By the world's own shapes: a wide video is no Short, however brief; one of unknown shape is judged as before."""
    found = rig.collect()
    assert found["videos"].answers == -(-len(rig.public_videos()) // 50)
    loaded(rig)
    rows = rig.rows("SELECT * FROM metrics.videos")
    assert {row["video_id"] for row in rows} == rig.public_videos()
    kinds = set()
    for row in rows:
        details = rig.sandbox.world.details(str(row["video_id"]), STARTS_AT.timestamp())
        seconds = row["duration_seconds"]
        brief = None if seconds is None else 0 < int(str(seconds)) <= (180 if is_late(row) else 60)
        wide = details.aspect is not None and details.aspect[0] > details.aspect[1]
        assert row["is_short_guess"] is (False if wide else brief)
        assert row["short_guess_rule"] == ("duration_and_shape" if details.aspect else "duration")
        assert row["brand_partner_channel_id"] == (details.brand_partner and details.brand_partner[0])
        assert row["thumbnail_url"] == f"https://i.ytimg.com/vi/{row['video_id']}/maxresdefault.jpg"
        kinds.add((details.aspect, brief))
    assert {((16, 9), True), ((16, 9), False), ((9, 16), True), (None, False)} <= kinds
    assert any(row["brand_partner_channel_id"] for row in rows)


@pytest.mark.parametrize("nth", [2, None])
def test_a_video_without_views_makes_its_day_unusable_only_where_most_have_none(
    warehouse_url: str, tmp_path: Path, nth: int | None
) -> None:
    """A few in a hundred without a count kept everybody else's out of what is made from the day."""
    with rigged(warehouse_url, str(tmp_path), channels=1, videos=60) as rig:
        rig.collect("channels", "uploads")
        body = json.dumps({"items": [{"id": letter * 11, "statistics": {"likeCount": "4"}} for letter in "abcde"]})
        rig.sandbox.faults.replace([Fault(method="videos.list", nth=nth, body=body)])
        rig.collect("videos")
        warehouse, parsers = Warehouse(warehouse_url), next(made for table, made in PARSERS if table is VIDEO_SNAPSHOTS)
        found = load_from_raw(warehouse, RawStore(rig.raw_url), VIDEO_SNAPSHOTS, parsers, TODAY, RUN_ID, silent)
        quarantined = {str(row["reason"]) for row in rig.rows("SELECT reason FROM ops.quarantine")}
        assert quarantined == {"view_count is not told"}
        assert found.unusable(VIDEO_SNAPSHOTS.reject_limit) == ([] if nth else [TODAY.first])
        assert (found.row_count >= 50) is bool(nth)


def is_late(row: dict[str, object]) -> bool:
    return str(row["published_at"]) >= "2024-10-15"


def test_comments_that_are_a_picture_alone_are_comments(rig: Rig) -> None:
    rig.collect("channels", "uploads", "videos", "comments")
    loaded(rig)
    rows = rig.rows(
        "SELECT text IS NULL AS silent, image_url IS NULL AS plain, count(*) AS n FROM metrics.comments GROUP BY 1, 2"
    )
    counts = {(row["silent"], row["plain"]): row["n"] for row in rows}
    assert counts.keys() == {(True, False), (False, False), (False, True)}
    query = (SQL_FOLDER / "quality" / "metrics.comments.sql").read_text()
    [scored] = Warehouse(rig.warehouse_url).records(query, TODAY.bounds)
    assert scored["rows_in_range"] == scored["rows_distinct"] == scored["row_count"] == sum(counts.values())


def test_a_part_that_a_key_may_not_read_costs_one_unit_and_no_video(rig: Rig) -> None:
    """Of `brandPartner` nobody has verified that a key alone suffices: refused, it would have stopped all metadata."""
    rig.collect("channels", "uploads")
    before = rig.units()["default"]
    rig.sandbox.faults.replace([Fault(method="videos.list", status=403, reason="forbidden", nth=1)])
    found = rig.collect("videos")["videos"]
    assert (found.skipped, found.missing) == ({}, None)
    assert rig.units()["default"] - before == found.answers + 1 == rig.ledger()["default"] - before
    loaded(rig)
    rows = rig.rows("SELECT video_id, short_guess_rule FROM metrics.videos WHERE brand_partner_channel_id IS NULL")
    assert {row["video_id"] for row in rows} == rig.public_videos()
    assert {row["short_guess_rule"] for row in rows} == {"duration", "duration_and_shape"}
