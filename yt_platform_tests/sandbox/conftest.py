"""A generated world that tests share, and a client on a sandbox of each test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from yt_platform.sandbox import GeneratedWorld, Paging, Sandbox, serve
from yt_platform_tests.sandbox.client import STARTS_AT, youtube


@pytest.fixture(scope="session")
def world() -> GeneratedWorld:
    """Large enough that every rare kind of video is in it."""
    return GeneratedWorld(seed=3, channels=8, videos=900, new_per_day=40, starts_at=STARTS_AT, days=30)


@pytest.fixture
def sandbox(world: GeneratedWorld) -> Sandbox:
    return Sandbox(world, STARTS_AT, paging=Paging(seed=1, short_share=0, empty_share=0))


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    with serve(sandbox) as url:
        yield url


@pytest.fixture
def api(url: str) -> Iterator[Any]:
    with youtube(url) as client:
        yield client


@pytest.fixture
def api_on() -> Iterator[Callable[[Sandbox], Any]]:
    """Clients on sandboxes with settings of the test's own."""
    with ExitStack() as stack:
        yield lambda sandbox: stack.enter_context(youtube(stack.enter_context(serve(sandbox))))
