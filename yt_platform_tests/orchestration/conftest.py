"""A whole platform in a home of its own, with a small sample imported: what the orchestration tests start from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from yt_platform.local import Platform, Runs, bring_up_to_date, import_path, open_platform
from yt_platform.progress import silent
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.settings import Settings
from yt_platform_tests.conftest import reachable_folder

SAMPLE_DAYS = 40


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder, generate(channels=4, videos=120, days=SAMPLE_DAYS, last_day=date(2026, 3, 1)))
    return folder


@contextmanager
def environment_put_back() -> Iterator[None]:
    """Dagster finds its instance through the environment, which `Runs` sets; put back what was there."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def _environment() -> Iterator[None]:
    with environment_put_back():
        yield


@pytest.fixture(scope="module")
def platform(_environment: None) -> Iterator[Platform]:
    with reachable_folder() as folder, open_platform(Settings(home=folder / "home", _env_file=None)) as platform:
        yield platform


@pytest.fixture(scope="module")
def runs(platform: Platform) -> Iterator[Runs]:
    runs = Runs(platform, silent)
    with runs.instance:
        yield runs


@pytest.fixture(scope="module")
def made(platform: Platform, runs: Runs, sample_folder: Path) -> Platform:
    """The sample taken through the whole graph once; tests of this module may only repeat what was done."""
    import_path(platform, runs, sample_folder, silent)
    bring_up_to_date(platform, runs)
    return platform
