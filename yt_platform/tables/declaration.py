"""A table's declaration: everything about the table that a person or a program needs to know.

From it follow validation, migrations, comments in Postgres, the data dictionary, staleness, Dagster's dependencies,
freshness, retention and forgetting. The declarations themselves lie with the capability whose tables they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from importlib import import_module

import pandas as pd
import pandera.pandas as pa

from yt_platform.tables.columns import Column, columns_of

REJECT_LIMIT = 0.01
"""Share of refused rows above which a table's day or an import is broken, unless a person accepts it."""


class Write(Enum):
    """How rows reach a table; either way is one transaction."""

    REPLACE = "replace"
    """The window's rows are deleted and written anew."""
    UPSERT = "upsert"
    """Rows are inserted or replaced by key."""
    NEWEST = "newest"
    """Rows are inserted, or replaced by key when the record is at least as new."""


class Holds(Enum):
    """What a table has of YouTube's, in the terms of its developer policies (III.E.4, as of 2026-11)."""

    STATISTICS = "statistics"
    """Counts, as the API told them to a key alone ("Non-Authorized Data"). The amendment lets them be kept for
    36 months."""
    METADATA = "metadata"
    """Any other data of the API: titles, descriptions, comments. Refreshed or deleted within 30 days."""
    STORED = "stored answers"
    """Answers as received: statistics and metadata together."""
    AUTHORIZED = "authorized"
    """Of channels whose owners authorised it: kept as long as the authorisation is verified."""
    DERIVED = "derived"
    """Computed from them: what only the Analytics & Reporting amendment, or the owner, allows. The amendment lets it be
    kept for 36 months."""
    IDS = "ids"
    """What is watched, by id, with the platform's own notes. What the API told of a tracked video stays as long as a
    row of metadata or statistics would."""
    NOTHING = "nothing"
    """The platform's own notes."""


@dataclass(frozen=True)
class Input:
    """A table, or a raw endpoint (`raw.<endpoint>`), that a table is made from.

    A day is made from the input's rows of `lookback_days` before it up to `lookahead_days` after it. A table that looks
    ahead is made again when later days arrive, and no feature may read it.
    """

    name: str
    lookback_days: int = 0
    lookahead_days: int = 0


@dataclass(frozen=True, kw_only=True)
class _Declared:
    name: str
    description: str
    key: tuple[str, ...]
    holds: Holds

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        return self.name.split(".")[1]


@dataclass(frozen=True, kw_only=True)
class Table(_Declared):
    """A table that people read, written through its contract.

    `window` names the column by which the rows of one partition day are recognised (an instant or a day).
    `newest` names the columns that order two records of the same key, for `Write.NEWEST`.
    `scope` names the columns that, beside the window, bound what `Write.REPLACE` deletes: only rows that share
    their values with the rows written.
    `max_age` is how old the newest data may be before somebody should know; None for events, of which no news is good
    news. How old a model may be is judged where it is retrained.
    `inputs` are given where the table is made day by day; `code_version` then changes whenever the same inputs would
    give other rows.
    `sources` says what columns are made from, by name or pattern. A source is `schema.table.column`, or a bare name for
    that column of every input that has it. A column that no pattern matches is made from the columns of its own name.
    `made_by` names the function that makes the rows from those of the inputs alone, as `module:function`. It takes a
    frame for each input, in their order, and the first and last day. Dagster has an asset for every such table.
    `by_month` partitions the table by month of the window, so that old months are dropped rather than deleted.
    `reject_limit` is the share of rows above which the blocking check of the table fails.
    """

    schema: pa.DataFrameSchema
    write: Write
    window: str
    max_age: timedelta | None
    newest: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    code_version: str = ""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    made_by: str = ""
    by_month: bool = False
    reject_limit: float = REJECT_LIMIT

    def __post_init__(self) -> None:
        """Raises ValueError for a declaration that contradicts itself: where, why, and what to write instead."""
        named = {*self.key, self.window, *self.newest, *self.scope}
        if unknown := sorted(named - set(self.column_names)):
            raise ValueError(f"{self.name}: the schema has no column {', '.join(unknown)}; add it or name another")
        if bool(self.inputs) != bool(self.code_version):
            raise ValueError(f"{self.name}: declare both inputs and code_version, or neither")
        if self.made_by and not self.inputs:
            raise ValueError(f"{self.name}: declare the inputs that {self.made_by} makes it from")
        if self.by_month and "UTC" not in str(self.schema.columns[self.window].dtype):
            raise ValueError(f"{self.name}: only a table whose window is an instant can be partitioned by month")

    @property
    def columns(self) -> list[Column]:
        return columns_of(self.schema)

    @property
    def column_names(self) -> list[str]:
        return list(self.schema.columns)

    @property
    def maker(self) -> Callable[..., pd.DataFrame]:
        """The function that `made_by` names, imported when it is needed: its module knows this declaration."""
        module, _, name = self.made_by.partition(":")
        function: Callable[..., pd.DataFrame] = getattr(import_module(module), name)
        return function


@dataclass(frozen=True, kw_only=True)
class InternalTable(_Declared):
    """A table of the platform's own notes, which its code reads and writes in SQL, without validation."""

    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]


AnyTable = Table | InternalTable
