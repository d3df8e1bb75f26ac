"""How long work reports on itself, without knowing who watches."""

from typing import Protocol


class Progress(Protocol):
    """Told as work goes on: `done` of `total` (None while unknown) units of `what`."""

    def __call__(self, done: int, total: int | None, what: str) -> None: ...


def silent(done: int, total: int | None, what: str) -> None:
    """A watcher that does not look."""
