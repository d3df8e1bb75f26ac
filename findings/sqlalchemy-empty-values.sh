#!/usr/bin/env bash
# What: SQLAlchemy's `insert(table).values([])` inserts one row of NULLs and defaults. On PostgreSQL with
#   `on_conflict_do_nothing` it is `INSERT ... DEFAULT VALUES`. An empty batch leaves a row that nobody wrote.
# Version: SQLAlchemy 2.1.9.
# Why a good engineer would not guess it: a list of three dicts inserts three rows and a list of one inserts one.
#   `execute(insert(table), [])` does the same thing but warns that it is deprecated; `values([])` says nothing.
#   A day without videos then has one row, and a required column without a default turns it into a NOT NULL error.
# Instead: return early when the batch is empty.
# Source: seen by running.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv/bin/python" install -q --disable-pip-version-check SQLAlchemy==2.1.9
"$work/venv/bin/python" -W error - <<'EOF'
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

engine = sa.create_engine("sqlite://")
snapshots = sa.Table(
    "snapshots",
    sa.MetaData(),
    sa.Column("snapshot_id", sa.Integer, primary_key=True),
    sa.Column("view_count", sa.BigInteger),
)
counts = []
for batch in ([{"view_count": 1}, {"view_count": 2}], [{"view_count": 3}], []):
    with engine.begin() as connection:
        snapshots.drop(connection, checkfirst=True)
        snapshots.create(connection)
        connection.execute(sa.insert(snapshots).values(batch))
        counts.append(len(rows := connection.execute(sa.select(snapshots)).all()))
upsert = str(postgresql.insert(snapshots).values([]).on_conflict_do_nothing().compile(dialect=postgresql.dialect()))
print("SQLAlchemy", sa.__version__)
print("expected: batches of 2, 1 and 0 rows leave 2, 1 and 0 rows")
print("seen:    ", counts, "the last one holds", rows, "and on PostgreSQL:", upsert)
assert counts == [2, 1, 1], "the behaviour changed"
assert [tuple(row) for row in rows] == [(1, None)], "the behaviour changed"
assert "DEFAULT VALUES ON CONFLICT DO NOTHING" in upsert, "the behaviour changed"
EOF
