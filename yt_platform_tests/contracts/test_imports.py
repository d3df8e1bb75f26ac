"""What may be imported, and what loading the location may cost: checked on source and in fresh interpreters.

Which capability may know which is `make lint`'s, by the contracts in pyproject.toml.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "yt_platform"


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def test_no_file_is_read_as_a_pickle() -> None:
    """Read from the source: a pickle runs code of whoever wrote it, and bundles come out of backups."""
    for path in PACKAGE.rglob("*.py"):
        assert not {name.partition(".")[0] for name in imports(path)} & {"pickle", "cloudpickle", "joblib", "dill"}, (
            path
        )
        text = path.read_text()
        assert text.count("torch.load(") == text.count("weights_only=True"), path
        assert "allow_pickle=True" not in text, path


def loaded_modules(statement: str, tmp_path: Path) -> set[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "YT_HOME": str(tmp_path / "home")}
    code = f"import sys; {statement}; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    return set(found.stdout.split())


def test_the_location_loads_without_secrets_network_or_heavy_imports(tmp_path: Path) -> None:
    """In a fresh interpreter with an empty environment, as Dagster's code server does."""
    modules = loaded_modules("from yt_platform.definitions import defs; defs.resolve_asset_graph()", tmp_path)
    assert modules.isdisjoint({"torch", "lightgbm", "mlflow", "sklearn", "matplotlib"})
    assert not (tmp_path / "home").exists()


def test_help_does_not_load_dagster(tmp_path: Path) -> None:
    """Commands about the database alone start at once."""
    assert "dagster" not in loaded_modules("import yt_platform.cli", tmp_path)
