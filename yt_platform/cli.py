"""The command line: thin calls that say what went wrong in one line and exit with a code scripts can use.

Exit codes: 0 done; 1 something failed or is broken; 2 the call or a setting is wrong; 3 an import was made, but more
than 1 % of its rows were refused and nobody has accepted it, or files of it could not be read.
"""

import atexit
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from yt_platform.errors import FAILED, MISUSED, PlatformError
from yt_platform.printing import PlainConsole, PlainFormatter
from yt_platform.settings import Settings, SettingsError, load_settings
from yt_platform.storage.private import close_umask
from yt_platform.warehouse.databases import DatabaseError

if TYPE_CHECKING:
    from yt_platform.history import Options

P = ParamSpec("P")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="YouTube data platform on Dagster and PostgreSQL.")
channels = typer.Typer(no_args_is_help=True, help="The watch list: channels that are collected.")
quota = typer.Typer(no_args_is_help=True, help="Units of the YouTube Data API: what is spent, and what for.")
models = typer.Typer(no_args_is_help=True, help="Trained models: their versions, and which one forecasts.")
accounts = typer.Typer(no_args_is_help=True, help="Accounts of channel owners, and whether they may still be used.")
analytics = typer.Typer(no_args_is_help=True, help="What only a channel's owner sees, asked of YouTube Analytics.")
db = typer.Typer(no_args_is_help=True, help="The database server of this platform.")
readers = typer.Typer(no_args_is_help=True, help="People and tools that may read bi, each by a role of its own.")
app.add_typer(channels, name="channels")
app.add_typer(quota, name="quota")
app.add_typer(models, name="models")
app.add_typer(accounts, name="accounts")
app.add_typer(analytics, name="analytics")
app.add_typer(db, name="db")
app.add_typer(readers, name="readers")

out = PlainConsole()
err = PlainConsole(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print figures as JSON on standard output.")]
Named = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=NAME", help="What a file calls a column, e.g. view_count='Total plays'."),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When files without a time were made, in UTC."),
]
Dates = Annotated[
    str | None,
    typer.Option(metavar="ORDER", help="Order of day, month and year where files leave it open: ymd, ydm, dmy or mdy."),
]
NOTHING_LOST = "Nothing committed is lost; run the command again, it goes on where this one ended."


