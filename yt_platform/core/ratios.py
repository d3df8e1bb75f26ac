"""Ratios whose base may be unknown or nothing. What is divided by what is said where a metric is made."""

import pandas as pd


def ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """`part / whole` as floats; NaN where either is unknown, or `whole` is not positive: no base is no rate, not 0."""
    base = whole.astype("Float64")
    return (part.astype("Float64") / base.where(base > 0)).astype("float64")
