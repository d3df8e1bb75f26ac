"""What the commands do, step by step; how it is printed is `report.py`."""

import shutil
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pyarrow as pa
from pydantic import SecretStr
from rich.console import Console

from yt_platform.catalog import TABLES
from yt_platform.clock import END_OF_DAY
from yt_platform.errors import ROWS_REFUSED
from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import backtest, score
from yt_platform.forecasting.forecasters.catalog import make_forecaster
from yt_platform.forecasting.registered import MODELS
from yt_platform.forecasting.tasks import VIDEO_DAY
from yt_platform.forecasting.training import RECIPE
from yt_platform.history import ImportedBatch, Options, open_history
from yt_platform.history.import_log import Import, accept
from yt_platform.history.import_log import found as find_import
from yt_platform.history.import_log import listed as list_imports
from yt_platform.history.importing import holds_synthetic
from yt_platform.history.preview import preview
from yt_platform.local import (
    Imported,
    Platform,
    Runs,
    bring_up_to_date,
    collect,
    import_path,
    one_at_a_time,
    open_platform,
    table_makers,
    undo_import,
)
from yt_platform.metrics import parse
from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import VIDEO_SNAPSHOTS, VIDEO_VERSIONS
from yt_platform.models.champions import roll_back
from yt_platform.monitoring.daily_report import as_message, daily_report
from yt_platform.monitoring.notify import Message
from yt_platform.privacy.backup import UNSIGNED, Place, back_up, unbook_incomplete
from yt_platform.privacy.forgetting import CHANNEL, forget, forget_again, search
from yt_platform.privacy.restoring import restored
from yt_platform.privacy.signing import KEY_FILE, KeyFileError, check_key, known_key, own_key
from yt_platform.progress import Progress, silent
from yt_platform.report import (
    ProgressDisplay,
    print_connections,
    print_forgotten,
    print_import,
    print_left_out,
    print_opened,
    print_preview,
    print_spent,
    print_summary,
)
from yt_platform.resources import artifact_folder, databases, required_key
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import LAST_DAY, SYNTHETIC_CHANNEL, Sample, generate
from yt_platform.settings import Settings, SettingsError
from yt_platform.storage.private import files_for_others
from yt_platform.storage.raw import RawStore
from yt_platform.storage.scratch import scratch, spool
from yt_platform.tables.declaration import REJECT_LIMIT, Table
from yt_platform.tables.validation import judge, latest_by_key
from yt_platform.tombstones.ids import malformed
from yt_platform.tombstones.store import bring_back, check_list, save_copies
from yt_platform.warehouse.databases import DatabaseUrls
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.loading import accept_rejects, concat
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.staleness import collected_days
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.web.login import ui_token
from yt_platform.youtube.accounts.authorization import remove_of_channel
from yt_platform.youtube.accounts.credentials import Accounts
from yt_platform.youtube.data_api.ledger import QuotaLedger
from yt_platform.youtube.data_api.planning import quota_plan
from yt_platform.youtube.data_api.polling import Plan
from yt_platform.youtube.data_api.quota import pacific_day, resets_at
from yt_platform.youtube.watchlist import WatchListError, add_channels, listed
from yt_platform.youtube.websub.store import Hub, push_secret

SAMPLE_DAYS = 60
"""Days of the built-in sample that are imported; the one after them is collected."""


