"""The tables of a database as they are, and what they lack of what is declared.

Not here: applying migrations (`migrations.py`), and what SQL a difference needs (`tables/migration.py`).
"""

from collections.abc import Mapping

import psycopg

from yt_platform.catalog import DECLARED
from yt_platform.tables.migration import Existing, migration

_SCHEMAS = """
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
"""

_TABLES = """
SELECT layer.nspname || '.' || rel.relname AS name,
    coalesce(
        json_object_agg(attname, json_build_array(format_type(atttypid, NULL), NOT attnotnull) ORDER BY attnum)
            FILTER (WHERE attname IS NOT NULL),
        '{}'
    ) AS columns,
    ARRAY(
        SELECT part.attname::text
        FROM pg_index, unnest(indkey) WITH ORDINALITY AS place (number, position)
        JOIN pg_attribute AS part ON part.attrelid = rel.oid AND part.attnum = place.number
        WHERE indrelid = rel.oid AND indisprimary ORDER BY position
    ) AS key,
    rel.relkind = 'p' AS by_month
FROM pg_class AS rel
JOIN pg_namespace AS layer ON layer.oid = rel.relnamespace
LEFT JOIN pg_attribute ON attrelid = rel.oid AND attnum > 0 AND NOT attisdropped
WHERE rel.relkind IN ('r', 'p') AND NOT rel.relispartition AND layer.nspname = ANY(%s)
GROUP BY rel.oid, layer.nspname, rel.relname, rel.relkind
ORDER BY name
"""


def missing(url: str) -> str:
    """SQL for what a migrated warehouse lacks of what the tables declare; '' where it lacks nothing."""
    with psycopg.connect(url) as connection:
        schemas = [name for (name,) in connection.execute(_SCHEMAS)]
        return migration(DECLARED.values(), _existing(connection, schemas), schemas)


def _existing(connection: psycopg.Connection[tuple[object, ...]], schemas: list[str]) -> Mapping[str, Existing]:
    rows = connection.execute(_TABLES, (schemas,)).fetchall()
    return {str(name): Existing(columns, tuple(key), bool(by_month)) for name, columns, key, by_month in rows}  # type: ignore[arg-type]
