"""The commands about accounts as a person uses them: real processes, a browser that is a process, a sandbox."""

import json
import shlex
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from dagster import build_schedule_context
from rich.console import Console

from yt_platform.local import Platform, Runs
from yt_platform.progress import silent
from yt_platform.report import print_accounts
from yt_platform.sandbox import GeneratedWorld, Sandbox, serve
from yt_platform.sandbox.oauth import YOUTUBE
from yt_platform.youtube.accounts.authorization import add, listed
from yt_platform.youtube.accounts.credentials import OWNER, Accounts, Stored, owner_secret
from yt_platform.youtube.accounts.defs import VERIFY, daily_authorizations
from yt_platform_tests.conftest import reachable_folder
from yt_platform_tests.orchestration.test_cli import call
from yt_platform_tests.sandbox.client import STARTS_AT, control
from yt_platform_tests.sandbox.consent import granted

BROWSER = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=20).read()"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A platform whose server runs on, which halves the time of a command."""
    with reachable_folder() as folder:
        call(folder / "home", "db", "start")
        yield folder / "home"
        call(folder / "home", "db", "stop")


def test_verification_is_asked_for_when_one_is_due(platform: Platform, runs: Runs) -> None:
    """Tick by tick, with the run between them that a tick asks for."""
    world = GeneratedWorld(seed=3, channels=2, videos=20, new_per_day=1, starts_at=STARTS_AT, days=2)
    channel_id = world.channel_with_handle("@synthetic-01")
    kept = Accounts(platform.settings.home)

    def ask() -> Any:
        held = {"warehouse": platform.warehouse, "accounts": kept, "clock": platform.clock}
        with build_schedule_context(resources=held, scheduled_execution_time=datetime.now(UTC)) as context:
            return daily_authorizations.evaluate_tick(context)

    assert "within a week" in ask().skip_message
    with serve(Sandbox(world, STARTS_AT)) as url:
        secret = owner_secret(granted(url, channel_id, YOUTUBE))
        given = Stored(OWNER, (YOUTUBE,), platform.clock.now() - timedelta(days=7), secret)
        add(platform.warehouse, kept, "mine", given, url, lambda _: None)
        assert len(ask().run_requests) == 1
        settings = platform.settings.model_copy(update={"api_endpoint": url})
        here = Runs(replace(platform, settings=settings), silent)
        with here.instance:
            here.launch(VERIFY)
    assert "within a week" in ask().skip_message
    [account] = listed(platform.warehouse)
    assert (account.state, account.channel_id) == ("authorized", channel_id)
    printed = StringIO()
    print_accounts([account], Console(file=printed, width=200))
    assert f"{channel_id} │ youtube.readonly │" in printed.getvalue()
    assert platform.warehouse.records("SELECT method, calls FROM ops.quota_calls") == [
        {"method": "channels.list", "calls": 1}
    ]


@pytest.mark.slow  # seven processes of 3 s each
def test_accounts_from_consent_to_removal_without_a_secret_in_any_output(home: Path, tmp_path: Path) -> None:
    """One owner and one content partner; every line that was printed is searched for what the files keep secret."""
    world = GeneratedWorld(seed=3, channels=2, videos=20, new_per_day=1, starts_at=STARTS_AT, days=2)
    channel_id = world.channel_with_handle("@synthetic-01")
    said: list[str] = []
    with serve(Sandbox(world, STARTS_AT)) as url:
        settings = {
            "YT_API_ENDPOINT": url,
            "YT_POLICY_MODE": "synthetic",
            "BROWSER": f"{shlex.quote(sys.executable)} -c {shlex.quote(BROWSER)} %s &",
        }

        def accounts(*arguments: str, expected: int = 0) -> str:
            found = call(home, "accounts", *arguments, **settings)
            said.append(found.stdout + found.stderr)
            assert found.returncode == expected, said[-1]
            return found.stdout + found.stderr

        client, key = tmp_path / "client.json", tmp_path / "key.json"
        client.write_text(json.dumps(control(url, "client")))
        key.write_text(json.dumps(control(url, "partner", {"content_owner": "CMS1", "channels": [channel_id]})))

        control(url, "consent", {"channel_id": channel_id})
        assert f"mine is authorised for channel {channel_id}" in accounts(
            "add", "mine", "--client-secrets", str(client)
        )
        accounts("add", "network", "--service-account", str(key), "--content-owner", "CMS1", "--monetary")
        files = {path.stem: path for path in (home / "accounts").iterdir()}
        assert {name: stat.S_IMODE(path.stat().st_mode) for name, path in files.items()} == {
            "mine": 0o600,
            "network": 0o600,
        }
        kept = {name: json.loads(path.read_text())["secret"] for name, path in files.items()}

        assert channel_id
        video = world.uploads(channel_id, STARTS_AT.timestamp())[-1]
        asked = call(home, "analytics", "retention", video, "--account", "mine", "--json", **settings)
        curve = json.loads(asked.stdout)
        assert (len(curve), curve[-1]["elapsed_video_time_ratio"]) == (100, 1.0)
        control(url, "revoke", {"channel_id": channel_id})
        checked = accounts("check", expected=1)
        assert "account mine: Google takes its token no longer" in checked
        assert "network is authorised" in checked
        rows: list[dict[str, Any]] = json.loads(accounts("list", "--json"))
        assert [(row["name"], row["state"]) for row in rows] == [("mine", "unauthorized"), ("network", "authorized")]
        assert "Google was not told" in accounts("remove", "mine")
        assert [path.stem for path in (home / "accounts").iterdir()] == ["network"]
    secrets = [kept["mine"][name] for name in ("token", "refresh_token", "client_secret")]
    secrets += kept["network"]["private_key"].splitlines()[1:3]
    assert not [secret for secret in secrets if secret in "".join(said)]
