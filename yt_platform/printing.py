"""The consoles of the command line, and the lines of logs: both show what other people wrote, and obey none of it."""

import logging
from typing import Any

from rich.console import Console
from rich.text import Text

from yt_platform.printable import printable


class PlainConsole(Console):
    """A console that takes no text for markup and spells control characters out."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """What rich calls for every string that it prints, those in cells of tables too."""
        return super().render_str(printable(text), **options)


class PlainFormatter(logging.Formatter):
    """Spells control characters out, in messages and in tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def log_plainly(level: int) -> None:
    """Log to standard error from this level on."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter(logging.BASIC_FORMAT))
    logging.basicConfig(level=level, handlers=[handler])
