"""Logs of old runs out of Dagster's storage, which Dagster itself never prunes.

What says how data came to be stays: every event of an asset or a check, planned ones included, as partition states are
read from them; how a run began and ended; and why a step failed.
"""

from datetime import datetime

import psycopg

LOGS = (
    "ENGINE_EVENT",
    "HANDLED_OUTPUT",
    "HOOK_COMPLETED",
    "HOOK_ERRORED",
    "HOOK_SKIPPED",
    "LOADED_INPUT",
    "LOGS_CAPTURED",
    "OBJECT_STORE_OPERATION",
    "RESOURCE_INIT_STARTED",
    "RESOURCE_INIT_SUCCESS",
    "STEP_INPUT",
    "STEP_OUTPUT",
    "STEP_RESTARTED",
    "STEP_SKIPPED",
    "STEP_START",
    "STEP_SUCCESS",
    "STEP_UP_FOR_RETRY",
    "STEP_WORKER_STARTED",
    "STEP_WORKER_STARTING",
)
"""Values of `DagsterEventType` that are removed, beside messages, which have none. A type not named here is kept."""

RUNS_AT_ONCE = 100

# end_time is missing of runs that never started; Dagster writes update_timestamp in UTC
_OLD = """
SELECT run_id FROM runs WHERE status IN ('SUCCESS', 'FAILURE', 'CANCELED')
    AND coalesce(to_timestamp(end_time), update_timestamp AT TIME ZONE 'UTC') < %s
ORDER BY id
"""

_PRUNE = """
DELETE FROM event_logs WHERE run_id = ANY(%s)
    AND (dagster_event_type IS NULL OR dagster_event_type = ANY(%s))
"""


class RunLogs:
    """Events of runs in the database of Dagster's storage, behind a libpq URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def prune(self, before: datetime) -> int:
        """Remove the logs of runs that ended before; returns the rows removed. A transaction per 100 runs, so that
        what writes meanwhile waits for none of it."""
        removed = 0
        with psycopg.connect(self._url, autocommit=True) as connection:
            old = [row[0] for row in connection.execute(_OLD, (before,))]
            for first in range(0, len(old), RUNS_AT_ONCE):
                removed += connection.execute(_PRUNE, (old[first : first + RUNS_AT_ONCE], list(LOGS))).rowcount
        return removed
