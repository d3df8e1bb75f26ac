"""What YouTube counted as a view, and since when.

The definition changed on 2025-03-31 for Shorts and on 2026-08-24 for every format, both to "playback started"
(YouTube API revision history). Every snapshot carries the regime it was taken under, so that no monitor or
model takes a change of definition for growth.
"""

import pandas as pd

LEGACY = "legacy"
SHORTS_AT_START = "shorts_at_start"
ALL_AT_START = "all_at_start"
REGIMES = (LEGACY, SHORTS_AT_START, ALL_AT_START)

SHORTS_CHANGE = pd.Timestamp("2025-03-31", tz="UTC")
ALL_FORMATS_CHANGE = pd.Timestamp("2026-08-24", tz="UTC")


def view_definition(collected_at: pd.Series) -> pd.Series:
    """The regime in force at each instant."""
    regime = pd.Series(LEGACY, index=collected_at.index, dtype=pd.StringDtype("pyarrow"))
    regime = regime.mask(collected_at >= SHORTS_CHANGE, SHORTS_AT_START)
    return regime.mask(collected_at >= ALL_FORMATS_CHANGE, ALL_AT_START)