def run_platform(settings: Settings, history: Path | None, options: Options, out: Console) -> int:
    """Import what is asked for, make everything that follows from it, and print what came out; returns the exit
    code."""
    from yt_platform.up import fail_orphaned_runs

    with open_platform(settings) as platform, _turn(platform, out), ProgressDisplay(out) as progress:
        runs = Runs(platform, progress)
        fail_orphaned_runs(runs.instance)  # a training that was killed would hold its place in the pool for ever
        code = 0
        if history:
            make_room_for_real_data(platform, runs, out)
            code = told(platform, import_path(platform, runs, history, progress, options), out)
        elif holds_synthetic(platform.warehouse) is None and settings.policy_mode != "strict":
            import_sample(platform, runs, progress)
        if holds_synthetic(platform.warehouse) and not collected_days(platform.warehouse):
            collect_sample_day(platform, runs, progress)
        untrained = bring_up_to_date(platform, runs)
        progress.stop()
        print_summary(platform, runs, out)
        for model, reason in untrained.items():
            out.print(f"\n{model} was not trained: {reason}.", style="yellow")
        print_connections(settings, out)
    return code


def import_only(settings: Settings, path: Path, options: Options, out: Console) -> int:
    """Import, say what was taken and refused, and return the exit code."""
    with open_platform(settings) as platform, _turn(platform, out), ProgressDisplay(out) as progress:
        runs = Runs(platform, progress)
        make_room_for_real_data(platform, runs, out)
        imported = import_path(platform, runs, path, progress, options)
        progress.stop()
        code = told(platform, imported, out)
        out.print("`yt-platform run` or the schedule makes what follows from it")
    return code


def preview_import(settings: Settings, path: Path, options: Options, out: Console) -> int:
    """Show how each file would be read; no database is started and nothing is written. Returns the exit code of the
    import."""
    history = open_history(path, options)
    tonight = datetime.combine(datetime.now(UTC).date(), END_OF_DAY, UTC)
    previews = [preview(file, tonight) for file in history.files]
    for one in previews:
        print_preview(one, settings.partitions_start, out)
    print_left_out(history, out)
    refused, rows = sum(one.refused for one in previews), sum(one.rows for one in previews)
    out.print(f"{rows:,} rows would be imported, {refused:,} refused; nothing was written")
    return ROWS_REFUSED if history.unreadable or refused > REJECT_LIMIT * (rows + refused) else 0


def told(platform: Platform, imported: Imported, out: Console) -> int:
    """Say what an import brought, refused, replaced and left out; returns the exit code."""
    made = find_import(platform.warehouse, imported.history.import_id)
    print_import(made, imported, out)
    return ROWS_REFUSED if made.is_broken or imported.history.unreadable else 0


def imports_made(settings: Settings) -> list[Import]:
    """All imports, the newest first."""
    with open_platform(settings) as platform:
        return list_imports(platform.warehouse)


def accept_import(settings: Settings, name: str, out: Console) -> None:
    with open_platform(settings) as platform:
        chosen = find_import(platform.warehouse, name)
        accept(platform.warehouse, chosen.import_id)
    out.print(f"the {chosen.refused:,} rows that the import of {chosen.name} refused are accepted")


def take_import_back(settings: Settings, name: str, out: Console) -> None:
    """Remove an import and everything that was made from it."""
    with open_platform(settings) as platform, _turn(platform, out), ProgressDisplay(out) as progress:
        chosen = find_import(platform.warehouse, name)
        undo_import(platform, Runs(platform, progress), chosen.import_id)
        progress.stop()
    out.print(f"the import of {chosen.name} is taken back: {chosen.rows:,} rows, and what was made from them")
    out.print("A model that was trained on them keeps what it learned until the next training")


def accept_days(settings: Settings, table: str, first: date, last: date, out: Console) -> None:
    if table not in TABLES:
        raise SettingsError(f"{table} is no table; there are {', '.join(TABLES)}")
    if last < first:
        raise SettingsError(f"{first} to {last} are no days: the last comes before the first")
    with open_platform(settings) as platform:
        count = accept_rejects(platform.warehouse, TABLES[table], Window(first, last))
    days = f"on {first}" if first == last else f"from {first} to {last}"
    out.print(f"{count:,} refused rows of {table} {days} block nothing any more; `yt-platform run` goes on from there")


