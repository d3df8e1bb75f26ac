"""The one source of time: the platform's clock, kept in the warehouse.

It is real, or simulated at the end of a sample or an import, so that an imported past is not stale. Schedules,
freshness and status read this clock; nothing else in the platform asks for the time of day, apart from the marks of
when a row was loaded.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import cast

from yt_platform.warehouse.warehouse import Warehouse

END_OF_DAY = time(23, 59, 59)


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
        return self.ticking()()

    def ticking(self) -> Callable[[], datetime]:
        """The clock as a function that asks the warehouse no more, for work that looks at it at every step."""
        simulated_at = self.simulated_at
        return lambda: simulated_at or datetime.now(UTC)

    def last_day_over(self) -> date:
        """The newest UTC day that is over; a clock simulated at a day's last second has seen all of it."""
        return (self.now() + timedelta(seconds=1)).date() - timedelta(days=1)

    def last_day_due(self) -> date:
        """The newest UTC day that should be made: the daily run, at 02:00 of the next day, has had an hour for it."""
        if self.simulated_at:
            return self.last_day_over()
        return (self.now() - timedelta(hours=3)).date() - timedelta(days=1)

    def simulate(self, at: datetime) -> None:
        """Stop the clock at `at`."""
        with self._warehouse.transaction() as transaction:
            transaction.execute("UPDATE ops.clock SET simulated_at = $1", (at,))

    def follow_imports(self) -> None:
        """Stand at the end of the last imported day, where that lies in the past and later than the clock stood.

        Asked for after every import and before every run, so that an import whose process ended early is followed
        too. Where YouTube is collected from, the clock is left alone.
        """
        row = self._warehouse.records(
            "SELECT max(partition_day) FILTER (WHERE source = 'import') AS last, "
            "bool_or(source = 'api' AND NOT synthetic) AS collected FROM raw.batches"
        )[0]
        if row["last"] is None or row["collected"] or row["last"] >= datetime.now(UTC).date():
            return
        end = datetime.combine(row["last"], END_OF_DAY, UTC)
        if self.simulated_at is None or self.simulated_at < end:
            self.simulate(end)

    def follow_undo(self) -> None:
        """Stand at the end of the last imported day that is left, after an import was taken back; be real where none is
        left. A clock that what was collected moves on is left alone."""
        if self.simulated_at and not self._warehouse.records(
            "SELECT FROM raw.batches WHERE source <> 'import' LIMIT 1"
        ):
            self.run()
            self.follow_imports()

    def run(self) -> None:
        """Let the clock be real."""
        with self._warehouse.transaction() as transaction:
            transaction.execute("UPDATE ops.clock SET simulated_at = NULL")
