"""How figures look in a terminal; what they are comes from the callers."""

import os
import stat
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import IO, Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.history import History
from yt_platform.history.import_log import SHORT_ID, SHOWN_REASONS, Import
from yt_platform.history.preview import Preview
from yt_platform.history.problems import excerpt
from yt_platform.local import Imported, Platform, Runs
from yt_platform.models.tables import SCORECARDS
from yt_platform.printable import printable
from yt_platform.privacy.forgetting import Forgotten
from yt_platform.settings import Settings
from yt_platform.status import check_outcomes, table_rows
from yt_platform.tables.declaration import REJECT_LIMIT
from yt_platform.warehouse.readers import Reader
from yt_platform.youtube.accounts.authorization import Listed
from yt_platform.youtube.analytics_api.queries import RetentionPoint
from yt_platform.youtube.data_api.polling import Plan
from yt_platform.youtube.watchlist import Watched

PRINT_EVERY_SECONDS = 10

CELL = 40
"""Characters shown of a value in a dry run."""

EXAMPLE = 200
"""Characters shown of a refused row."""

_DATABASE = (
    "psql, BI tools:  make up (or .venv/bin/yt-platform db start), then\n"
    '                 psql "$(.venv/bin/yt-platform db url --reader)"\n'
    "                 psql 15 and older (Debian 12): ... db url --reader --old-client, or ... db shell --reader"
)


