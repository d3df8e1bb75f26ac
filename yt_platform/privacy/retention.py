"""Deletion of what YouTube's policies let nobody keep longer: rows, and the files of raw batches.

What expires is `policy.py`'s. A batch whose file is deleted stays in the catalogue with its hash, so that what was
made from it is not taken for outdated and made anew from less.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from yt_platform.catalog import TABLES
from yt_platform.policy import (
    HOLDS,
    VERIFIED_DAYS,
    PolicyMode,
    expires,
    first_kept,
    kept_from,
    may_derive,
    may_hold,
)
from yt_platform.storage.endpoints import ANALYTICS_ENDPOINTS
from yt_platform.storage.raw import OWN_FILE, RawStore
from yt_platform.tables.declaration import Holds
from yt_platform.tables.times import REACH_DAYS
from yt_platform.warehouse.views import refresh
from yt_platform.warehouse.warehouse import Warehouse

BATCHES = "raw.batches"
QUARANTINE = "ops.quarantine"
TRACKED = "ops.tracked_videos"
PURGED = "purged_at = now()"
SETTLED = timedelta(days=1)
"""After so long a raw file is booked, or never will be."""
OF_COUNTS_ALONE = "api_video_stats"
"""The one endpoint whose answers hold statistics and no metadata."""

_OF_COLLECTION = f"(SELECT min(partition_day) - {REACH_DAYS} FROM {BATCHES} WHERE source = 'api')"
"""The first day that a derived row may owe to the API, as days look ahead to the next reading. What is derived of
earlier days comes from imports alone, which are the operator's to judge."""

_UNDELETED = f"""
FROM {BATCHES} AS purged
WHERE purged_at IS NOT NULL AND file_deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM {BATCHES} AS kept WHERE kept.path = purged.path AND kept.purged_at IS NULL)
"""
"""Of a batch that is kept with the same content the file is its own."""


@dataclass(frozen=True)
class _Expired:
    """Rows of a table that must go, or what they are to hold instead."""

    table: str
    where: str
    parameters: tuple[object, ...] = ()
    instead: str = ""

    @property
    def statement(self) -> str:
        begin = f"UPDATE {self.table} SET {self.instead}" if self.instead else f"DELETE FROM {self.table}"
        return f"{begin} {self.where}"


def retire(warehouse: Warehouse, store: RawStore, mode: PolicyMode, now: datetime, run_id: str) -> dict[str, int]:
    """Delete what the mode lets nobody keep; returns the rows deleted by table, and the raw batches.

    Files are deleted after the catalogue says so, those of an earlier call that ended between the two as well.
    """
    removed = Counter[str]()
    for expired in _expired(mode, now.date()):
        with warehouse.transaction() as transaction:
            found = transaction.records(
                f"SELECT count(*) AS n FROM {expired.table} {expired.where}", expired.parameters
            )
            if found[0]["n"]:
                removed[expired.table] += found[0]["n"]
                transaction.execute(expired.statement, expired.parameters)
                if not expired.where:  # else a mode that lets it be made would find it made
                    transaction.execute("DELETE FROM ops.loads WHERE table_name = $1", (expired.table,))
    for row in warehouse.records(f"SELECT DISTINCT path {_UNDELETED}"):
        store.delete(row["path"])
        with warehouse.transaction() as transaction:
            transaction.execute(f"UPDATE {BATCHES} SET file_deleted_at = now() WHERE path = $1", (row["path"],))
    if mode != "synthetic":
        for account in _unverified(warehouse, now):
            removed.update(_delete_of_account(warehouse, store, account))
    if expires(mode, BATCHES):
        _delete_uncatalogued(warehouse, store, now)
    if removed:
        refresh(warehouse, run_id)  # a materialised view is a copy
    return removed


def _unverified(warehouse: Warehouse, now: datetime) -> list[str]:
    """Accounts that brought something and whose authorisation nobody has verified for long, or has removed."""
    rows = warehouse.records(
        "SELECT account FROM (SELECT account FROM raw.reports UNION SELECT account FROM ops.asked_curves "
        "UNION SELECT account FROM metrics.channel_revenue) AS known "
        "LEFT JOIN ops.accounts AS entered ON entered.name = known.account "
        "WHERE coalesce(entered.verified_at < $1, true) ORDER BY account",
        (now - timedelta(days=VERIFIED_DAYS),),
    )
    return [row["account"] for row in rows]


def _delete_of_account(warehouse: Warehouse, store: RawStore, account: str) -> Counter[str]:
    """Delete everything that an account brought, as if it had never been pulled: days that other accounts tell as well
    are made anew from what these brought."""
    batches = _batches_of_account(warehouse, store, account)
    paths = list(batches.values())
    removed = Counter({BATCHES: len(batches)})
    with warehouse.transaction() as transaction:
        for name in (name for name, held in HOLDS.items() if held is Holds.AUTHORIZED):
            [found] = transaction.records(f"SELECT count(*) AS n FROM {name} WHERE account = $1", (account,))
            removed[name] = found["n"]
            transaction.execute(f"DELETE FROM {name} WHERE account = $1", (account,))
        transaction.execute("DELETE FROM ops.asked_curves WHERE account = $1", (account,))
        transaction.execute(f"DELETE FROM {QUARANTINE} WHERE origin = ANY($1)", (paths,))
        transaction.execute(f"DELETE FROM {BATCHES} WHERE batch_id = ANY($1)", (list(batches),))
    for path in paths:  # where this is cut short, they are files that nobody booked
        store.delete(path)
    return +removed


