"""Which columns a column is made from, as the declarations say it.

Not here: which days of a table are made from which days of another.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from yt_platform.tables.declaration import Table

Source = tuple[str, str]
"""A table and one of its columns."""


def column_sources(table: Table, tables: Mapping[str, Table]) -> dict[str, list[Source]]:
    """By column, what it is made from. Columns that are parsed from raw answers are not in it: these have no columns.

    Raises ValueError for a source that does not exist, and for a pattern that no column matches.
    """
    for pattern in table.sources:
        if not any(fnmatchcase(column, pattern) for column in table.column_names):
            raise ValueError(f"{table.name}: sources are given for {pattern}, which is no column; correct its name")
    found = {column: _sources(table, column, tables) for column in table.column_names}
    return {column: sources for column, sources in found.items() if sources}


def _sources(table: Table, column: str, tables: Mapping[str, Table]) -> list[Source]:
    declared = next((names for pattern, names in table.sources.items() if fnmatchcase(column, pattern)), ())
    inputs = [source.name for source in table.inputs]
    found: list[Source] = []
    for name in declared or (column,):
        of_table, _, short = name.rpartition(".")
        candidates = [of_table] if of_table else inputs
        having = [(one, short) for one in candidates if one in tables and short in tables[one].column_names]
        if declared and not having:
            raise ValueError(f"{table.name}.{column}: its source {name} is no column of an input; name one that is")
        found += having
    return list(dict.fromkeys(found))
