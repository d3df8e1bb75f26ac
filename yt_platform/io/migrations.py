"""Brings the warehouse's structure up to date: numbered migrations once, comments, views and the reader's rights
every time. What the tables are is in `sql/` and in the contracts; this module only applies them."""

from pathlib import Path

import psycopg
from psycopg import sql

from yt_platform.core.schemas import TABLES
from yt_platform.io.databases import reader_role, take_turn, with_driver

SQL_FOLDER = Path(__file__).resolve().parents[2] / "sql"


def migrate(warehouse_url: str) -> None:
    """Apply what is missing of `sql/migrations`, each file in a transaction, then views, comments and grants.

    Processes that migrate at once take turns; repeating it changes nothing.
    """
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        take_turn(connection, "yt_platform.migrate")
        _apply_migrations(warehouse_url)
        with connection.transaction():
            for view in sorted((SQL_FOLDER / "views").glob("*.sql")):
                connection.execute(view.read_bytes())
            _comment(connection)
            _grant_reader(connection, reader_role(warehouse_url))
            _keep_from_public(connection)


def _apply_migrations(warehouse_url: str) -> None:
    # imported here: yoyo reads its package metadata at import, which a Dagster location need not pay for
    from yoyo import get_backend, read_migrations

    backend = get_backend(with_driver(warehouse_url, "postgresql+psycopg"))
    try:
        migrations = read_migrations(str(SQL_FOLDER / "migrations"))
        with backend.lock():
            backend.apply_migrations(backend.to_apply(migrations))
    finally:
        backend.connection.close()


def _comment(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for table in TABLES.values():
        name = sql.Identifier(table.layer, table.short_name)
        statements = [sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(table.description))]
        statements += [
            sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
                name,
                sql.Identifier(column.name),
                sql.Literal(f"{column.description} [{column.unit}]".removesuffix(" []")),
            )
            for column in table.columns
        ]
        connection.execute(sql.SQL("; ").join(statements))


def _grant_reader(connection: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount:
        return
    for statement in (
        "GRANT USAGE ON SCHEMA bi TO {}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA bi TO {}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA bi GRANT SELECT ON TABLES TO {}",
    ):
        connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


# Advisory locks would let a reader stop every command, large objects let it fill the disk: PostgreSQL grants both to
# everybody who may connect.
_OPEN_TO_ALL = """
SELECT function.oid::regprocedure::text
FROM pg_proc AS function, aclexplode(coalesce(proacl, acldefault('f', proowner)))
WHERE pronamespace = 'pg_catalog'::regnamespace AND grantee = 0
    AND (proname ~ '^pg_(try_)?advisory_' OR proname ~ '^lo_' OR proname IN ('loread', 'lowrite'))
"""


def _keep_from_public(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Where the server lets us: the functions belong to its superuser."""
    if connection.info.parameter_status("is_superuser") == "on":
        for (function,) in connection.execute(_OPEN_TO_ALL).fetchall():
            connection.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC".encode())
