"""The repository's promises: requirements.lock installs what pyproject.toml asks for, on any machine."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from yt_platform.instance import PlatformStorage
from yt_platform.settings import Settings

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


def test_every_locked_version_but_torch_has_its_hashes() -> None:
    """On the two files: pip would install what has no hash in its second step, and say nothing."""
    lines = (ROOT / "requirements.hashes").read_text().replace("\\\n", "").splitlines()
    hashed = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)(?:\s+--hash=sha256:[0-9a-f]{64})+", line)
        assert match, f"requirements.hashes: {line[:80]!r} is not name==version with hashes"
        hashed[canonicalize_name(match[1])] = Version(match[2])
    expected = {name: version for name, version in locked_versions().items() if name != "torch"}
    assert hashed == expected, "run scripts/lock_hashes.sh"
    for file in ("Makefile", "Dockerfile"):
        assert "--require-hashes --no-deps -r requirements.hashes" in (ROOT / file).read_text()


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_lock_holds_every_direct_dependency_inside_its_range(requirement: Requirement) -> None:
    """On the two files: pip would not notice a lock left behind by a change of pyproject.toml."""
    version = locked_versions().get(canonicalize_name(requirement.name))
    assert version is not None, f"{requirement.name} is not in requirements.lock; run `make lock`"
    assert requirement.specifier.contains(version), f"{requirement} excludes {version}; run `make lock`"


def workflows() -> list[Path]:
    return sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("file", workflows(), ids=lambda file: file.name)
def test_actions_are_pinned_by_commit_and_may_only_read(file: Path) -> None:
    """On the files: a tag of somebody's action can be moved to other code."""
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "write" if file.name == "release.yml" else "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if action := step.get("uses"):
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
            if str(step.get("uses")).startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


def test_images_are_pinned_by_digest() -> None:
    """On the files: a tag names other bytes every month."""
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    for image in [*bases, *(service["image"] for service in services if "build" not in service)]:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_containers_have_no_rights_that_they_do_not_use() -> None:
    """On the file: no container engine runs where the tests do."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "/tmp" in service["tmpfs"], name
        assert not service.keys() & {"privileged", "network_mode", "pid", "ipc", "devices"}, name
        assert all(not volume.startswith(("/", ".")) for volume in service["volumes"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service.get("cap_add", []) == (
            ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"] if name == "postgres" else []
        )


def test_only_the_daemon_has_the_secrets_of_collecting_and_telling() -> None:
    """On the file: of what is read from .env, the others are given nothing in place of these. The pages ask for the
    token of the UI."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    secret = {
        f"YT_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) and not name.endswith(("database_url", "ui_token"))
    }
    for name in services.keys() - {"postgres", "daemon"}:
        given = services[name]["environment"]
        expected = dict.fromkeys(secret, "") | ({"YT_API_KEY": "${YT_API_KEY:+set}"} if name == "webserver" else {})
        assert {variable: given.get(variable) for variable in secret} == expected, name
    assert not secret & services["daemon"]["environment"].keys()


def test_compose_and_make_up_share_workspace_and_instance() -> None:
    """On the files: no container engine runs where the tests do, so a drifting copy must be caught here."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services["daemon"]["command"][-2:] == ["--workspace", "workspace.yaml"]
    for name, page in (("webserver", "dagster"), ("mlflow", "mlflow")):  # behind the guard, as under `up`
        assert services[name]["command"][:4] == ["python", "-m", "yt_platform.web", page]
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
    assert "ln -s /app/dagster.yaml" in (ROOT / "Dockerfile").read_text()
    storage = yaml.safe_load((ROOT / "dagster.yaml").read_text())["storage"]["custom"]
    assert (storage["module"], storage["class"]) == (PlatformStorage.__module__, PlatformStorage.__name__)
    assert "YT_DAGSTER_DATABASE_URL" in services["daemon"]["environment"]  # else it would start a server of its own
    assert services["receiver"]["command"][:3] == ["python", "-m", "yt_platform.youtube.websub.receiver"]
    for name in services.keys() - {"postgres"}:
        assert services[name]["env_file"] == [{"path": ".env", "required": False}], name
        assert services[name]["environment"]["YT_HOME"] == "/data", name  # whatever .env has for the host
