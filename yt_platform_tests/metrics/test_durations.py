"""Pure parsing of text: nothing but the function is needed."""

import pandas as pd
import pytest

from yt_platform.metrics.durations import duration_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT3M16S", 196),
        ("PT1H53M24S", 6804),
        ("P1DT2H", 93_600),
        ("P0D", 0),
        ("PT0S", 0),
        ("P1W", 604_800),
        ("PT61S", 61),
        ("PT1.5S", 1),
        ("212s", 212),
        ("0s", 0),
        ("212.5s", 212),
    ],
)
def test_both_notations(text: str, seconds: int) -> None:
    assert duration_seconds(pd.Series([text], dtype="string")).tolist() == [seconds]


@pytest.mark.parametrize("text", ["", "P", "PT", "3:16", "PT-3M", "12", "s", "P1Y", "PT9999999999S", "\u0663s"])
def test_other_text_is_unknown(text: str) -> None:
    assert duration_seconds(pd.Series([text, None], dtype="string")).isna().all()
