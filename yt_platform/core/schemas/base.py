"""What a table contract is, and how a frame is judged by it.

The contracts themselves live beside this file, one module per layer. A contract is a pandera schema whose columns
carry a description and a unit, wrapped in a `Table` that adds the key, the way rows are written and the share of
rejects the table tolerates. Nothing here knows Postgres beyond the type a dtype is stored as.

==========================  ==================  ===============================================
pandas dtype                Postgres            meaning
==========================  ==================  ===============================================
``string[pyarrow]``         text
``Int64``                   bigint
``float64``                 double precision    NaN is NULL
``bool`` / ``boolean``      boolean             without / with unknown values
``datetime64[us, UTC]``     timestamptz         an instant
``datetime64[ns]``          date                midnight of a UTC day
==========================  ==================  ===============================================
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.engines.pandas_engine import DateTime
from pandera.errors import SchemaErrors

TEXT = pd.StringDtype("pyarrow")
INSTANT = pd.DatetimeTZDtype("us", "UTC")
DAY = "datetime64[ns]"

_COERCED_INSTANT: dict[str, Any] = {
    "unit": INSTANT.unit,
    "tz": INSTANT.tz,
    "to_datetime_kwargs": {"utc": True, "cache": False},
}
"""How pandera coerces to `INSTANT`. Else pandas would make Python objects of up to 10,000 instants of a column to see
whether a cache would pay, 6 ms, and pandera would catch warnings, which is not safe in threads."""

_COERCED_DAY: dict[str, Any] = {"unit": "ns", "to_datetime_kwargs": {"cache": False}}
"""The same of `DAY`."""

VIDEO_ID = r"^[A-Za-z0-9_-]{11}$"
CHANNEL_ID = r"^UC[A-Za-z0-9_-]{22}$"
COMMENT_ID = r"^[A-Za-z0-9_-]{10,50}(\.[A-Za-z0-9_-]{10,50})?$"  # a reply's begins with its thread's and a dot

POSTGRES_TYPES = {
    "string": "text",
    "Int64": "bigint",
    "float64": "double precision",
    "bool": "boolean",
    "boolean": "boolean",
    "datetime64[us, UTC]": "timestamp with time zone",
    "datetime64[ns]": "date",
}


class Write(Enum):
    """How rows reach a table; either way is one transaction."""

    REPLACE = "replace"
    """The window's rows are deleted and written anew."""
    UPSERT = "upsert"
    """Rows are inserted or replaced by key."""
    NEWEST = "newest"
    """Rows are inserted, or replaced by key when the record is at least as new."""


class ContractError(ValueError):
    """A frame does not have the shape its contract promises: a fault of the code, never of a row."""


class Malformed(str):
    """What stands in a cell, as text, where the value was not of the column's type; `judge` refuses its row."""


@dataclass(frozen=True)
class Column:
    """One column as readers see it: name, Postgres type, nullability, description and unit ('' when it has none)."""

    name: str
    postgres_type: str
    nullable: bool
    description: str
    unit: str


REJECT_LIMIT = 0.01
"""Share of refused rows above which a table's day or an import is broken, unless a person accepts it."""


@dataclass(frozen=True)
class Table:
    """A table's contract.

    `window` names the column by which the rows of one partition day are recognised (an instant or a day).
    `newest` names the columns that order two records of the same key, for `Write.NEWEST`.
    `scope` names the columns that, beside the window, bound what `Write.REPLACE` deletes: only rows that share
    their values with the rows written.
    `reject_limit` is the share of rows above which the blocking check of the table fails.
    """

    name: str
    description: str
    schema: pa.DataFrameSchema
    key: tuple[str, ...]
    write: Write
    window: str
    newest: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    reject_limit: float = REJECT_LIMIT

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        return self.name.split(".")[1]

    @property
    def columns(self) -> list[Column]:
        return [
            Column(
                name=name,
                postgres_type=POSTGRES_TYPES["string" if column.dtype.type == TEXT else str(column.dtype)],
                nullable=column.nullable,
                description=column.description or "",
                unit=(column.metadata or {}).get("unit", ""),
            )
            for name, column in self.schema.columns.items()
        ]

    @property
    def column_names(self) -> list[str]:
        return list(self.schema.columns)


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
        cells = frame.loc[[type(cell) is Malformed for cell in frame[name]], name]
        found.append(cells.map(lambda cell, name=name: f"{name} = {cell} is malformed"))
    return _by_row(pd.concat(found))


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


def text(
    description: str, *, pattern: str | None = None, among: Sequence[str] = (), nullable: bool = False
) -> pa.Column:
    checks = [pa.Check.str_matches(pattern)] if pattern else []
    checks += [pa.Check.isin(list(among))] if among else []
    return _column(TEXT, description, "", checks, nullable)


def count(description: str, unit: str, *, nullable: bool = False, minimum: int | None = 0) -> pa.Column:
    """Whole numbers; `minimum` None where the quantity may be negative (increments of counts that can fall)."""
    checks = [] if minimum is None else [pa.Check.ge(minimum)]
    return _column("Int64", description, unit, checks, nullable)


def number(
    description: str,
    unit: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    nullable: bool = True,
) -> pa.Column:
    """Real numbers; unknown is NaN here and NULL in Postgres."""
    checks = [] if minimum is None else [pa.Check.ge(minimum)]
    checks += [] if maximum is None else [pa.Check.le(maximum)]
    return _column("float64", description, unit, checks, nullable)


def flag(description: str, *, nullable: bool = False) -> pa.Column:
    return _column("boolean" if nullable else "bool", description, "", [], nullable)


def instant(description: str, *, nullable: bool = False) -> pa.Column:
    return _column(DateTime(**_COERCED_INSTANT), description, "UTC", [], nullable)


def day(description: str, *, nullable: bool = False, unit: str = "UTC day") -> pa.Column:
    return _column(DateTime(**_COERCED_DAY), description, unit, [], nullable)


def _column(dtype: object, description: str, unit: str, checks: list[pa.Check], nullable: bool) -> pa.Column:
    return pa.Column(dtype, checks, nullable=nullable, description=description, metadata={"unit": unit})


def table_schema(columns: dict[str, pa.Column]) -> pa.DataFrameSchema:
    """Exactly these columns, in this order, coerced to their dtypes."""
    return pa.DataFrameSchema(columns, strict=True, ordered=True, coerce=True)


def latest_by_key(frame: pd.DataFrame, key: Iterable[str]) -> pd.DataFrame:
    """One row per key: the last in the frame's order, which callers sort from oldest to newest."""
    return frame.drop_duplicates(list(key), keep="last").reset_index(drop=True)