def model_versions(settings: Settings, model: str) -> list[dict[str, Any]]:
    """Every version of a model, newest first: what it is, whether it is champion, and its figures in the gate."""
    _require_model(model)
    with open_platform(settings) as platform:
        champion = platform.registry.champion(model)
        told = platform.warehouse.records(
            "SELECT model_version, avg(wape) AS wape, avg(naive_wape) AS naive_wape, min(decision) AS decision "
            "FROM models.scorecards GROUP BY model_version"
        )
        judged = {row["model_version"]: row for row in told}
        return [
            {
                "version": found.version,
                "champion": found == champion,
                "kind": found.kind,
                "trained_until": found.trained_until,
                "recipe_digest": found.recipe_digest,
                **{name: judged.get(found.name, {}).get(name) for name in ("wape", "naive_wape", "decision")},
            }
            for found in platform.registry.versions(model)
        ]


def roll_back_model(settings: Settings, model: str, version: str | None, out: Console) -> None:
    _require_model(model)
    with open_platform(settings) as platform, _turn(platform, out):
        now, run_id = pd.Timestamp(platform.clock.now()), str(uuid4())
        chosen = roll_back(platform.warehouse, platform.registry, model, version, now, run_id)
    out.print(f"{chosen.name} ({chosen.kind}, trained until {chosen.trained_until}) is champion")
    out.print("`yt-platform run` makes its forecasts; the next training, a week after the last, may replace it")


def _require_model(model: str) -> None:
    if model not in MODELS:
        raise SettingsError(f"{model} is no model; there are {', '.join(MODELS)}")


def _turn(platform: Platform, out: Console) -> AbstractContextManager[None]:
    return one_at_a_time(platform, lambda: out.print("Another run is under way on this database; waiting for its end."))


def collect_now(settings: Settings, out: Console) -> int:
    """One collection by the real clock, or by a sandbox's; returns the exit code."""
    from yt_platform.up import fail_orphaned_runs

    required_key(settings)  # before anything makes room for what cannot be collected
    with open_platform(settings) as platform, _turn(platform, out), ProgressDisplay(out) as progress:
        runs = Runs(platform, progress)
        fail_orphaned_runs(runs.instance)  # a collection that was killed would hold its place in the pool for ever
        if not listed(platform.urls.warehouse):
            raise WatchListError("no channel is watched: yt-platform channels add @handle")
        if settings.policy_mode != "synthetic":
            make_room_for_real_data(platform, runs, out)
            platform.clock.run()
        missing = collect(platform, runs)
        progress.stop()
        print_spent(_spent(platform), out)
    for asset, what in missing.items():
        out.print(f"missing from {asset}: {what}", style="yellow")
    return 1 if missing else 0


def quota_figures(settings: Settings) -> tuple[Plan, dict[str, Any]]:
    """The day's plan, and what is spent of it."""
    with open_platform(settings) as platform:
        now = platform.clock.now()
        return quota_plan(platform.warehouse, now, settings.allowed_units), _spent(platform)


def _spent(platform: Platform) -> dict[str, Any]:
    now, settings = platform.clock.now(), platform.settings
    key = settings.api_key.get_secret_value() if settings.api_key else None
    with QuotaLedger(platform.urls.warehouse, settings.allowed_units, lambda: now, key) as ledger:
        return {
            "pacific_day": pacific_day(now).isoformat(),
            "resets_at": resets_at(now).isoformat(),
            "buckets": {bucket.value: asdict(spent) for bucket, spent in ledger.spent().items()},
            "calls": ledger.calls(),
        }


def import_sample(platform: Platform, runs: Runs, progress: ProgressDisplay) -> None:
    """Generate the synthetic sample and import it like any history, but for its last day, which is left to collect."""
    folder = platform.settings.home / "sample"
    shutil.rmtree(folder, ignore_errors=True)
    write_sample(folder, sample_with_a_day_to_collect().until(LAST_DAY))
    import_path(platform, runs, folder, progress)


