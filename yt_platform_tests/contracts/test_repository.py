"""The repository's promises: requirements.lock installs what pyproject.toml asks for, on any machine."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]


def locked_versions() -> dict[str, Version]:
    """Version by canonical name; every line must be `name==version`, so that machines install the same."""
    pinned = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in LOCK.splitlines())):
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line)
        assert match, f"requirements.lock: {line!r} is not name==version"
        pinned[canonicalize_name(match[1])] = Version(match[2])
    return pinned


@pytest.mark.parametrize("trace", ["+cpu", "file:", "nvidia-", "--find-links", "index-url", "://"])
def test_lock_bears_no_trace_of_the_machine_that_made_it(trace: str) -> None:
    """On the file itself: a local build, path or index in it cannot be installed elsewhere."""
    assert trace not in LOCK


def test_lock_names_the_torch_release_without_its_build() -> None:
    """On the file itself: torch is the one package whose build each machine chooses."""
    assert str(locked_versions()["torch"]) == "2.13.0"


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_lock_holds_every_direct_dependency_inside_its_range(requirement: Requirement) -> None:
    """On the two files: pip would not notice a lock left behind by a change of pyproject.toml."""
    version = locked_versions().get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not in requirements.lock; run `make lock`"
    assert requirement.specifier.contains(version), f"{requirement} excludes {version}; run `make lock`"


def test_compose_and_make_up_share_workspace_and_instance() -> None:
    """On the files: no container engine runs where the tests do, so a drifting copy must be caught here."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services["daemon"]["command"][-2:] == ["--workspace", "workspace.yaml"]
    for name, page in (("webserver", "dagster"), ("mlflow", "mlflow")):  # behind the guard, as under `up`
        assert services[name]["command"][:4] == ["python", "-m", "yt_platform.web", page]
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
    assert "ln -s /app/dagster.yaml" in (ROOT / "Dockerfile").read_text()
    urls = yaml.safe_load((ROOT / "dagster.yaml").read_text())["storage"]["postgres"]["postgres_url"]
    assert urls["env"] in services["daemon"]["environment"]
    assert services["receiver"]["command"][:3] == ["python", "-m", "yt_platform.receiver"]
    for name in services.keys() - {"postgres"}:
        assert services[name]["env_file"] == [{"path": ".env", "required": False}], name
        assert services[name]["environment"]["YT_HOME"] == "/data", name  # whatever .env has for the host
