"""The sandbox's time: an instant that stands until it is moved, or the machine's clock when asked for."""

from datetime import UTC, datetime, timedelta


class SandboxClock:
    """Stands at `instant` (aware), or runs with the machine where it is None."""

    def __init__(self, instant: datetime | None) -> None:
        self.set(instant)

    @property
    def is_real(self) -> bool:
        return self._instant is None

    def now(self) -> datetime:
        return self._instant or datetime.now(UTC)

    def set(self, instant: datetime | None) -> None:
        """Raises ValueError for a time without zone."""
        if instant is not None and instant.tzinfo is None:
            raise ValueError(f"{instant.isoformat()} has no zone; write it in UTC with a Z")
        self._instant = instant

    def advance(self, by: timedelta) -> None:
        """Raises ValueError when the clock is real."""
        if self._instant is None:
            raise ValueError("a real clock cannot be advanced; set an instant first")
        self._instant += by