def _batches_of_account(warehouse: Warehouse, store: RawStore, account: str) -> dict[int, str]:
    """Paths by batch; only the files themselves say whose an answer is, and a batch has those of one account."""
    reports = "SELECT batch_id, path FROM raw.batches JOIN raw.reports USING (batch_id) WHERE account = $1"
    found = {row["batch_id"]: row["path"] for row in warehouse.records(reports, (account,))}
    answers = f"SELECT batch_id, path, sha256 FROM {BATCHES} WHERE endpoint = ANY($1)"
    for row in warehouse.records(answers, (list(ANALYTICS_ENDPOINTS),)):
        asked = store.read_table(row["path"], row["sha256"])["parameters"]
        if len(asked) and json.loads(asked[0].as_py())["account"] == account:
            found[row["batch_id"]] = row["path"]
    return found


def _delete_uncatalogued(warehouse: Warehouse, store: RawStore, now: datetime) -> None:
    """Files of pulls and imports that were killed before they were booked, once their day has expired: nothing else
    would ever find them."""
    known = {row["path"] for row in warehouse.records(f"SELECT path FROM {BATCHES}")}
    for path in store.names():
        own = OWN_FILE.fullmatch(path)
        expired = own and path not in known and own["day"] < first_kept(now.date()).isoformat()
        if expired and store.written_at(path) < now - SETTLED:
            store.delete(path)


def retirement_is_due(warehouse: Warehouse, mode: PolicyMode, now: datetime) -> bool:
    """Whether anything is older than the mode lets it be kept, or a deletion was interrupted."""
    if warehouse.records(f"SELECT path {_UNDELETED} LIMIT 1") or (mode != "synthetic" and _unverified(warehouse, now)):
        return True
    return any(
        warehouse.records(f"SELECT FROM {expired.table} {expired.where} LIMIT 1", expired.parameters)
        for expired in _expired(mode, now.date())
    )


def oldest(warehouse: Warehouse) -> Mapping[str, date]:
    """The oldest day with rows, by table that holds data of the API as it came, and raw batch with a file."""
    rows = warehouse.records(
        " UNION ALL ".join(
            f"SELECT '{name}' AS name, min({table.window})::date AS day FROM {name}"
            for name, table in TABLES.items()
            if HOLDS[name] in (Holds.STATISTICS, Holds.METADATA)
        )
        + f" UNION ALL SELECT '{BATCHES}', min(partition_day) FROM {BATCHES} WHERE purged_at IS NULL"
    )
    return {row["name"]: row["day"] for row in rows if row["day"]}


def _expired(mode: PolicyMode, today: date) -> Iterator[_Expired]:
    """In the order to delete: what others are made from last, so that an interruption leaves nothing without its
    origin."""
    of_all = mode == "strict"  # what people imported is theirs to judge, but strict keeps no statistic at all
    imported = "" if of_all else "source = 'api' AND "
    for name, table in reversed(TABLES.items()):
        kept = kept_from(mode, HOLDS[name], today)
        if HOLDS[name] is Holds.DERIVED and not may_hold(mode, name):
            yield _Expired(name, "")
        elif kept and HOLDS[name] is Holds.DERIVED:
            collected = f"{table.window} >= {_OF_COLLECTION}"
            yield _Expired(name, f"WHERE {table.window} < $1 AND {collected}", (kept,))
        elif kept:
            yield _Expired(name, f"WHERE {imported}{table.window} < $1", (kept,))
    if kept := kept_from(mode, HOLDS[QUARANTINE], today):
        pulled = "" if of_all else "starts_with(origin, 'api_') AND "
        yield _Expired(QUARANTINE, f"WHERE {pulled}coalesce(partition_day, quarantined_at::date) < $1", (kept,))
    if kept := kept_from(mode, HOLDS[BATCHES], today):
        # an owner's reports may be kept in every mode
        counts = "source <> 'report' AND " if of_all else f"endpoint <> '{OF_COUNTS_ALONE}' AND "
        yield _Expired(BATCHES, f"WHERE {imported}{counts}purged_at IS NULL AND partition_day < $1", (kept,), PURGED)
    if kept := kept_from(mode, Holds.STATISTICS, today):
        counts = f"source = 'api' AND endpoint = '{OF_COUNTS_ALONE}'"
        yield _Expired(BATCHES, f"WHERE {counts} AND purged_at IS NULL AND partition_day < $1", (kept,), PURGED)
    yield from _expired_notes(mode, today)


def _expired_notes(mode: PolicyMode, today: date) -> Iterator[_Expired]:
    """What the API told of tracked videos, which are to be polled by it."""
    if not may_derive(mode):
        yield _Expired(TRACKED, "WHERE views_per_day IS NOT NULL", instead="views_per_day = NULL")
    elif kept := kept_from(mode, Holds.DERIVED, today):
        where = "WHERE views_per_day IS NOT NULL AND stats_polled_at < $1"
        yield _Expired(TRACKED, where, (kept,), "views_per_day = NULL")
    if kept := kept_from(mode, Holds.STATISTICS, today):
        where = "WHERE view_count IS NOT NULL AND stats_polled_at < $1"
        yield _Expired(TRACKED, where, (kept,), "view_count = NULL")
    if kept := kept_from(mode, Holds.METADATA, today):
        where = "WHERE published_at IS NOT NULL AND (metadata_polled_at < $1 OR unreturned_at < $1)"
        yield _Expired(TRACKED, where, (kept,), "published_at = NULL")
        where = "WHERE method IN ('commentThreads.list', 'comments.list') AND first_at < $1"
        yield _Expired("ops.skipped_items", where, (kept,))