class ProgressDisplay:
    """One line per kind of work: a bar in a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<32}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._printed: dict[str, float] = {}

    def __enter__(self) -> "ProgressDisplay":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._bars.stop()

    def __call__(self, done: int, total: int | None, what: str) -> None:
        if what not in self._tasks:  # the bars' text goes past the console's `render_str`
            self._tasks[what] = self._bars.add_task(printable(what), total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)
        if not self._console.is_terminal:
            self._print(done, total, what)

    def _print(self, done: int, total: int | None, what: str) -> None:
        now = time.monotonic()
        if done == total or now - self._printed.get(what, -PRINT_EVERY_SECONDS) >= PRINT_EVERY_SECONDS:
            self._printed[what] = now
            self._console.print(f"{what}: {done:,}" + (f" of {total:,}" if total is not None else ""))


def print_summary(platform: Platform, runs: Runs, out: Console) -> None:
    """Rows per table, checks, forecast error against naive, and the videos expected to gain most."""
    print_rows(table_rows(platform.warehouse), out)
    print_checks(check_outcomes(runs.instance, runs.definitions), out)
    print_scorecard(platform, out)
    print_top_forecasts(platform, out)


def print_import(imported: Import, made: Imported, out: Console) -> None:
    """What an import took, refused and why, what it replaced, and the files it left out."""
    history = made.history

    def say(text: str, style: str | None = None) -> None:
        out.print(printable(text), style=style, soft_wrap=True)

    short = imported.import_id[:SHORT_ID]
    say(f"{imported.name}: {imported.rows:,} rows imported, {imported.refused:,} refused (import {short})")
    for other in made.replaced:
        say(
            f"  takes the place of the import of {other.name} of {other.imported_at:%Y-%m-%d %H:%M} "
            f"({other.import_id[:SHORT_ID]}), which read the same files otherwise"
        )
    if history.header_lines:
        say(f"  {history.header_lines:,} header lines or sums inside files left out")
    for reason in imported.reasons[:SHOWN_REASONS]:
        say(
            f"  {reason.rows:,} refused: {reason.reason}; for example {reason.origin}: {reason.record[:EXAMPLE]}", "red"
        )
    if others := imported.reasons[SHOWN_REASONS:]:
        say(f"  {sum(reason.rows for reason in others):,} refused for {len(others):,} other reasons", "red")
    print_left_out(history, out)
    if imported.is_broken:
        say(
            f"{imported.refused_share:.1%} of the rows were refused, more than {REJECT_LIMIT:.0%}: look at them in "
            f"ops.quarantine, then `yt-platform imports --accept {short}` or `yt-platform import --undo {short}`",
            "red",
        )


def print_left_out(history: History, out: Console) -> None:
    """The files of a folder that are not imported, and why."""
    for error in history.unreadable:
        out.print(printable(f"left out: {error}"), style="red", soft_wrap=True)
    for ignored in history.ignored:
        out.print(printable(f"left out: {ignored.name}: {ignored.reason}"), soft_wrap=True)


def print_preview(shown: Preview, start: date, out: Console) -> None:
    """How a file would be read: layout, columns, times, some rows, and what would be refused."""

    def say(text: str, style: str | None = None) -> None:
        out.print(printable(text), style=style, soft_wrap=True)

    say(f"{shown.name}: {shown.layout}, {shown.rows:,} rows, {shown.refused:,} refused")
    for column, (own, expected) in shown.columns.items():
        say(f"  {own} is {column}, read as {expected}")
    if shown.unused:
        say(f"  not taken: {excerpt(', '.join(shown.unused))}")
    if shown.first and shown.last:
        say(f"  from {shown.first:%Y-%m-%d %H:%M} to {shown.last:%Y-%m-%d %H:%M} UTC, {shown.order}")
        if shown.first.date() < start:
            say(f"  would stop: rows before {start}; set YT_PARTITIONS_START={shown.first:%Y-%m-%d}", "red")
    for row in shown.shown:
        values = (str(value) for value in row.values())
        say("  " + ", ".join(value if len(value) <= CELL else value[: CELL - 1] + "…" for value in values))
    for reason, count in shown.reasons.most_common(SHOWN_REASONS):
        where = f"; first in line {shown.lines[reason]}" if reason in shown.lines else ""
        say(f"  would refuse {count:,}: {reason}{where}", "red")


def print_imports(found: Sequence[Import], out: Console) -> None:
    table = Table(show_edge=False)
    for column in ("id", "imported at", "name", "rows", "refused", "main reasons"):
        table.add_column(column, justify="right" if column in ("rows", "refused") else "left", no_wrap=column == "id")
    for one in found:
        reasons = "; ".join(f"{reason.rows:,}: {reason.reason}" for reason in one.reasons[:2])
        state = "being taken back; " if one.is_being_undone else ""
        accepted = "accepted; " if one.accepted_at else ""
        table.add_row(
            one.import_id[:SHORT_ID],
            f"{one.imported_at:%Y-%m-%d %H:%M}",
            printable(one.name),
            f"{one.rows:,}",
            f"{one.refused:,}",
            printable(state + accepted + reasons),
        )
    out.print(table)


def print_rows(rows: Mapping[str, int], out: Console) -> None:
    table = Table(title="Rows", title_justify="left", show_edge=False)
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    out.print(table)


def print_checks(outcomes: Mapping[str, str], out: Console) -> None:
    """How the latest evaluations came out, and the names of those that did not pass."""
    counts = Counter(outcomes.values())
    out.print("\nChecks: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts)))
    for name, outcome in outcomes.items():
        if outcome in ("failed", "warned"):
            out.print(f"  {outcome}: {name}", style="red")


def print_scorecard(platform: Platform, out: Console) -> None:
    champion = platform.registry.champion(VIDEO_FORECASTER.name)
    if champion is None:
        strict = platform.settings.policy_mode == "strict"
        why = "YT_POLICY_MODE=strict lets nothing be derived" if strict else "No model is champion"
        out.print(f"\n{why}, so nothing is forecast.")
        return
    scores = platform.warehouse.records(
        f"SELECT {', '.join(SCORECARDS.column_names)} FROM models.scorecards "
        "WHERE model_version = $1 ORDER BY array_position($2, target), horizon",
        (champion.name, list(VIDEO_FORECASTER.task.targets)),
    )
    cards = pd.DataFrame(scores).rename(columns={"row_count": "n"})
    print_scores(cards, out, champion.name)


def by_target(scores: pd.DataFrame) -> dict[str, Any]:
    """Scores as JSON has them: those of views by horizon, and those of every target."""
    targets = {
        target: {str(row.pop("horizon")): row for row in found.drop(columns="target").to_dict("records")}
        for target, found in scores.groupby("target", sort=False)
    }
    return {"horizons": targets["views"], "targets": targets}


def print_scores(scores: pd.DataFrame, out: Console, model: str = "") -> None:
    table = Table(title=f"Error of increments on held-out days {model}".strip(), title_justify="left", show_edge=False)
    table.add_column("target")
    for column in ("days ahead", "forecasts", "WAPE", "naive WAPE", "80 % interval covers"):
        table.add_column(column, justify="right")
    for score in scores.to_dict("records"):
        table.add_row(
            score["target"],
            str(score["horizon"]),
            f"{score['n']:,}",
            f"{score['wape']:.3f}",
            f"{score['naive_wape']:.3f}",
            f"{score['coverage80']:.1%}",
        )
    out.print()
    out.print(table)


def print_versions(found: Sequence[Mapping[str, Any]], out: Console) -> None:
    table = Table(title="Mean error over targets and horizons on held-out days", title_justify="left", show_edge=False)
    for column in ("version", "", "kind", "trained until", "WAPE", "naive WAPE", "the gate"):
        table.add_column(column, justify="right" if "WAPE" in column else "left")
    for row in found:
        errors = ("" if row[name] is None else f"{row[name]:.3f}" for name in ("wape", "naive_wape"))
        mark = "champion" if row["champion"] else ""
        table.add_row(row["version"], mark, row["kind"], str(row["trained_until"]), *errors, row["decision"] or "")
    out.print(table)


def print_top_forecasts(platform: Platform, out: Console) -> None:
    rows = platform.warehouse.records(
        "SELECT title, video_id, channel_title, origin_day, increment_p10, increment_p50, increment_p90, is_synthetic "
        "FROM bi.video_forecast WHERE horizon_days = 7 AND target = 'views' "
        "AND origin_day = (SELECT max(origin_day) FROM predictions.video_forecast) "
        "AND model_version = (SELECT model_version FROM predictions.video_forecast ORDER BY loaded_at DESC LIMIT 1) "
        "ORDER BY increment_p50 DESC LIMIT 10"
    )
    if not rows:
        return
    label = " (synthetic data)" if rows[0]["is_synthetic"] else ""
    title = f"Expected to gain most views in the 7 days after {rows[0]['origin_day']}{label}"
    table = Table(title=title, title_justify="left", show_edge=False)
    # widths that fit 80 columns: texts give way, figures never
    table.add_column("video", max_width=max(out.width - 66, 14), no_wrap=True, overflow="ellipsis")
    table.add_column("channel", max_width=18, no_wrap=True, overflow="ellipsis")
    for column in ("p10", "p50", "p90"):
        table.add_column(column, justify="right", no_wrap=True, min_width=11)
    for row in rows:
        quantiles = (f"{row[f'increment_{name}']:,.0f}" for name in ("p10", "p50", "p90"))
        table.add_row(row["title"] or row["video_id"], row["channel_title"] or "", *quantiles)
    out.print()
    out.print(table)


def print_connections(settings: Settings, out: Console) -> None:
    out.print(
        "\nOpen the UI:     make up, which prints the link to log in; Dagster is then at\n"
        f"                 {settings.ui_base} and MLflow at {settings.mlflow_ui_base}\n" + _DATABASE,
        soft_wrap=True,
    )


def print_opened(settings: Settings, token: str, out: Console) -> None:
    """What is open under `up`, with the token where nobody else reads what is printed."""
    if read_by_others(out.file):
        out.print(
            f"\nOpen the UI:     Dagster at {settings.ui_base}\n                 MLflow at {settings.mlflow_ui_base}\n"
            "                 Others may read this output: `yt-platform token` prints the links to log in.",
            soft_wrap=True,
        )
    else:
        print_login(settings, token, out)
    out.print(_DATABASE, soft_wrap=True)


def print_login(settings: Settings, token: str, out: Console) -> None:
    """The links that log a browser in, and the token for where a proxy stands, which may log addresses."""
    out.print(
        f"\nOpen the UI:     Dagster at http://127.0.0.1:{settings.webserver_port}/?token={token}\n"
        f"                 MLflow at http://127.0.0.1:{settings.mlflow_port}/?token={token}\n"
        "                 One of the links logs a browser in to both for a week.",
        soft_wrap=True,
    )
    for url in filter(None, (settings.ui_url, settings.mlflow_ui_url)):
        out.print(f"                 At {url}, enter the token {token}", soft_wrap=True)


def read_by_others(stream: IO[str]) -> bool:
    """Whether what is printed ends in a log of the system (a socket) or in a file that other users may read."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # no file of the system at all
        return False
    return stat.S_ISSOCK(mode) or (stat.S_ISREG(mode) and bool(mode & 0o077))


