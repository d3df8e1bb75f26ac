"""Prints docs/data-dictionary.md from the contracts: `make docs` writes it, a test holds it current."""

from yt_platform.core.schemas import TABLES
from yt_platform.core.schemas.base import Table

HEAD = """\
# Data dictionary

Generated from the contracts in `yt_platform/core/schemas` by `make docs`. Every table also has `run_id` and
`loaded_at`: the Dagster run that wrote the row, and when.
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


def dictionary() -> str:
    return "\n".join([HEAD, *(section(table) for table in TABLES.values())])


if __name__ == "__main__":
    print(dictionary(), end="")
