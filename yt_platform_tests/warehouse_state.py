"""What a warehouse holds, as hashes: two warehouses, or one before and after, compared by content."""

from collections.abc import Iterable

from yt_platform.catalog import TABLES
from yt_platform.warehouse.warehouse import Warehouse


def fingerprint(warehouse: Warehouse, table: str, columns: Iterable[str]) -> str:
    """A hash of the table's rows in these columns, whatever their order; a row that stands twice counts twice."""
    rows = warehouse.records(
        f"SELECT md5(coalesce(string_agg(row_text, '' ORDER BY row_text), '')) AS hash "
        f"FROM (SELECT ({', '.join(columns)})::text AS row_text FROM {table}) AS rows"
    )
    return str(rows[0]["hash"])


def fingerprints(warehouse: Warehouse) -> dict[str, str]:
    """A hash of every table with a contract; run id and load time apart."""
    return {name: fingerprint(warehouse, name, table.column_names) for name, table in TABLES.items()}
