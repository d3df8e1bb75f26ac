"""Brings the warehouse's structure up to date: numbered migrations once; comments, views and the readers' rights where
they are not as they should be. What the tables are is in `sql/` and in the contracts; this module only applies them.

What is as it should be is left alone: replacing a view waits for whoever reads it, and keeps all others from reading.
"""

import hashlib
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from yt_platform.catalog import DECLARED
from yt_platform.warehouse.databases import database_name, take_turn, with_driver
from yt_platform.warehouse.readers import group_role
from yt_platform.warehouse.sessions import bounded

SQL_FOLDER = Path(__file__).resolve().parents[2] / "sql"


def migrate(warehouse_url: str) -> None:
    """Apply what is missing of `sql/migrations`, each file in a transaction, then views, comments and grants.

    Processes that migrate at once take turns; repeating it changes nothing. Raises DatabaseError that names other
    sessions where their locks are in the way.
    """
    what = "bringing the structure of the warehouse up to date"
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        with bounded(warehouse_url, connection, what):
            take_turn(connection, "yt_platform.migrate")
        _apply_migrations(warehouse_url, what)
        with bounded(warehouse_url, connection, what), connection.transaction():
            _make_views(connection)
            _comment(connection)
            _grant_readers(connection, group_role(database_name(warehouse_url)))
            _keep_from_public(connection)


def migrate_to(warehouse_url: str, names: Set[str]) -> set[str]:
    """Apply these migrations alone, so that an empty database gets the tables that an older version had.

    Returns the names that this version does not have; nothing is applied then.
    """
    unknown = set(names) - {file.stem for file in (SQL_FOLDER / "migrations").glob("*.sql")}
    if not unknown:
        _apply_migrations(warehouse_url, "making the tables of the backup", lambda migration: migration.id in names)
    return unknown


def _apply_migrations(warehouse_url: str, what: str, wanted: Callable[[Any], bool] = lambda _: True) -> None:
    # imported here: yoyo reads its package metadata at import, which a Dagster location need not pay for
    from yoyo import get_backend, read_migrations

    backend = get_backend(with_driver(warehouse_url, "postgresql+psycopg"))
    try:
        migrations = read_migrations(str(SQL_FOLDER / "migrations")).filter(wanted)
        with bounded(warehouse_url, backend.connection, what):
            # Processes take turns by the lock of `migrate`; a row of yoyo's own is what a killed process left.
            backend.break_lock()
            for migration in backend.to_apply(migrations):
                _apply(backend, migration)
    finally:
        backend.connection.close()


def _apply(backend: Any, migration: Any) -> None:
    """The file and the record that it was applied, both or neither: yoyo itself commits them one after the other, and
    a process that was killed between the two would leave a file that is applied again, which fails."""
    backend.ensure_internal_schema_updated()
    with backend.transaction():
        migration.process_steps(backend, "apply")
        backend.log_migration(migration, "apply")
        backend.mark_one(migration, log=False)


def _make_views(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Views whose file has changed since it was applied, or that somebody else has changed or dropped."""
    applied = {
        name: (file, definition)
        for name, file, definition in connection.execute("SELECT name, file_sha256, definition_md5 FROM ops.views")
    }
    for path in sorted((SQL_FOLDER / "views").glob("*.sql")):
        name, file = f"bi.{path.stem.partition('_')[2]}", hashlib.sha256(path.read_bytes()).hexdigest()
        if applied.get(name) == (file, _definition(connection, name)):
            continue
        connection.execute(path.read_bytes())
        connection.execute(
            "INSERT INTO ops.views VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE "
            "SET file_sha256 = excluded.file_sha256, definition_md5 = excluded.definition_md5",
            (name, file, _definition(connection, name)),
        )


def _definition(connection: psycopg.Connection[tuple[object, ...]], view: str) -> str | None:
    """Hash of the view as PostgreSQL has it, None where there is none."""
    row = connection.execute("SELECT md5(pg_get_viewdef(to_regclass(%s)))", (view,)).fetchone()
    return str(row[0]) if row and row[0] else None


_COMMENTS = """
SELECT nspname || '.' || relname, coalesce(attname, ''), description
FROM pg_description
JOIN pg_class AS rel ON rel.oid = objoid
JOIN pg_namespace AS layer ON layer.oid = relnamespace
LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0
WHERE classoid = 'pg_class'::regclass
"""


def _comment(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    found = {(table, column): text for table, column, text in connection.execute(_COMMENTS)}
    for table in DECLARED.values():
        name = sql.Identifier(table.layer, table.short_name)
        if found.get((table.name, "")) != table.description:
            connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(table.description)))
        for column in table.columns:
            if found.get((table.name, column.name)) != column.comment:
                of = sql.SQL("COMMENT ON COLUMN {}.{} IS {}")
                connection.execute(of.format(name, sql.Identifier(column.name), sql.Literal(column.comment)))


def _grant_readers(connection: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount:
        return
    for statement in (
        "GRANT USAGE ON SCHEMA bi TO {}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA bi TO {}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA bi GRANT SELECT ON TABLES TO {}",
    ):
        connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


# Advisory locks would let a reader stop every command, large objects let it fill the disk, and notifications fill the
# queue that all databases share, and messages of any size the write-ahead log: PostgreSQL grants these functions to
# everybody who may connect. The commands NOTIFY and LISTEN it grants to everybody for good; nothing of the platform
# listens.
_OPEN_TO_ALL = """
SELECT function.oid::regprocedure::text
FROM pg_proc AS function, aclexplode(coalesce(proacl, acldefault('f', proowner)))
WHERE pronamespace = 'pg_catalog'::regnamespace AND grantee = 0
    AND (proname ~ '^pg_(try_)?advisory_' OR proname ~ '^lo_'
        OR proname IN ('loread', 'lowrite', 'pg_notify', 'pg_logical_emit_message'))
"""


def _keep_from_public(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Where the server lets us: the functions belong to its superuser, the schema to the database's owner."""
    if connection.execute(
        "SELECT FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'public' AND grantee = 0 "
        "AND pg_has_role(nspowner, 'USAGE')"
    ).rowcount:
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    if connection.info.parameter_status("is_superuser") == "on":
        for (function,) in connection.execute(_OPEN_TO_ALL).fetchall():
            connection.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC".encode())
