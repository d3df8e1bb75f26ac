"""Whether production forecasts do as well as validation let expect: the last 7 days beside weeks of the folds."""

import numpy as np
import pandas as pd

from yt_platform.panel import floats

DAYS = 7
MIN_DAYS = 5
"""Target days that must be scored: WAPE and coverage of a single day swing more than the ranges, which are of weeks."""

MIN_FORECASTS = 100

ERROR_MARGIN = 0.1
"""Share of the highest WAPE in validation. A fold of 28 days holds four weeks, so that chance alone takes the next one
past the highest of them often: naive's on real trending videos, in 6 to 16 % of weeks; never by a tenth."""

COVERAGE_MARGIN = 0.05
"""Share of actuals; what calibration allows a slice to be off by."""

WITHIN = "within"
OUTSIDE = "outside"
TOO_FEW = "too few"


def beside_validation(recent: pd.DataFrame) -> pd.DataFrame:
    """`recent`, one row per target and horizon, with `verdict`: within, outside, or too few to tell.

    Columns read: `forecasts` and `days` scored, `wape`, `coverage80`, and the ranges `wape_7d_max`,
    `coverage80_7d_min` and `coverage80_7d_max`. An error below the range is no reason for concern.
    """
    wape, coverage = floats(recent["wape"]), floats(recent["coverage80"])
    outside = wape > floats(recent["wape_7d_max"]) * (1 + ERROR_MARGIN)
    outside |= coverage < floats(recent["coverage80_7d_min"]) - COVERAGE_MARGIN
    outside |= coverage > floats(recent["coverage80_7d_max"]) + COVERAGE_MARGIN
    few = (recent["forecasts"] < MIN_FORECASTS) | (recent["days"] < MIN_DAYS) | recent["wape_7d_max"].isna()
    return recent.assign(verdict=np.select([few, outside], [TOO_FEW, OUTSIDE], WITHIN))
