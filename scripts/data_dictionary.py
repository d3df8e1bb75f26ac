"""Prints docs/data-dictionary.md from the contracts and the views: `make docs` writes it, a test holds it current."""

import re

from yt_platform.catalog import TABLES
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.migrations import SQL_FOLDER

HEAD = """\
# Data dictionary

Generated from the contracts in `yt_platform/catalog` and the views in `sql/views` by `make docs`. Every table also
has `run_id` and `loaded_at`: the Dagster run that wrote the row, and when.
"""


def section(table: Table) -> str:
    rows = [
        f"| `{column.name}` | {column.postgres_type} | {'' if column.nullable else 'yes'} | {column.unit} | "
        f"{column.description.replace('|', '/')} |"
        for column in table.columns
    ]
    return "\n".join(
        [
            f"## {table.name}",
            "",
            f"{table.description} Key: {', '.join(f'`{name}`' for name in table.key)}. Written by {table.write.value}; "
            f"the blocking check fails when more than {table.reject_limit:.0%} of the rows are refused.",
            "",
            "| column | type | always known | unit | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def views() -> str:
    """What the views for readers say of themselves."""
    text = "\n".join(path.read_text() for path in sorted((SQL_FOLDER / "views").glob("*.sql")))
    found = re.findall(r"COMMENT ON (?:MATERIALIZED )?VIEW (bi\.\w+) IS\s+'((?:[^']|'')*)';", text)
    told = {name: said.replace("''", "'") for name, said in sorted(found)}
    rows = [f"| `{name}` | {said} |" for name, said in told.items()]
    return "\n".join(["## Views for readers", "", "| view | what it shows |", "|---|---|", *rows, ""])


def dictionary() -> str:
    return "\n".join([HEAD, *(section(table) for table in TABLES.values()), views()])


if __name__ == "__main__":
    print(dictionary(), end="")
