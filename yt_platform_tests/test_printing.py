"""What other people wrote, on a console and in a log: with what a terminal would obey spelled out."""

import io
import logging
import re
from datetime import date

import pytest
from rich.table import Table

from yt_platform.monitoring.defs.checks import as_markdown
from yt_platform.monitoring.plots import bars, quality
from yt_platform.printable import printable
from yt_platform.printing import PlainConsole, PlainFormatter
from yt_platform.report import ProgressDisplay

TITLE = "a\x1b]0;owned\x07\x1b[31m\x9b2J\u202eb\r\x00 [red]c[/red]"
SHOWN = r"a\x1b]0;owned\x07\x1b[31m\x9b2J\u202eb\r\x00 [red]c[/red]"


def console(monkeypatch: pytest.MonkeyPatch) -> tuple[PlainConsole, io.StringIO]:
    """One that takes its output for a terminal of 200 columns without colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    found = PlainConsole()
    found.file = io.StringIO()
    return found, found.file


def test_a_console_spells_out_what_a_terminal_would_obey(monkeypatch: pytest.MonkeyPatch) -> None:
    out, written = console(monkeypatch)
    table = Table(TITLE, title=TITLE)
    table.add_row(TITLE)
    out.print(TITLE, style="red")
    out.print(table)
    with ProgressDisplay(out) as progress:
        progress(1, 1, TITLE)
    assert written.getvalue().count(SHOWN) >= 4
    assert not re.search("[\x00\x07\x9b\u202e]|\x1b\\]", written.getvalue())


def test_lines_and_other_scripts_stay() -> None:
    assert printable("título\t日本語\nनमस्ते 👩‍👩‍👧 e\u0301\r\nend") == "título\t日本語\nनमस्ते 👩‍👩‍👧 e\u0301\nend"


def test_a_log_spells_them_out_in_tracebacks_too() -> None:
    try:
        raise ValueError(TITLE)
    except ValueError as error:
        record = logging.LogRecord("t", logging.WARNING, "f", 1, "%s", (TITLE,), (ValueError, error, None))
    text = PlainFormatter().format(record)
    assert text.count(SHOWN) == 2
    assert "\x1b" not in text


@pytest.mark.parametrize("name", [r"$\frac{1}$", r"$\undefined{x}$ $5", "_hidden", "a\x1bb", ""])
def test_a_name_is_no_mathematics_to_a_plot(name: str) -> None:
    """Two dollar signs in a name ended the day's report."""
    rows = [{"table_name": name or "t", "source": name, "day": date(2026, 3, day), "score": 99.0} for day in (1, 2)]
    assert quality(rows).startswith(b"\x89PNG")
    assert bars(name, {date(2026, 3, 1): 5}).startswith(b"\x89PNG")


def test_a_value_ends_no_cell_of_a_table_and_is_no_picture() -> None:
    shown = as_markdown([{"title": "a | b\n![x](https://example.org/x.png) <img src=x>"}])
    assert shown.splitlines()[2:] == [r"| a \| b !\[x\](https://example.org/x.png) \<img src=x\> |"]