def sample_with_a_day_to_collect() -> Sample:
    return generate(days=SAMPLE_DAYS + 1, last_day=LAST_DAY + timedelta(days=1))


def collect_sample_day(platform: Platform, runs: Runs, progress: ProgressDisplay) -> None:
    """The sample's last day, collected by the real client over HTTP from a sandbox that replays the sample."""
    from yt_platform.sandbox import KEY, ReplayedWorld, Sandbox, serve

    sample = sample_with_a_day_to_collect()
    at = sample.ended_at.to_pydatetime()
    platform.clock.simulate(at)
    add_channels(platform.urls.warehouse, sample.channels["channel_id"], list_fully=True)
    with serve(Sandbox(ReplayedWorld.from_sample(sample), at)) as url:
        settings = platform.settings.model_copy(
            update={"api_key": SecretStr(KEY), "api_endpoint": url, "policy_mode": "synthetic"}
        )
        collect(platform, Runs(replace(platform, settings=settings), progress))


def make_room_for_real_data(platform: Platform, runs: Runs, out: Console) -> None:
    """Remove the synthetic sample, which can be generated again, so that it never mixes with real data."""
    if not holds_synthetic(platform.warehouse):
        return
    out.print("The synthetic sample makes room for real data; a new YT_HOME would keep both apart.")
    tables = ", ".join(["raw.batches", "raw.imports", "raw.import_batches", "ops.quarantine", "ops.loads", *TABLES])
    platform.registry.dethrone()
    paths = [row["path"] for row in platform.warehouse.records("SELECT path FROM raw.batches")]
    with platform.warehouse.transaction() as transaction:
        transaction.execute(f"TRUNCATE {tables}")
        transaction.execute("UPDATE ops.clock SET simulated_at = NULL")
        for table, column in (("ops.tracked_videos", "channel_id"), ("ops.watched_channels", "reference")):
            transaction.execute(f"DELETE FROM {table} WHERE {column} LIKE $1", (f"{SYNTHETIC_CHANNEL}%",))
    for path in paths:
        platform.raw_store.delete(path)
    runs.instance.wipe_assets(runs.asset_keys)


def bring_up(settings: Settings, out: Console) -> int:
    """Serve Dagster and MLflow until Ctrl-C; returns the exit code."""
    from yt_platform.up import check_ports, only_one

    with only_one(settings.home):
        check_ports(settings)
        code = _serve(settings, out)
        while code is None:
            out.print("The database was started again at another port; the pages and the daemon follow.")
            code = _serve(settings, out)
        return code


def _serve(settings: Settings, out: Console) -> int | None:
    """Serve as long as the databases are where they were at the start. None where they have moved."""
    from yt_platform.up import fail_orphaned_runs, serve, services

    token = ui_token(settings)
    with open_platform(settings) as platform:
        failed = fail_orphaned_runs(Runs(platform, silent).instance)
        if failed:
            out.print(f"{len(failed)} runs were under way when their process ended; they are marked as failed")
        return serve(
            services(settings, platform.urls),
            settings.home / "logs",
            lambda: print_opened(settings, token, out),
            lambda: databases(settings).revived() == platform.urls,
        )


def report_day(settings: Settings, day: date | None, folder: Path | None, out: Console) -> None:
    """Print the report of a day, and write it as a page with plots where a folder is named."""
    with open_platform(settings) as platform:
        message = as_message(daily_report(platform.warehouse, day or platform.clock.now().date()))
    out.print(f"{message.subject}\n\n{message.text}", soft_wrap=True)
    if folder:
        with files_for_others():
            _write_page(folder, message)


def _write_page(folder: Path, message: Message) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    page = message.html or ""
    for picture in message.pictures:
        (folder / f"{picture.name}.png").write_bytes(picture.png)
        page = page.replace(f"cid:{picture.name}", f"{picture.name}.png")
    (folder / "index.html").write_text(page)


