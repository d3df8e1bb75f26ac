"""Judging a frame is pure: what is accepted, what is refused and why."""

import pandas as pd
import pytest

from yt_platform.core.schemas.base import ContractError, judge
from yt_platform.core.schemas.metrics import VIDEO_SNAPSHOTS
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