def _explained(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the errors a user can mend into one line and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except typer.Exit:
            raise
        except Exception as error:
            _explain(error)

    return run


def _explain(error: Exception) -> None:
    """Say what went wrong, and exit; what nobody can mend is raised again."""
    known = error if isinstance(error, PlatformError) else _mendable(error)
    if known is None:
        raise error
    room = _remedy_of_full_disk(error) if known.exit_code == FAILED else None
    for line in filter(None, (f"error: {known}", room)):
        err.print(line, style="red", soft_wrap=True)  # whole paths, to be copied
    raise typer.Exit(known.exit_code) from error


def _mendable(error: Exception) -> PlatformError | None:
    """A full disk, or a database that went away, of which others tell."""
    if isinstance(error, OSError) and _remedy_of_full_disk(error):
        return PlatformError(str(error))
    if _is_of_the_database(error):
        reason = str(error).strip().splitlines()[0]
        remedy = None if _remedy_of_full_disk(error) else NOTHING_LOST
        return PlatformError(f"the database stopped answering: {reason}", remedy)
    return None


def _remedy_of_full_disk(error: Exception) -> str | None:
    from yt_platform.resources import written_folders
    from yt_platform.storage.disk import room_wanted

    return room_wanted(str(error), written_folders(load_settings()))


GONE = (
    ("adbc_driver_manager", "OperationalError"),
    ("psycopg", "OperationalError"),
    ("sqlalchemy.exc", "OperationalError"),
    ("dagster_postgres.utils", "DagsterPostgresException"),
)
"""What drivers and Dagster's storage raise when the server goes away."""


def _is_of_the_database(error: BaseException) -> bool:
    if _is_a(error, "mlflow.exceptions", "MlflowException"):  # its one class for everything; the cause says more
        return _is_a(error.__cause__, "sqlalchemy.exc", "OperationalError")
    return any(_is_a(error, module, name) for module, name in GONE)


def _is_a(error: BaseException | None, module: str, name: str) -> bool:
    """Whether it is of a class in a module that may not be loaded: then nothing of that module was raised."""
    found = sys.modules.get(module)
    return found is not None and isinstance(error, getattr(found, name))


@app.callback()
def _before_any_command(context: typer.Context) -> None:
    close_umask()
    # In pg_stat_activity, and so in messages about who holds whom up.
    os.environ.setdefault("PGAPPNAME", f"yt-platform {context.invoked_subcommand}")
    # LightGBM's threads spin while they wait for each other. On a busy machine that made a fit of 2 s take 60 s; after
    # 1,000 turns they sleep, which took 8 s there and no longer on an idle one. A setting of the user's own wins.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if logging.lastResort:  # shows warnings where nobody set up a log
        logging.lastResort.setFormatter(PlainFormatter())


@app.command()
@_explained
def run(
    history: Annotated[
        Path | None, typer.Option(exists=True, help="Snapshot file or folder to import instead of the sample.")
    ] = None,
    columns: Named = None,
    as_of: AsOf = None,
    dates: Dates = None,
) -> None:
    """Take snapshots through the whole graph to forecasts: the built-in synthetic sample, or your own history.

    A warehouse that already holds data is brought up to date: only partitions whose input changed are made. Exits with
    3 when more than 1 % of the imported rows were refused, until that is accepted.
    """
    from yt_platform.commands import run_platform

    raise typer.Exit(run_platform(load_settings(), history, _options(columns, as_of, dates), out))


def _options(columns: list[str] | None, as_of: datetime | None, dates: str | None) -> "Options":
    from yt_platform.history import Options, mapped_columns
    from yt_platform.history.dates import ORDERS

    if dates not in (None, *ORDERS):
        raise SettingsError(f"--dates {dates} is no order of day, month and year; there are {', '.join(ORDERS)}")
    return Options(mapped_columns(columns or []), as_of.replace(tzinfo=UTC) if as_of else None, dates)


@app.command(name="import")
@_explained
def import_(
    path: Annotated[Path | None, typer.Argument(exists=True, help="Snapshot file or folder.")] = None,
    undo: Annotated[
        str | None, typer.Option(metavar="ID", help="Take this import back with all that was made from it.")
    ] = None,
    columns: Named = None,
    as_of: AsOf = None,
    dates: Dates = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be read and refused; write nothing.")
    ] = False,
) -> None:
    """Import snapshot files as immutable raw batches, by runs of raw.history, and say what was taken and refused.

    Exits with 3 when more than 1 % of the rows were refused, until that is accepted, or when a file of a folder could
    not be read.
    """
    from yt_platform.commands import import_only, preview_import, take_import_back

    if (path is None) == (undo is None):
        raise SettingsError("name a file or folder to import, or an import to take back: --undo ID")
    if path is not None:
        do = preview_import if dry_run else import_only
        raise typer.Exit(do(load_settings(), path, _options(columns, as_of, dates), out))
    take_import_back(load_settings(), str(undo), out)


