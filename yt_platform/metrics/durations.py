"""Durations in the two notations YouTube answers with: ISO 8601 (`PT3M16S`, `P1DT2H`, `P0D`) and `212s`."""

import pandas as pd

_NUMBER = "[0-9]{1,9}"  # more digits are no length of a video, and their sum might not fit 64 bits
_ISO_8601 = (
    rf"^P(?:(?P<weeks>{_NUMBER})W)?(?:(?P<days>{_NUMBER})D)?"
    rf"(?:T(?:(?P<hours>{_NUMBER})H)?(?:(?P<minutes>{_NUMBER})M)?(?:(?P<seconds>{_NUMBER})(?:\.[0-9]+)?S)?)?$"
)
_GOOGLE_DURATION = rf"^(?P<seconds>{_NUMBER})(?:\.[0-9]+)?s$"
_SECONDS_IN = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def duration_seconds(text: pd.Series) -> pd.Series:
    """Whole seconds as Int64; unknown where the text is missing or in neither notation.

    Live and upcoming broadcasts answer `P0D`, which is 0.
    """
    unique = pd.Series(text.dropna().unique(), dtype=text.dtype)
    iso = unique.str.extract(_ISO_8601)
    parts = iso.fillna("0").astype("int64")
    seconds = parts.mul(pd.Series(_SECONDS_IN)).sum(axis=1).astype("Int64").where(iso.notna().any(axis=1))
    google = unique.str.extract(_GOOGLE_DURATION)["seconds"].astype("Int64")
    by_text = dict(zip(unique, seconds.fillna(google), strict=True))
    return text.map(by_text).astype("Int64")