def print_channels(found: Sequence[Watched], out: Console) -> None:
    table = Table(show_edge=False)
    for column in ("channel", "id", "title", "last listed", "state"):
        table.add_column(column, no_wrap=column == "id")
    for channel in found:
        state = channel.failure or ("paused" if channel.paused else "watched")
        if channel.retry_at and not channel.paused:
            state += f"; asked again from {channel.retry_at:%Y-%m-%d %H:%M} on"
        listed_at = f"{channel.uploads_polled_at:%Y-%m-%d %H:%M}" if channel.uploads_polled_at else "never"
        table.add_row(channel.reference, channel.channel_id or "", channel.title or "", listed_at, state)
    out.print(table)


def print_accounts(found: Sequence[Listed], out: Console) -> None:
    table = Table(show_edge=False)
    for column in ("account", "sees", "scopes", "last checked", "state"):
        table.add_column(column)
    for account in found:
        state = f"{account.state}: {account.reason}; {account.remedy}" if account.reason else account.state
        sees = account.channel_id or account.content_owner or ""
        checked = f"{account.authorization_checked_at:%Y-%m-%d %H:%M}"
        table.add_row(account.name, sees, account.scopes, checked, state)
    out.print(table)


def print_readers(found: Sequence[Reader], out: Console) -> None:
    if not found:
        out.print("no reader was added: yt-platform readers add NAME")
        return
    table = Table("reader", "role", "sessions now", show_edge=False)
    table.add_column("file of the password", overflow="fold")  # cut short, the path would be of no use
    for reader in found:
        table.add_row(reader.name, reader.role, str(reader.sessions), str(reader.passfile))
    out.print(table)


