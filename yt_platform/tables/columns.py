"""Columns of a table: their types, what they mean, and what they may say of a person.

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

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.engines.pandas_engine import DateTime

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


class Personal(Enum):
    """What a column says of a channel, a video or an author. Forgetting an id follows it."""

    OWNER = "owner"
    """The id whose row this is: its rows are deleted."""
    KEY = "key"
    """A part of the row's identity that may name an id: rows that do are deleted, as a key cannot be overwritten."""
    TEXT = "text"
    """A text of YouTube's or of a person's, which may mention an id: the id is overwritten."""
    NONE = "none"
    """Neither: never searched."""


@dataclass(frozen=True)
class Column:
    """One column as readers see it: name, Postgres type, description, nullability and unit ('' when it has none).

    A text counts as personal until its declaration says that it is not.
    """

    name: str
    postgres_type: str
    description: str
    nullable: bool = False
    unit: str = ""
    personal: Personal = Personal.TEXT

    @property
    def comment(self) -> str:
        return f"{self.description} [{self.unit}]".removesuffix(" []")


def columns_of(schema: pa.DataFrameSchema) -> list[Column]:
    return [
        Column(
            name=name,
            postgres_type=POSTGRES_TYPES["string" if column.dtype.type == TEXT else str(column.dtype)],
            description=column.description or "",
            nullable=column.nullable,
            **(column.metadata or {}),
        )
        for name, column in schema.columns.items()
    ]


def text(description: str, *, pattern: str | None = None, nullable: bool = False) -> pa.Column:
    """A text of YouTube's or of a person's. Use `label` where no id can stand in it."""
    return _text(Personal.TEXT, description, pattern, nullable)


def owner_id(description: str, *, pattern: str | None = None, nullable: bool = False) -> pa.Column:
    """Id of the channel, video or author whose row it is."""
    return _text(Personal.OWNER, description, pattern, nullable)


def key_text(description: str, *, pattern: str | None = None, nullable: bool = False) -> pa.Column:
    """A part of the key that may name an id."""
    return _text(Personal.KEY, description, pattern, nullable)


def label(
    description: str, *, pattern: str | None = None, among: Sequence[str] = (), nullable: bool = False
) -> pa.Column:
    """A word or number of a known set, or a name that the platform gives: neither YouTube's text nor a person's."""
    checks = [pa.Check.isin(list(among))] if among else []
    return _text(Personal.NONE, description, pattern, nullable, checks)


def _text(
    personal: Personal, description: str, pattern: str | None, nullable: bool, checks: Sequence[pa.Check] = ()
) -> pa.Column:
    matches = [pa.Check.str_matches(pattern)] if pattern else []
    return _column(TEXT, description, "", [*matches, *checks], nullable, personal)


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


def _column(
    dtype: object,
    description: str,
    unit: str,
    checks: list[pa.Check],
    nullable: bool,
    personal: Personal = Personal.NONE,
) -> pa.Column:
    metadata = {"unit": unit, "personal": personal}
    return pa.Column(dtype, checks, nullable=nullable, description=description, metadata=metadata)


def table_schema(columns: dict[str, pa.Column]) -> pa.DataFrameSchema:
    """Exactly these columns, in this order, coerced to their dtypes."""
    return pa.DataFrameSchema(columns, strict=True, ordered=True, coerce=True)
