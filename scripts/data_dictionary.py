"""Prints docs/data-dictionary.md from the contracts and the views: `make docs` writes it, a test holds it current."""

import re

from yt_platform.catalog import INTERNAL_TABLES, TABLES
from yt_platform.monitoring.freshness import said
from yt_platform.tables.columns import Column
from yt_platform.tables.declaration import Input, InternalTable, Table
from yt_platform.warehouse.migrations import SQL_FOLDER

HEAD = """\
# Data dictionary

Generated from the declarations of the tables and the views in `sql/views` by `make docs`. Every table that people read
also has `run_id` and `loaded_at`: the Dagster run that wrote the row, and when.
"""


def overview() -> str:
    """All tables at a glance: those that people read, then the platform's own."""
    rows = [
        f"| [`{table.name}`](#{_anchor(table.name)}) | {table.description} |"
        for table in (*TABLES.values(), *INTERNAL_TABLES.values())
    ]
    return "\n".join(["## All tables", "", "| table | what it has |", "|---|---|", *rows, ""])


def _anchor(name: str) -> str:
    """As GitHub and MkDocs make one of a heading."""
    return name.replace(".", "")


def internal(table: InternalTable) -> str:
    rows = [
        f"| `{column.name}` | {column.postgres_type} | {_known(column)} | {_meaning(column)} |"
        for column in table.columns
    ]
    head = ["| column | type | always known | meaning |", "|---|---|---|---|"] if rows else []
    return "\n".join([f"## {table.name}", "", f"{table.description} The platform's own.", "", *head, *rows, ""])


def _known(column: Column) -> str:
    return "" if column.nullable else "yes"


def _meaning(column: Column) -> str:
    return column.description.replace("|", "/")


def section(table: Table) -> str:
    rows = [
        f"| `{column.name}` | {column.postgres_type} | {_known(column)} | {column.unit} | {_meaning(column)} |"
        for column in table.columns
    ]
    return "\n".join(
        [
            f"## {table.name}",
            "",
            f"{table.description} Key: {', '.join(f'`{name}`' for name in table.key)}. Written by {table.write.value}; "
            f"the blocking check fails when more than {table.reject_limit:.0%} of the rows are refused. "
            f"{_made_from(table)}{_oldest(table)}",
            "",
            "| column | type | always known | unit | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _made_from(table: Table) -> str:
    if not table.inputs:
        return ""
    return f"Made from {', '.join(map(_reach, table.inputs))}. "


def _reach(source: Input) -> str:
    reach = [f"{source.lookback_days} days before"] * bool(source.lookback_days)
    reach += [f"{source.lookahead_days} days after"] * bool(source.lookahead_days)
    return f"`{source.name}`" + (f" ({', '.join(reach)})" if reach else "")


def _oldest(table: Table) -> str:
    return f"Its newest data may be {said(table.max_age)} old." if table.max_age else ""


def views() -> str:
    """What the views for readers say of themselves."""
    text = "\n".join(path.read_text() for path in sorted((SQL_FOLDER / "views").glob("*.sql")))
    found = re.findall(r"COMMENT ON (?:MATERIALIZED )?VIEW (bi\.\w+) IS\s+'((?:[^']|'')*)';", text)
    told = {name: said.replace("''", "'") for name, said in sorted(found)}
    rows = [f"| `{name}` | {said} |" for name, said in told.items()]
    return "\n".join(["## Views for readers", "", "| view | what it shows |", "|---|---|", *rows, ""])


def dictionary() -> str:
    tables = (section(table) for table in TABLES.values())
    own = (internal(table) for table in INTERNAL_TABLES.values())
    return "\n".join([HEAD, overview(), views(), *tables, *own])


if __name__ == "__main__":
    print(dictionary(), end="")