@app.command()
@_explained
def imports(
    accept: Annotated[
        str | None, typer.Option(metavar="ID", help="Accept what this import refused: it is broken no more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The imports that were made: rows taken and refused, and the main reasons."""
    from yt_platform.commands import accept_import, imports_made
    from yt_platform.report import print_imports

    if accept is not None:
        accept_import(load_settings(), accept, out)
        return
    found = imports_made(load_settings())
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2, default=str))
    else:
        print_imports(found, out)


@app.command()
@_explained
def collect() -> None:
    """Pull from YouTube what is due for the watched channels, and load it; exits with 1 when quota kept something."""
    from yt_platform.commands import collect_now

    raise typer.Exit(collect_now(load_settings(), out))


@app.command()
@_explained
def up() -> None:
    """Open Dagster (webserver and daemon) and MLflow's UI; Ctrl-C stops what this started and nothing else."""
    from yt_platform.commands import bring_up

    raise typer.Exit(bring_up(load_settings(), out))


@app.command()
@_explained
def token(
    new: Annotated[
        bool, typer.Option("--new", help="Make a new one: whoever is logged in has to log in again.")
    ] = False,
) -> None:
    """Print the token that opens the pages of `up`, and the link that logs a browser in with it."""
    from yt_platform.report import print_login
    from yt_platform.web.login import renew_token, ui_token

    settings = load_settings()
    print_login(settings, renew_token(settings) if new else ui_token(settings), out)


@app.command()
@_explained
def migrate() -> None:
    """Create the databases and bring their structure up to date."""
    from yt_platform.local import open_platform
    from yt_platform.reader_commands import print_shortfalls

    settings = load_settings()
    with open_platform(settings) as platform:
        out.print("the databases are up to date")
        print_shortfalls(settings, platform.urls, out)


@app.command()
@_explained
def status(as_json: AsJson = False) -> None:
    """Rows, partitions, checks and what is broken; exits with 1 when something is.

    Where the database should answer and does not, it says so within seconds.
    """
    from yt_platform.outage import outage

    settings = load_settings()
    if down := outage(settings):
        _print_outage(down, as_json)
        raise typer.Exit(FAILED)
    from yt_platform.local import Runs, open_platform
    from yt_platform.progress import silent
    from yt_platform.report import print_status
    from yt_platform.status import platform_status

    with open_platform(settings) as platform:
        runs = Runs(platform, silent)
        found = platform_status(platform, runs.instance, runs.definitions)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print_status(found, out)
    if found["broken"]:
        raise typer.Exit(FAILED)


def _print_outage(down: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(down, indent=2))
        return
    for broken in down["broken"]:
        out.print(f"broken: {broken['what']}: {broken['reason']}; {broken['remedy']}", style="red", soft_wrap=True)
    out.print(f"`yt-platform up` {'runs' if down['database']['up'] else 'does not run'} on this YT_HOME")
    for line in down["database"]["log"]:
        out.print(f"its log: {line}", soft_wrap=True)
    out.print("Nothing else is known until the database answers; nothing that was committed is lost.")


@app.command()
@_explained
def accept(
    table: Annotated[str, typer.Argument(help="Table that refused rows, e.g. metrics.video_snapshots.")],
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="UTC day of the rows.")],
    last: Annotated[
        datetime | None, typer.Argument(formats=["%Y-%m-%d"], help="The last of several days; that day alone if none.")
    ] = None,
) -> None:
    """Let the rows refused on these days block nothing any more, once you have looked at them in ops.quarantine."""
    from yt_platform.commands import accept_days

    accept_days(load_settings(), table, day.date(), (last or day).date(), out)


@app.command()
@_explained
def report(
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="UTC day; the platform's by default.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Folder to write the page and its plots to.")] = None,
) -> None:
    """What was collected, failed and forecast on a day, and how earlier forecasts did."""
    from yt_platform.commands import report_day

    report_day(load_settings(), day.date() if day else None, html, out)


@app.command()
@_explained
def backup(folder: Annotated[Path, typer.Argument(help="New folder to write the backup to.")]) -> None:
    """Save the databases, the raw batches and the models to a folder, verified as it is written."""
    from yt_platform.commands import back_up_to

    back_up_to(load_settings(), folder, out)


