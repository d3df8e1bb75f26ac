"""What `status` says of items that a collection skipped or could not read to their end: on an ephemeral instance and a
real warehouse, filled from the sandbox."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dagster import DagsterInstance
from rich.console import Console

from yt_platform.build import build_defs
from yt_platform.clock import Clock
from yt_platform.local import Platform
from yt_platform.report import print_status
from yt_platform.sandbox import Fault
from yt_platform.settings import Settings
from yt_platform.status import platform_status
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.skipped import COMMENTS, UPLOADS
from yt_platform.youtube.watchlist import pause_channel
from yt_platform_tests.youtube.data_api.test_collecting import Rig, rigged
from yt_platform_tests.youtube.data_api.test_skipping import faulty, playlist


@pytest.fixture(scope="module")
def definitions() -> Any:
    return build_defs(Settings(_env_file=None))


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path) -> Iterator[Rig]:
    """A channel with more than a page of uploads."""
    with rigged(warehouse_url, str(tmp_path), channels=1, videos=130) as rig:
        rig.collect("channels")
        yield rig


def status_of(rig: Rig, definitions: Any) -> tuple[dict[str, Any], str]:
    """What `status --json` has, and what `status` prints."""
    warehouse = Warehouse(rig.warehouse_url)
    clock = Clock(warehouse)
    clock.simulate(rig.now())
    platform = SimpleNamespace(warehouse=warehouse, clock=clock, settings=SimpleNamespace(policy_mode="synthetic"))
    with DagsterInstance.ephemeral() as instance:
        found = platform_status(cast("Platform", platform), instance, definitions)
    printed = StringIO()
    print_status(found, Console(file=printed, width=400))
    return found, printed.getvalue()


def unread(found: dict[str, Any]) -> list[str]:
    return [item["what"] for item in found["broken"] if item["what"].endswith("not read to the end")]


def test_status_counts_what_was_skipped_with_the_reason_and_calls_nothing_broken(rig: Rig, definitions: Any) -> None:
    [first] = rig.channel_ids()
    with faulty(rig, Fault(method=UPLOADS, item=playlist(first), status=403, reason="channelClosed")):
        rig.collect("uploads")
    found, printed = status_of(rig, definitions)
    [item] = found["skipped"]
    assert (item["item"], item["setback"], item["reason"]) == (first, "refused", "channelClosed")
    assert item["retry_at"] == "2026-03-03T12:00:00+00:00"
    assert unread(found) == []
    assert "skipped, and asked for again later: 1 of playlistItems.list: channelClosed" in printed


@pytest.mark.parametrize(("status", "reason"), [(404, "playlistNotFound"), (503, "backendError")])
def test_status_names_uploads_that_are_cut_short_until_they_are_listed(
    rig: Rig, definitions: Any, status: int, reason: str
) -> None:
    [first] = rig.channel_ids()
    with faulty(rig, Fault(method=UPLOADS, item=playlist(first), later_pages=True, status=status, reason=reason)):
        rig.collect("uploads")
    found, printed = status_of(rig, definitions)
    assert unread(found) == ["uploads not read to the end"]
    assert f"broken: uploads not read to the end: of {first} (" in printed
    assert reason in printed
    assert "a collection begins it anew from 2026-03-02 1" in printed
    assert "skipped, and asked" not in printed  # it is told once
    rig.advance(hours=3)
    assert unread(status_of(rig, definitions)[0])  # time alone mends nothing
    rig.collect("uploads")
    found, printed = status_of(rig, definitions)
    assert (found["skipped"], unread(found)) == ([], [])
    assert "skipped, and asked" not in printed


def test_status_names_comments_that_are_cut_short_and_not_those_of_a_paused_channel(rig: Rig, definitions: Any) -> None:
    rig.collect("uploads", "videos")
    with faulty(rig, Fault(method=COMMENTS, later_pages=True, status=404, reason="videoNotFound")):
        rig.collect("comments")
    found, printed = status_of(rig, definitions)
    assert unread(found) == ["comments not read to the end"]
    assert "videoNotFound" in printed
    [channel] = rig.channel_ids()
    pause_channel(rig.warehouse_url, channel, paused=True)
    assert unread(status_of(rig, definitions)[0]) == []
