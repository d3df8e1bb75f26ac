"""Forgetting on a whole platform: collected over HTTP from the sandbox, searched in files and dumps afterwards.

At this level because what must not be found may be in any of three databases, in raw files and in logs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import psycopg
import pytest
from pydantic import SecretStr
from rich.console import Console

from yt_platform.catalog import TABLES
from yt_platform.commands import back_up_to, forget_id, restore_from
from yt_platform.local import Platform, Runs, bring_up_to_date, collect, open_platform
from yt_platform.privacy.backup import Place
from yt_platform.privacy.forgetting import search
from yt_platform.privacy.signing import own_key
from yt_platform.progress import silent
from yt_platform.resources import artifact_folder
from yt_platform.sandbox import KEY, GeneratedWorld, Sandbox, serve
from yt_platform.settings import Settings
from yt_platform.tombstones.ids import Known
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.youtube.watchlist import add_channels, listed
from yt_platform.youtube.websub.protocol import topic_of
from yt_platform.youtube.websub.store import Hub, ask_hub, push_secret
from yt_platform_tests.conftest import free_port, reachable_folder
from yt_platform_tests.receivers import eventually, receiving
from yt_platform_tests.warehouse_state import fingerprint

pytestmark = pytest.mark.slow

STARTS_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAYS = 2


def world() -> GeneratedWorld:
    return GeneratedWorld(seed=7, channels=3, videos=40, new_per_day=4, starts_at=STARTS_AT - timedelta(days=10))


@dataclass
class Collecting:
    """A platform and the runs of its days."""

    platform: Platform
    sandbox: Sandbox
    runs: Runs

    @property
    def place(self) -> Place:
        held = self.platform
        folder = Path(artifact_folder(held.settings))
        home = held.settings.home
        return Place(held.urls, held.raw_store, folder, EmbeddedPostgres(home).bin_dir, home)

    @property
    def logs(self) -> list[Path]:
        home = self.platform.settings.home
        return [home / "logs", home / "dagster", EmbeddedPostgres(home).log_folder]

    def day(self) -> None:
        self.platform.clock.simulate(self.sandbox.clock.now())
        assert collect(self.platform, self.runs) == {}
        bring_up_to_date(self.platform, self.runs)
        self.sandbox.clock.advance(timedelta(days=1))

    def forget(self, kind: str, name: str, verify: bool = True) -> str:
        return forgotten(self.platform.settings, kind, name, verify)

    def count(self, query: str, *parameters: object) -> int:
        with psycopg.connect(self.platform.urls.warehouse) as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        return int(cast("tuple[int]", row)[0])

    def state(self, without_channel: str, without_author: str) -> dict[str, str]:
        """Hashes of tables as if the channel were nobody's brand partner and the author had written nothing."""
        partner = f"nullif(brand_partner_channel_id, '{without_channel}')"
        found = {
            name: fingerprint(
                self.platform.warehouse,
                name,
                [partner if column == "brand_partner_channel_id" else column for column in table.column_names],
            )
            for name, table in MADE.items()
        }
        found["metrics.comments"] = fingerprint(
            self.platform.warehouse,
            f"(SELECT * FROM metrics.comments WHERE author_channel_id <> '{without_author}') AS rest",
            TABLES["metrics.comments"].column_names,
        )
        return found


MADE = {name: table for name, table in TABLES.items() if table.layer in ("metrics", "features")}


@contextmanager
def collecting(channels: list[str]) -> Iterator[Collecting]:
    sandbox = Sandbox(world(), STARTS_AT)
    before = dict(os.environ)
    with reachable_folder() as folder, serve(sandbox) as url:
        settings = Settings(
            home=folder / "home",
            api_key=SecretStr(KEY),
            api_endpoint=url,
            policy_mode="synthetic",
            _env_file=None,
        )
        with open_platform(settings) as platform:
            add_channels(platform.urls.warehouse, channels, list_fully=True)
            runs = Runs(platform, silent)
            with runs.instance:
                found = Collecting(platform, sandbox, runs)
                for _ in range(DAYS):
                    found.day()
                yield found
    os.environ.clear()
    os.environ.update(before)