@app.command()
@_explained
def restore(
    folder: Annotated[Path, typer.Argument(exists=True, help="Folder of a backup.")],
    list_is_lost: Annotated[
        bool, typer.Option("--list-is-lost", help="forgotten.json, the list of what was forgotten, is lost.")
    ] = False,
    trust: Annotated[
        str | None, typer.Option(help="Key that signed the backup, as `backup` printed it; YT_HOME's by default.")
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="The backup is of before they were signed; nobody else wrote to it.")
    ] = False,
) -> None:
    """Bring a backup back into a new YT_HOME, or into databases that hold nothing.

    The YT_HOME must have forgotten.json of the platform: what was forgotten since is deleted again. A backup that is
    not signed by the trusted key is refused.
    """
    from yt_platform.commands import restore_from, trusted_key

    settings = load_settings()
    restore_from(settings, folder, list_is_lost, trusted_key(settings, trust, unsigned=unsigned), out)


@app.command()
@_explained
def forget(
    channel: Annotated[str | None, typer.Option(help="Id of a channel: it goes with its videos and comments.")] = None,
    author: Annotated[str | None, typer.Option(help="Id of a commenting author: the comments go.")] = None,
    verify: Annotated[bool, typer.Option(help="Search everything for the ids afterwards.")] = True,
) -> None:
    """Delete a channel or an author everywhere, for good, and leave them out of what comes later."""
    from yt_platform.commands import forget_id

    if (channel is None) == (author is None):
        raise SettingsError("name what to forget: --channel ID or --author ID")
    kind, name = ("channel", channel) if channel is not None else ("author", author)
    raise typer.Exit(forget_id(load_settings(), kind, str(name), verify, out))


@app.command()
@_explained
def backtest(
    history: Annotated[Path, typer.Option(exists=True, help="Snapshot file or folder.")],
    train_until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last target day trained on.")],
    test_until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last target day scored.")],
    as_json: AsJson = False,
) -> None:
    """Train up to one day, forecast every origin after it, and score against what happened, beside naive."""
    from yt_platform.commands import backtest_history
    from yt_platform.report import by_target, print_scores

    scores = backtest_history(load_settings(), history, train_until.date(), test_until.date(), err)
    if as_json:
        print(json.dumps(by_target(scores), indent=2))
    else:
        print_scores(scores, out)


@channels.command()
@_explained
def add(
    names: Annotated[list[str], typer.Argument(help="Channel ids, @handles, URLs, or CSV files of them.")],
    full: Annotated[bool, typer.Option("--full", help="List every upload once, not the newest 50 only.")] = False,
) -> None:
    """Watch channels."""
    from yt_platform.youtube.watchlist import add_channels, read_channels, reference

    found = [
        channel
        for name in names
        for channel in (read_channels(Path(name)) if name.lower().endswith(".csv") else [reference(name)])
    ]
    added = add_channels(_warehouse_url(), found, full)
    out.print(f"{added:,} channels added, {len(set(found)) - added:,} were watched already")


@channels.command()
@_explained
def pause(name: Annotated[str, typer.Argument(help="Channel id or @handle.")]) -> None:
    """Stop polling a channel; what was collected stays."""
    from yt_platform.youtube.watchlist import pause_channel

    pause_channel(_warehouse_url(), name, paused=True)


@channels.command()
@_explained
def resume(name: Annotated[str, typer.Argument(help="Channel id or @handle.")]) -> None:
    """Poll a paused channel again."""
    from yt_platform.youtube.watchlist import pause_channel

    pause_channel(_warehouse_url(), name, paused=False)


@channels.command()
@_explained
def remove(name: Annotated[str, typer.Argument(help="Channel id or @handle.")]) -> None:
    """Take a channel off the list; what was collected stays."""
    from yt_platform.youtube.watchlist import remove_channel

    remove_channel(_warehouse_url(), name)


@channels.command(name="list")
@_explained
def list_channels(as_json: AsJson = False) -> None:
    """The watched channels, and why one cannot be collected."""
    from yt_platform.report import print_channels
    from yt_platform.youtube.watchlist import listed

    found = listed(_warehouse_url())
    if as_json:
        print(json.dumps([asdict(channel) for channel in found], indent=2, default=str))
    else:
        print_channels(found, out)


