"""`python -m yt_platform.sandbox`: serves a world until it is stopped; the first line of stdout is the base URL."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from yt_platform.history import HistoryError, open_history
from yt_platform.sample.generator import generate
from yt_platform.sandbox.faults import Fault
from yt_platform.sandbox.generated import STARTS_AT, GeneratedWorld
from yt_platform.sandbox.oauth import Consent
from yt_platform.sandbox.paging import Paging
from yt_platform.sandbox.replayed import ReplayedWorld
from yt_platform.sandbox.sandbox import KEY, Sandbox
from yt_platform.sandbox.server import listen, server, url_of
from yt_platform.sandbox.world import World
from yt_platform.storage.endpoints import ENDPOINTS
from yt_platform.storage.raw import RawStore

REAL = "real"
REPLAYED = ("video_snapshots", "videos", "channel_snapshots", "channels")  # as ReplayedWorld takes them


def main(
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the world, and of short and empty pages.")] = 1,
    channels: Annotated[int, typer.Option(help="Of a generated world.")] = 25,
    videos: Annotated[int, typer.Option(help="Of a generated world, before its start.")] = 1500,
    new_per_day: Annotated[int, typer.Option(help="New videos a day of a generated world.")] = 20,
    days: Annotated[int, typer.Option(help="For how long a generated world publishes new videos.")] = 60,
    replay: Annotated[
        str | None, typer.Option(help="Instead of generating: `sample`, or the path of a history of snapshots.")
    ] = None,
    starts_at: Annotated[
        str | None,
        typer.Option(help="Where the clock stands, as 2026-03-01T12:00Z, or `real`. By default at the replay's end."),
    ] = None,
    key: Annotated[list[str] | None, typer.Option(help=f"An accepted API key, repeatable. By default {KEY}.")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="Units a day of a bucket: default=500. Repeatable.")] = None,
    short_pages: Annotated[float, typer.Option(help="Share of pages at half their size.")] = Paging.short_share,
    empty_pages: Annotated[float, typer.Option(help="Share of pages that come empty first.")] = Paging.empty_share,
    faults: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON file with a list of rules.")
    ] = None,
    client_secrets: Annotated[
        Path | None, typer.Option(help="Write a client-secrets file that names this sandbox; @synthetic-01 consents.")
    ] = None,
) -> None:
    """A local server that speaks the used parts of the YouTube Data API v3."""
    try:
        given = datetime.now(UTC) if starts_at == REAL else datetime.fromisoformat(starts_at) if starts_at else None
        world: World
        if replay:
            world = replayed(replay)
            instant = given or datetime.fromtimestamp(world.last_at, UTC)
        else:
            instant = given or STARTS_AT
            world = GeneratedWorld(seed, channels, videos, new_per_day, instant, days)
        sandbox = Sandbox(
            world,
            None if starts_at == REAL else instant,
            keys=key or [KEY],
            limits={bucket: int(units) for bucket, _, units in (text.partition("=") for text in limit or [])},
            paging=Paging(seed, short_pages, empty_pages),
            faults=[Fault.parse(rule) for rule in json.loads(faults.read_text())] if faults else (),
        )
    except (ValueError, HistoryError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    with listen(port) as listener:
        if client_secrets:
            secrets = sandbox.authorizations.client_secrets(url_of(listener))
            client_secrets.write_text(json.dumps(secrets, indent=2) + "\n")
            sandbox.authorizations.consent = Consent(world.channel_with_handle("@synthetic-01"))
        typer.echo(url_of(listener))
        server(sandbox).run([listener])


def replayed(source: str) -> ReplayedWorld:
    """The built-in sample, or a history read as an import reads it. Raises HistoryError."""
    if source == "sample":
        return ReplayedWorld.from_sample(generate())
    tables = {name: [endpoint.schema.empty_table()] for name, endpoint in ENDPOINTS.items()}
    with tempfile.TemporaryDirectory() as folder:
        raw, scratch = Path(folder) / "raw", Path(folder) / "scratch"
        scratch.mkdir()
        store = RawStore(str(raw))
        for batch in open_history(Path(source)).batches(store, scratch):
            tables[batch.endpoint].append(store.read_table(batch.file.path, batch.file.sha256))
    return ReplayedWorld(*(pa.concat_tables(tables[name]) for name in REPLAYED))


if __name__ == "__main__":
    typer.run(main)
