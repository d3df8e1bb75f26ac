"""The one source of time: the platform's clock, kept in the warehouse.

It is real, or simulated at the end of a sample or an import, so that an imported past is not stale. Schedules,
freshness and status read this clock; nothing else in the platform asks for the time of day, apart from the marks of
when a row was loaded.
"""

from datetime import UTC, datetime
from typing import cast

from yt_platform.io.warehouse import Warehouse


class Clock:
    """Time as the platform sees it."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    @property
    def simulated_at(self) -> datetime | None:
        """The instant the clock stands at, or None when it is real."""
        row = self._warehouse.records("SELECT simulated_at FROM ops.clock")[0]
        return cast("datetime | None", row["simulated_at"])

    def now(self) -> datetime:
        return self.simulated_at or datetime.now(UTC)

    def simulate(self, at: datetime) -> None:
        """Stop the clock at `at`."""
        with self._warehouse.transaction() as transaction:
            transaction.execute("UPDATE ops.clock SET simulated_at = $1", (at,))

    def run(self) -> None:
        """Let the clock be real."""
        with self._warehouse.transaction() as transaction:
            transaction.execute("UPDATE ops.clock SET simulated_at = NULL")
