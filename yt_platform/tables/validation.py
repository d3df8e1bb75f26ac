"""How a frame is judged by the contract of its table: the rows that hold, and why the others do not."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from pandera.errors import SchemaErrors

from yt_platform.tables.declaration import Table


class ContractError(ValueError):
    """A frame does not have the shape its contract promises: a fault of the code, never of a row."""


class Malformed(str):
    """What stands in a cell, as text, where the value was not of the column's type; `judge` refuses its row."""


class Untold(Malformed):
    """What stands in place of a count that an answer leaves out, as YouTube does of single items. `judge` refuses the
    row, which is no fault of the others of its day."""


_IS_UNTOLD = "is not told"


@dataclass(frozen=True)
class Verdict:
    """A frame judged by its contract: the rows that hold, and the rows that do not with a `reason` column."""

    accepted: pd.DataFrame
    rejected: pd.DataFrame


def judge(table: Table, frame: pd.DataFrame) -> Verdict:
    """Split `frame` into rows that keep the table's contract and rows that break it.

    Raises ContractError when the frame as a whole has the wrong columns or dtypes.
    """
    frame = frame.reset_index(drop=True)
    reasons = _malformed(frame)
    # taken out first: a column that cannot be coerced as a whole is no row's fault to pandera but the frame's
    typed = frame.drop(index=reasons.index) if len(reasons) else frame
    try:
        accepted = table.schema.validate(typed, lazy=True)
    except SchemaErrors as error:
        broken = _broken(table, error.failure_cases)
        reasons = pd.concat([reasons, broken])
        accepted = table.schema.validate(typed.drop(index=broken.index), lazy=True)
    return Verdict(accepted.reset_index(drop=True), frame.loc[reasons.index].assign(reason=reasons))


def _malformed(frame: pd.DataFrame) -> "pd.Series[str]":
    """Reasons by row, for the rows that hold a `Malformed`."""
    found = [pd.Series([], dtype=object, index=pd.RangeIndex(0))]
    for name in frame.select_dtypes("object").columns:
        cells = frame.loc[[isinstance(cell, Malformed) for cell in frame[name]], name]
        found.append(cells.map(lambda cell, name=name: f"{name} {_fault(cell)}"))
    return _by_row(pd.concat(found))


def _fault(cell: Malformed) -> str:
    return _IS_UNTOLD if isinstance(cell, Untold) else f"= {cell} is malformed"


def only_untold(rejected: pd.DataFrame) -> pd.DataFrame:
    """The refused rows that lack a count alone."""
    return rejected[rejected["reason"].str.fullmatch(rf"\w+ {_IS_UNTOLD}")]


def _broken(table: Table, failures: pd.DataFrame) -> "pd.Series[str]":
    """Reasons by row, for the rows that break the contract."""
    if failures["index"].isna().any():
        raise ContractError(f"{table.name}: {_shape_faults(failures)}")
    reasons = failures["column"] + " = " + failures["failure_case"].astype(str) + " fails " + failures["check"]
    return _by_row(reasons.set_axis(failures["index"].astype("int64")))


def _by_row(reasons: "pd.Series[str]") -> "pd.Series[str]":
    return reasons.groupby(level=0).agg("; ".join) if len(reasons) else reasons


def _shape_faults(failures: pd.DataFrame) -> str:
    whole = failures[failures["index"].isna()]
    return "; ".join(f"{row.column}: {row.check} ({row.failure_case})" for row in whole.head(20).itertuples())


def latest_by_key(frame: pd.DataFrame, key: Iterable[str]) -> pd.DataFrame:
    """One row per key: the last in the frame's order, which callers sort from oldest to newest."""
    return frame.drop_duplicates(list(key), keep="last").reset_index(drop=True)