@quota.command(name="plan")
@_explained
def quota_plan(as_json: AsJson = False) -> None:
    """What a day's units go to, for the channels and videos that are watched now, and why."""
    from yt_platform.commands import quota_figures
    from yt_platform.report import print_plan

    plan, _ = quota_figures(load_settings())
    if as_json:
        print(json.dumps(asdict(plan), indent=2, default=str))
    else:
        print_plan(plan, out)


@quota.command(name="status")
@_explained
def quota_status(as_json: AsJson = False) -> None:
    """What is spent since midnight in Los Angeles, and on what."""
    from yt_platform.commands import quota_figures
    from yt_platform.report import print_spent

    _, spent = quota_figures(load_settings())
    if as_json:
        print(json.dumps(spent, indent=2, default=str))
    else:
        print_spent(spent, out)


ModelName = Annotated[str, typer.Option("--model", help="Name of the model in the registry.")]


@models.command(name="list")
@_explained
def list_models(model: ModelName = "video_forecaster", as_json: AsJson = False) -> None:
    """Every version with its error on held-out days, the champion marked, and what the gate said of it."""
    from yt_platform.commands import model_versions
    from yt_platform.report import print_versions

    found = model_versions(load_settings(), model)
    if as_json:
        print(json.dumps(found, indent=2, default=str))
    else:
        print_versions(found, out)


@models.command()
@_explained
def rollback(
    version: Annotated[
        str | None, typer.Argument(help="Version to make champion; the previous champion if none.")
    ] = None,
    model: ModelName = "video_forecaster",
) -> None:
    """Make the previous champion, or any version, the champion; the next run makes its forecasts."""
    from yt_platform.commands import roll_back_model

    roll_back_model(load_settings(), model, version, out)


AccountName = Annotated[str, typer.Argument(help="Small letters, digits, - and _; chosen by you.")]


@accounts.command(name="add")
@_explained
def add_account(
    name: AccountName,
    client_secrets: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON of a desktop client from Google's console.")
    ] = None,
    service_account: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON key of a content partner's service account.")
    ] = None,
    content_owner: Annotated[str | None, typer.Option(help="Content owner the service account acts for.")] = None,
    monetary: Annotated[bool, typer.Option("--monetary", help="Ask to see revenue too.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address to open instead.")] = False,
    port: Annotated[int, typer.Option(help="Port the browser comes back to, to be forwarded; 0: a free one.")] = 0,
) -> None:
    """Let the platform see a channel: by its owner's consent in the browser, or a content partner's service account."""
    from yt_platform.account_commands import add_owner, add_partner

    if client_secrets and not (service_account or content_owner):
        add_owner(load_settings(), name, client_secrets, monetary, not no_browser, port, out)
    elif service_account and content_owner and not client_secrets:
        add_partner(load_settings(), name, service_account, content_owner, monetary, out)
    else:
        err.print("error: give --client-secrets, or --service-account with --content-owner", style="red")
        raise typer.Exit(MISUSED)


@accounts.command(name="list")
@_explained
def list_accounts(as_json: AsJson = False) -> None:
    """The accounts, what they may see, and why one may no longer."""
    from yt_platform.account_commands import listed_accounts
    from yt_platform.report import print_accounts

    found = listed_accounts(load_settings())
    if as_json:
        print(json.dumps([asdict(account) for account in found], indent=2, default=str))
    else:
        print_accounts(found, out)


@accounts.command(name="check")
@_explained
def check_accounts(name: Annotated[str | None, typer.Argument(help="One account; all if none.")] = None) -> None:
    """Ask YouTube whether accounts may still be used; exits with 1 when one may not."""
    from yt_platform.account_commands import check_named

    raise typer.Exit(FAILED if check_named(load_settings(), name, out) else 0)


