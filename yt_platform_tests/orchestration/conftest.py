"""A whole platform in a home of its own, with a small sample imported: what the orchestration tests start from.

A module that starts from what was made of the sample names the stage: `pytestmark = pytest.mark.stage("made")`. The
stages are made once in a session, and the module gets a copy that is its own to change.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from yt_platform.local import Platform, Runs, bring_up_to_date, import_path, open_platform
from yt_platform.orchestration.jobs import REFRESH
from yt_platform.privacy.restoring import move_artifacts
from yt_platform.progress import silent
from yt_platform.resources import artifact_folder
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.settings import Settings
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform_tests.conftest import copied_home, copy_home, made_once

SAMPLE_DAYS = 40


@pytest.fixture(scope="session")
def sample_folder(shared_folder: Path) -> Path:
    def write(folder: Path) -> None:
        write_sample(folder, generate(channels=4, videos=120, days=SAMPLE_DAYS, last_day=date(2026, 3, 1)))

    return made_once(shared_folder / "sample", write)


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


def take_in(platform: Platform, runs: Runs, sample: Path) -> None:
    import_path(platform, runs, sample, silent)


def make_tables(platform: Platform, runs: Runs, sample: Path) -> None:
    for window, tables in stale_ranges(platform.warehouse, platform.clock.now().date()):
        runs.launch(REFRESH, window, tables)


def make_the_rest(platform: Platform, runs: Runs, sample: Path) -> None:
    bring_up_to_date(platform, runs)


STAGES = {"imported": take_in, "refreshed": make_tables, "made": make_the_rest}
"""What a platform goes through with the sample, one stage after the other; each is made once in a session."""


@pytest.fixture(scope="session")
def homes(migrated: Path, sample_folder: Path, shared_folder: Path) -> Callable[[str | None], Path]:
    """The home after a stage and those before it, or a migrated one; to be copied and not to be used."""

    def after(stage: str | None) -> Path:
        if stage is None:
            return migrated
        before = dict(zip(STAGES, [None, *STAGES], strict=False))[stage]

        def make(finished: Path) -> None:
            with copied_home(after(before)) as home:
                with environment_put_back(), opened(home) as platform, open_runs(platform) as runs:
                    STAGES[stage](platform, runs, sample_folder)
                copy_home(home, finished)

        return made_once(shared_folder / stage, make)

    return after


@contextmanager
def opened(home: Path) -> Iterator[Platform]:
    """The platform of `home`, which may be a copy of another: MLflow keeps absolute paths of its files."""
    known = home / "artifacts_at"
    with open_platform(Settings(home=home, _env_file=None)) as platform:
        folder = artifact_folder(platform.settings)
        if known.exists():
            move_artifacts(platform.urls.mlflow, known.read_text(), folder)
        known.write_text(folder)
        yield platform


@contextmanager
def open_runs(platform: Platform) -> Iterator[Runs]:
    runs = Runs(platform, silent)
    with runs.instance:
        yield runs


@pytest.fixture(scope="module")
def platform(
    _environment: None, request: pytest.FixtureRequest, homes: Callable[[str | None], Path]
) -> Iterator[Platform]:
    """A platform of the module's own: after the stage that its mark names, or empty where it has no mark."""
    mark = request.node.get_closest_marker("stage")
    with copied_home(homes(mark.args[0] if mark else None)) as home, opened(home) as platform:
        yield platform


@pytest.fixture(scope="module")
def runs(platform: Platform) -> Iterator[Runs]:
    with open_runs(platform) as runs:
        yield runs


@pytest.fixture(scope="module")
def made(platform: Platform, request: pytest.FixtureRequest) -> Platform:
    """The sample taken through the whole graph once; tests of this module may only repeat what was done."""
    assert request.node.get_closest_marker("stage").args == ("made",)
    return platform
