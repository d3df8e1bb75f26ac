"""The regime is a pure function of the instant."""

import pandas as pd

from yt_platform.metrics.view_definition import view_definition


def test_regimes_change_at_the_documented_midnights() -> None:
    at = pd.to_datetime(
        pd.Series(["2025-03-30 23:59:59", "2025-03-31 00:00:00", "2026-08-23 23:59:59", "2026-08-24 00:00:00"]),
        utc=True,
    )
    assert view_definition(at).tolist() == ["legacy", "shorts_at_start", "shorts_at_start", "all_at_start"]