def test_a_channel_and_an_author_are_gone_and_the_rest_is_as_if_they_had_never_been_there(tmp_path: Path) -> None:
    channel, *others = world().channel_ids
    with collecting([channel, *others]) as found:
        with psycopg.connect(found.platform.urls.warehouse) as connection:
            videos = [
                row[0]
                for row in connection.execute(
                    "SELECT video_id FROM ops.tracked_videos WHERE channel_id = %s", (channel,)
                )
            ]
            author, written = connection.execute(
                "SELECT author_channel_id, count(*) FROM metrics.comments WHERE channel_id <> %s "
                "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
                (channel,),
            ).fetchone()
            # a description of another channel's video that links to the channel, as a person would have it
            connection.execute(
                "UPDATE ops.watched_channels SET failure = %s WHERE channel_id = %s", (f"see {channel}", others[0])
            )
        ids = Known([channel, author], videos)
        assert {"database youtube", "database dagster"} <= set(search(found.place, found.logs, ids, silent))
        saved = tmp_path / "saved"
        back_up_to(found.platform.settings, saved, Console(quiet=True))
        signed_by = own_key(found.platform.settings.home).public
        told = found.forget("channel", channel, verify=False)
        assert str(saved) in told
        assert f"{len(videos):,} videos" in told
        assert channel not in told
        told = found.forget("author", author)
        assert f"youtube metrics.comments: {written:,} rows deleted" in told
        assert "*" * 22 in next(row.failure for row in listed(found.platform.urls.warehouse) if row.failure)
        calls = found.count("SELECT sum(calls) FROM ops.quota_calls")
        bring_up_to_date(found.platform, found.runs)
        assert found.count("SELECT sum(calls) FROM ops.quota_calls") == calls
        assert search(found.place, found.logs, ids, silent) == []
        rest = found.state(channel, author)
        assert [row.channel_id for row in listed(found.platform.urls.warehouse)] == sorted(others)
        assert "Nothing of it was stored" in found.forget("channel", channel, verify=False)
        data = files_of(EmbeddedPostgres(found.platform.settings.home))
        assert not [path for path in data if channel[2:].encode() in path.read_bytes()]
    assert searched_after_restore(saved, signed_by, ids) == []
    with collecting(others) as never:
        assert never.state(channel, author) == rest


def test_the_hub_is_told_that_a_channel_is_forgotten_and_where_it_is_not_that_is_said() -> None:
    channel, other, _ = world().channel_ids
    with reachable_folder() as folder:
        with serve(sandbox := Sandbox(world(), STARTS_AT)) as url:
            port = free_port()
            settings = Settings(
                home=folder / "home",
                push_url=f"http://127.0.0.1:{port}/youtube",
                push_port=port,
                push_hub=f"{url}/subscribe",
                _env_file=None,
            )
            with open_platform(settings) as platform, receiving(platform.warehouse, settings):
                add_channels(platform.urls.warehouse, [channel, other], list_fully=False)
                hub = Hub(settings.push_hub, str(settings.push_url), push_secret(settings.home))
                ask_hub(platform.warehouse, hub, platform.clock.now())
                eventually(lambda: len(sandbox.hub.subscriptions) == 2)
                assert "the hub" not in forgotten(settings, "channel", channel)
                eventually(lambda: list(sandbox.hub.subscriptions) == [topic_of(other)])
        assert "the hub still tells of its uploads" in forgotten(settings, "channel", other)


def forgotten(settings: Settings, kind: str, name: str, verify: bool = True) -> str:
    out = Console(record=True, width=200)
    assert forget_id(settings, kind, name, verify, out) == 0
    return out.export_text()


def searched_after_restore(saved: Path, trusted: str, ids: Known) -> list[str]:
    """Where the ids are found once a backup from before the forgetting is restored elsewhere."""
    with reachable_folder() as folder:
        settings = Settings(home=folder / "home", _env_file=None)
        restore_from(settings, saved, True, trusted, Console(quiet=True))
        with open_platform(settings) as restored:
            place = Place(
                restored.urls,
                restored.raw_store,
                Path(artifact_folder(settings)),
                EmbeddedPostgres(settings.home).bin_dir,
                settings.home,
            )
            return search(place, [], ids, silent)


def files_of(server: EmbeddedPostgres) -> list[Path]:
    """Files of tables and indexes; what the log of changes holds goes when it is recycled."""
    return [path for path in (server.log_folder.parent / "base").rglob("*") if path.is_file()]