def back_up_to(settings: Settings, folder: Path, out: Console) -> None:
    """Save everything that can't be made again, while no command writes."""
    with open_platform(settings) as platform, _turn(platform, out), ProgressDisplay(out) as progress:
        place = _place(settings, platform.urls)
        manifest = back_up(place, folder.absolute(), settings.keep_backups_days, progress)
    out.print(f"{len(manifest.batches):,} raw batches, the databases and the models are saved in {folder}")
    out.print(f"It may be kept until {manifest.keep_until}; delete it then")
    out.print(f"It is signed by the key in {settings.home / KEY_FILE}. Elsewhere, `yt-platform restore` asks for it:")
    out.print(f"    --trust {own_key(settings.home).public}", soft_wrap=True)


def trusted_key(settings: Settings, trust: str | None, *, unsigned: bool) -> str:
    """The key that must have signed a backup: the one that was named, or that of YT_HOME. Raises KeyFileError."""
    if unsigned and trust:
        raise SettingsError("--unsigned and --trust exclude each other: a backup is signed or it is not")
    if unsigned:
        return UNSIGNED
    found = check_key(trust) if trust else known_key(settings.home)
    if found is None:
        raise KeyFileError(
            f"nothing says whose backup this is: {settings.home} has no {KEY_FILE}. Name the key that `yt-platform "
            f"backup` printed when it wrote the backup, by --trust KEY, or copy {KEY_FILE} of the platform's YT_HOME "
            "there first. A backup of before they were signed needs --unsigned"
        )
    return found


def restore_from(settings: Settings, folder: Path, list_is_lost: bool, trusted: str, out: Console) -> None:
    """Bring a backup back without what was forgotten since, and the structure of its databases up to date with this
    version."""
    if trusted == UNSIGNED:
        out.print("This backup is not signed: whoever could write to it may have changed its rows", style="yellow")
    check_list(settings.home, folder, lost=list_is_lost)
    found = databases(settings)
    with found.open_to_restore() as urls, ProgressDisplay(out) as progress:
        found.create()
        place = _place(settings, urls)
        with restored(place, folder, trusted, table_makers(settings, urls), progress) as manifest:
            migrate(urls.warehouse)
            unbook_incomplete(urls.warehouse)
            warehouse = Warehouse(urls.warehouse)
            for carried in (folder, settings.home):
                bring_back(warehouse, carried)
            again = forget_again(place, _log_folders(settings), progress)
            save_copies(warehouse, settings.home)
    out.print(f"The backup of {manifest.created_at} is restored: {len(manifest.batches):,} raw batches")
    if again:
        out.print("It held what has been forgotten since, which is deleted again:")
        print_forgotten(again, out)


def forget_id(settings: Settings, kind: str, name: str, verify: bool, out: Console) -> int:
    """Delete a channel or an author everywhere, say what was removed, and search for what may be left; returns the
    exit code."""
    if malformed(name):
        raise SettingsError(f"{name!r} is no id of a channel or author: those are UC and 22 letters, digits, _ or -")
    with open_platform(settings) as platform, _turn(platform, out), ProgressDisplay(out) as progress:
        if kind == CHANNEL:  # first, as it would be entered again from its file
            ended, faults = remove_of_channel(platform.warehouse, Accounts(settings.home), name)
            for account in ended:
                out.print(f"the account {account} of the channel's owner is removed")
            for fault in faults:
                out.print(f"whose account it is, its file does not say: {fault}", style="yellow")
        place, folders = _place(settings, platform.urls), _log_folders(settings)
        forgotten = forget(place, folders, kind, name, progress)
        unheard = _end_push(settings, name) if kind == CHANNEL else None
        searched = [*folders, spool(settings.home), *_server_files(settings)]
        left = search(place, searched, forgotten.ids, progress) if verify else []
        progress.stop()
        print_forgotten(forgotten, out)
        if unheard:
            out.print(f"the hub still tells of its uploads, for 10 days at most, unheard: {unheard}", markup=False)
        for found in left:
            out.print(f"still found in {found}", style="red")
        if verify and not left:
            out.print("searched: the ids are in no raw file, database, bundle of a model or log, nor in deleted rows")
        return 1 if left else 0


