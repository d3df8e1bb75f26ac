"""Judging a frame is pure: what is accepted, what is refused and why."""

import pandas as pd
import pytest

from yt_platform.metrics.tables import VIDEO_SNAPSHOTS
from yt_platform.tables.validation import ContractError, Malformed, judge
from yt_platform_tests.frames import snapshot


def test_rows_that_break_the_contract_are_refused_with_every_reason_and_the_rest_kept() -> None:
    frame = pd.DataFrame(
        [
            snapshot("2026-01-01", 5),
            snapshot("2026-01-01", -1, video_id="short"),
            snapshot("2026-01-01", None),
            snapshot("2026-01-01", 7, channel_id="UCx"),
        ]
    )
    verdict = judge(VIDEO_SNAPSHOTS, frame)
    assert verdict.accepted["view_count"].tolist() == [5]
    reasons = verdict.rejected["reason"].tolist()
    assert "video_id = short" in reasons[0]
    assert "view_count = -1" in reasons[0]
    assert "view_count" in reasons[1]
    assert "not_nullable" in reasons[1]
    assert "channel_id = UCx" in reasons[2]


def test_a_row_with_a_malformed_cell_is_refused_by_what_the_cell_says() -> None:
    """The column is of objects then, and the rest of it must keep its values and take its dtype."""
    frame = pd.DataFrame(
        [snapshot("2026-01-01", 1), snapshot("2026-01-02", 2), snapshot("2026-01-03", 3)], index=[7, 7, 8]
    )
    for column, text in (("view_count", "abc"), ("published_at", "soon"), ("channel_id", "a list")):
        frame[column] = [*frame[column].astype(object)[:1], Malformed(text), *frame[column].astype(object)[2:]]
    verdict = judge(VIDEO_SNAPSHOTS, frame)
    assert verdict.accepted["view_count"].tolist() == [1, 3]
    assert verdict.accepted.dtypes.equals(judge(VIDEO_SNAPSHOTS, frame.iloc[[0]]).accepted.dtypes)
    reasons = set(verdict.rejected["reason"].item().split("; "))
    assert reasons == {
        "view_count = abc is malformed",
        "published_at = soon is malformed",
        "channel_id = a list is malformed",
    }


def test_malformed_cells_and_broken_rules_are_told_apart() -> None:
    frame = pd.DataFrame([snapshot("2026-01-01", views) for views in (-1, 2, 3)])
    frame["like_count"] = pd.Series([1, 1, Malformed("x")], dtype=object)
    verdict = judge(VIDEO_SNAPSHOTS, frame)
    assert verdict.accepted["view_count"].tolist() == [2]
    assert [("malformed" in reason, "view_count" in reason) for reason in verdict.rejected["reason"]] == [
        (True, False),
        (False, True),
    ]


def test_a_frame_of_only_bad_rows_is_refused_whole() -> None:
    verdict = judge(VIDEO_SNAPSHOTS, pd.DataFrame([snapshot("2026-01-01", -1)] * 3))
    assert verdict.accepted.empty
    assert len(verdict.rejected) == 3


def test_an_empty_frame_keeps_its_contract() -> None:
    verdict = judge(VIDEO_SNAPSHOTS, pd.DataFrame(columns=VIDEO_SNAPSHOTS.column_names))
    assert verdict.accepted.empty
    assert verdict.rejected.empty


def test_a_missing_column_is_a_fault_of_the_code() -> None:
    frame = pd.DataFrame([snapshot("2026-01-01", 5)]).drop(columns="region")
    with pytest.raises(ContractError, match="region"):
        judge(VIDEO_SNAPSHOTS, frame)