def print_retention(curve: Sequence[RetentionPoint], out: Console) -> None:
    if not curve:
        out.print("YouTube has no retention of this video: it is young, little watched, or another channel's")
        return
    table = Table(show_edge=False)
    for column in ("of its length", "watched", "among videos of its length"):
        table.add_column(column, justify="right")
    for point in curve:
        watched, relative = point.audience_watch_ratio, point.relative_retention_performance
        table.add_row(
            f"{point.elapsed_video_time_ratio:.0%}",
            "unknown" if watched is None else f"{watched:.1%}",
            "unknown" if relative is None else f"{relative:.2f}",
        )
    out.print(table)


def print_plan(plan: Plan, out: Console) -> None:
    table = Table(title="Units a day", title_justify="left", show_edge=False)
    for column in ("for", "bucket", "units", "why"):
        table.add_column(column, justify="right" if column == "units" else "left")
    for share in plan.shares:
        table.add_row(share.purpose, share.bucket, f"{share.units:,}", share.why)
    out.print(table)


def print_spent(spent: Mapping[str, Any], out: Console) -> None:
    out.print(f"Quota of {spent['pacific_day']} in Los Angeles, until {spent['resets_at']}:")
    for bucket, state in spent["buckets"].items():
        stopped = f"; stopped: {state['stop_reason']}" if state["stop_reason"] else ""
        out.print(f"  {bucket}: {state['units']:,} of {state['allowed']:,} units{stopped}")
    for method, calls in sorted(spent["calls"].items()):
        out.print(f"    {method}: {calls:,} calls")


def print_status(found: Mapping[str, Any], out: Console) -> None:
    out.print(f"Clock: {found['clock']['mode']}, {found['clock']['now']}\n")
    print_rows(found["tables"], out)
    print_checks(found["checks"], out)
    for alert in found["alerts"]:
        seen = f"seen {alert['occurrence_count']} times since {alert['first_seen_at']}"
        out.print(
            f"alert: {alert['severity']}, {alert['subject']}: {alert['message']} ({seen})", style="red", markup=False
        )
    # the others are among what is broken
    refused = [(item["method"], item["reason"]) for item in found["skipped"] if item["setback"] == "refused"]
    for (method, reason), count in Counter(refused).items():
        out.print(f"skipped, and asked for again later: {count:,} of {method}: {reason}", markup=False)
    if not found["broken"]:
        out.print("Nothing is broken.")
    for item in found["broken"]:
        out.print(f"broken: {item['what']}: {item['reason']}; remedy: {item['remedy']}", style="red")


def print_forgotten(forgotten: Forgotten, out: Console) -> None:
    """What was removed, what is left to a person, and what comes by itself. Without the ids: terminals keep logs."""

    def say(text: str) -> None:
        out.print(text, soft_wrap=True)

    if forgotten.nothing:
        say("Nothing of it was stored. What is collected or imported from now on leaves it out.")
    else:
        say(
            f"Removed {forgotten.raw_items:,} items or rows from {forgotten.raw_files:,} raw files (and "
            f"{forgotten.raw_mentions:,} mentions by others), {forgotten.videos:,} videos:"
        )
    for table, count in forgotten.rows.items():
        say(f"  {table}: {count:,} rows deleted")
    for table, count in forgotten.mentions.items():
        say(f"  {table}: mentions in {count:,} rows overwritten")
    for path in forgotten.files:
        say(f"  {path}: mentions overwritten")
    if forgotten.models:
        say(
            f"Trained on what was removed: {', '.join(forgotten.models)}. Models keep no rows, but what they learned; "
            "the next training, a week after the last or asked for in Dagster, replaces the champions"
        )
    if forgotten.rows:
        say("`yt-platform run` makes anew what follows from the rest; it needs no quota")
    for folder in forgotten.backups:
        say(f"A backup still holds it, which you must delete: {folder}")