def _end_push(settings: Settings, channel: str) -> str | None:
    """Ask the hub to tell of a channel no more, which is not watched now; why it took no request."""
    if not settings.push_url:
        return None
    return Hub(settings.push_hub, settings.push_url, push_secret(settings.home)).ask("unsubscribe", channel)


def _log_folders(settings: Settings) -> list[Path]:
    """Where logs of runs and servers lie."""
    embedded = databases(settings).server
    return [settings.home / "logs", settings.home / "dagster", *([embedded.log_folder] if embedded else [])]


def _server_files(settings: Settings) -> list[Path]:
    """Where the embedded server keeps tables and its log of changes, deleted rows included."""
    embedded = databases(settings).server
    return [embedded.data / "base", embedded.data / "pg_wal"] if embedded and embedded.data else []


def _place(settings: Settings, urls: DatabaseUrls) -> Place:
    programs = EmbeddedPostgres(settings.home).bin_dir
    return Place(urls, RawStore(settings.raw_location), Path(artifact_folder(settings)), programs, settings.home)


def backtest_history(
    settings: Settings, history: Path, train_until: date, test_until: date, out: Console
) -> pd.DataFrame:
    """Scores by target and horizon of a forecaster trained on `history` up to one day and tested up to another.

    Works on files alone: no database is started and nothing is kept.
    """
    with scratch(settings.home) as aside, ProgressDisplay(out) as progress:
        daily, versions = read_history(history, aside, progress)
        first, last = daily["day"].min(), daily["day"].max()
        progress(0, 1, "features.video_day")
        features = build_video_day(daily, versions, first, last)
        progress(1, 1, "features.video_day")
        progress(0, None, "backtest")
        rows = backtest(
            VIDEO_DAY,
            features,
            daily,
            pd.Timestamp(train_until),
            pd.Timestamp(test_until),
            partial(make_forecaster, RECIPE, VIDEO_DAY, settings.threads),
        )
        return score(VIDEO_DAY, rows)


def read_history(path: Path, aside: Path, progress: Progress) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`metrics.video_daily` and `metrics.video_versions` of a history, made by the same code as the warehouse's."""
    store = RawStore(str(aside / "raw"))
    (aside / "spool").mkdir()
    batches = sorted(open_history(path).batches(store, aside / "spool", progress), key=lambda batch: batch.day)
    versions = [
        _accepted(VIDEO_VERSIONS, parse.video_metadata(_read(store, b))) for b in batches if b.endpoint == "videos"
    ]
    days = sorted({batch.day for batch in batches})
    daily: list[pd.DataFrame] = []
    before = pd.DataFrame(columns=VIDEO_SNAPSHOTS.column_names)
    for done, day in enumerate(days, start=1):
        found = [b for b in batches if b.day == day and b.endpoint == "video_snapshots"]
        today = concat(
            [before.iloc[:0], *(_accepted(VIDEO_SNAPSHOTS, parse.video_snapshots(_read(store, b))) for b in found)]
        )
        today = latest_by_key(today, VIDEO_SNAPSHOTS.key)
        at = pd.Timestamp(day)
        daily.append(video_daily(concat([before, today]), at, at))
        before = today
        progress(done, len(days), "metrics.video_daily")
    return concat(daily), concat([pd.DataFrame(columns=VIDEO_VERSIONS.column_names), *versions])


def _read(store: RawStore, batch: ImportedBatch) -> pa.Table:
    return store.read_table(batch.file.path, batch.file.sha256)


def _accepted(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    return judge(table, frame).accepted
