"""Every kind of forecaster by name, and bundles that say which kind they are.

A new kind plugs in by one line here; its module is imported when it is used, for torch and lightgbm take seconds.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from yt_platform.constants import KINDS as KINDS
from yt_platform.forecasting.forecasters.protocol import Forecaster
from yt_platform.forecasting.tasks import TASKS, Task

RECIPE = "recipe.json"


@dataclass(frozen=True)
class Recipe:
    """What makes two models of the same data equal: the kind, and the parameters that differ from its defaults."""

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits; the same for equal recipes."""
        text = json.dumps([self.kind, self.parameters], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def make_forecaster(recipe: Recipe, task: Task, threads: int) -> Forecaster:
    """An unfitted forecaster. Raises ValueError for a kind or a parameter that does not exist."""
    return _class(recipe.kind)(task, recipe.parameters, threads)


def save_forecaster(forecaster: Forecaster, recipe: Recipe, task: Task, folder: Path) -> None:
    """Write a bundle that `load_forecaster` reads without being told what it is."""
    forecaster.save(folder)
    told = {"kind": recipe.kind, "parameters": dict(recipe.parameters), "task": task.name, "horizons": task.horizons}
    (folder / RECIPE).write_text(json.dumps(told, indent=2) + "\n")


def load_forecaster(folder: Path, threads: int) -> Forecaster:
    return _class(recipe_of(folder).kind).load(folder, threads)


def recipe_of(folder: Path) -> Recipe:
    told = json.loads((folder / RECIPE).read_text())
    return Recipe(told["kind"], told["parameters"])


def task_of(folder: Path) -> Task:
    """The task, at the horizons that the bundle was trained for."""
    told = json.loads((folder / RECIPE).read_text())
    task = TASKS[told["task"]]
    return task.within(told.get("horizons", task.horizons))


def _class(kind: str) -> type[Forecaster]:
    if kind not in KINDS:
        raise ValueError(f"no model is called {kind!r}: choose one of {', '.join(KINDS)}")
    module, name = KINDS[kind].split(".")
    return cast("type[Forecaster]", getattr(import_module(f"yt_platform.forecasting.forecasters.{module}"), name))