@accounts.command(name="remove")
@_explained
def remove_account(name: AccountName) -> None:
    """Forget an account's token, and revoke it at Google where that can be done; what was collected stays."""
    from yt_platform.account_commands import remove_named

    remove_named(load_settings(), name, out)


@analytics.command()
@_explained
def retention(
    video: Annotated[str, typer.Argument(help="Id of a video of the account's channel.")],
    account: Annotated[str, typer.Option("--account", help="Account that sees the channel: `accounts list`.")],
    days: Annotated[int, typer.Option(min=1, help="Days up to the platform's day that viewers are counted of.")] = 365,
    as_json: AsJson = False,
) -> None:
    """How a video holds its viewers, hundredth by hundredth of its length."""
    from yt_platform.account_commands import video_retention
    from yt_platform.report import print_retention

    curve = video_retention(load_settings(), account, video, days)
    if as_json:
        print(json.dumps([asdict(point) for point in curve], indent=2))
    else:
        print_retention(curve, out)


ReaderName = Annotated[str, typer.Argument(help="Small letters, digits and _; of a person or a tool.")]


@readers.command(name="add")
@_explained
def add_reader(name: ReaderName) -> None:
    """Let a person or a tool read bi: makes a role, and writes its password to a file of mode 0600."""
    from yt_platform.reader_commands import add_reader

    add_reader(load_settings(), name, out)


@readers.command(name="list")
@_explained
def list_readers(as_json: AsJson = False) -> None:
    """The readers that were added, and how many sessions each has."""
    from yt_platform.reader_commands import listed_readers
    from yt_platform.report import print_readers

    found = listed_readers(load_settings())
    if as_json:
        print(json.dumps([asdict(reader) for reader in found], indent=2, default=str))
    else:
        print_readers(found, out)


@readers.command(name="remove")
@_explained
def remove_reader(name: ReaderName) -> None:
    """Remove a reader: its role, its password and its sessions."""
    from yt_platform.reader_commands import remove_reader

    remove_reader(load_settings(), name, out)


AsReader = Annotated[bool, typer.Option("--reader", help="The role that may read bi and nothing else.")]


@db.command()
@_explained
def start() -> None:
    """Start the embedded server and keep it running until `db stop`."""
    server = _embedded(load_settings())
    server.keep()
    out.print("the embedded PostgreSQL runs until `yt-platform db stop`")


@db.command()
@_explained
def stop() -> None:
    """Stop the embedded server."""
    _embedded(load_settings()).stop()
    out.print("the embedded PostgreSQL is stopped")


@db.command()
@_explained
def url(
    reader: AsReader = False,
    old_client: Annotated[
        bool, typer.Option("--old-client", help="For libpq 15 and older, which cannot be told to require SCRAM.")
    ] = False,
) -> None:
    """Print a libpq URL of the warehouse, for psql and BI tools; it works while the server runs."""
    from yt_platform.resources import databases
    from yt_platform.warehouse.databases import for_old_client

    urls = databases(load_settings()).urls()
    found = urls.reader if reader else urls.warehouse
    print(for_old_client(found) if old_client else found)


@db.command()
@_explained
def shell(reader: AsReader = False) -> None:
    """Open psql on the warehouse."""
    from yt_platform.resources import databases

    found = databases(load_settings())
    psql = str(found.server.bin_dir / "psql") if found.server else "psql"
    with found.open() as urls:
        raise typer.Exit(subprocess.call([psql, urls.reader if reader else urls.warehouse]))


def _warehouse_url() -> str:
    """The warehouse, migrated; an embedded server is held until the process ends."""
    from yt_platform.local import open_platform

    return _held.enter_context(open_platform(load_settings())).urls.warehouse


_held = contextlib.ExitStack()
atexit.register(_held.close)


def _embedded(settings: Settings) -> Any:
    from yt_platform.resources import databases

    server = databases(settings).server
    if server is None:
        raise DatabaseError("YT_DATABASE_URL names a server of your own; start and stop it there")
    return server


if __name__ == "__main__":
    app()
