"""What a training leaves in MLflow: an open run of the training, and below it one run per candidate.

By the client and not MLflow's fluent functions, whose active run is global to the process.
"""

import math
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yt_platform.forecasting.forecasters.catalog import Recipe, load_forecaster, save_forecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster
from yt_platform.forecasting.tasks import QUANTILES, Task

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILES = "evaluation"
"""Folder of a candidate's plots and card among its artifacts; the bundle has its own."""


class CandidateRun:
    """The MLflow run of one candidate, below that of the training."""

    def __init__(self, client: "MlflowClient", parent_run_id: str, name: str) -> None:
        self._client = client
        parent = client.get_run(parent_run_id)
        tags = {"mlflow.parentRunId": parent_run_id, "mlflow.runName": name}
        self.run_id = str(client.create_run(parent.info.experiment_id, tags=tags).info.run_id)

    def log(self, parameters: Mapping[str, Any], metrics: Mapping[str, float], files: Mapping[str, bytes]) -> None:
        """Log everything at once; figures that are not known are left out."""
        from mlflow.entities import Metric, Param

        known = [Metric(name, value, 0, 0) for name, value in metrics.items() if not math.isnan(value)]
        told = [Param(name, str(value)) for name, value in parameters.items()]
        self._client.log_batch(self.run_id, metrics=known, params=told)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            self._client.log_artifacts(self.run_id, folder, FILES)

    def end(self) -> None:
        self._client.set_terminated(self.run_id)


def flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by dotted names: an ensemble's are those of its members."""
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def write_bundle(forecaster: Forecaster, recipe: Recipe, task: Task, folder: Path) -> None:
    """A bundle that is an MLflow model as well: `mlflow.pyfunc.load_model` reads it by `_load_pyfunc` below, and
    MLflow's pages show its signature."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    save_forecaster(forecaster, recipe, task, folder)
    inputs: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, task.series), ColSpec(DataType.datetime, task.time)]
    inputs += [ColSpec(DataType.double, name) for name in task.features]
    outputs = [*inputs[:2], ColSpec(DataType.string, "target"), ColSpec(DataType.long, "horizon")]
    outputs += [ColSpec(DataType.double, f"p{quantile * 100:.0f}") for quantile in QUANTILES]
    model = Model(signature=ModelSignature(Schema(inputs), Schema(outputs)))
    # not by mlflow.pyfunc.add_to_model, whose module warns at import
    model.add_flavor("python_function", loader_module=__name__, python_version=platform.python_version())
    model.save(str(folder / "MLmodel"))


def _load_pyfunc(path: str) -> Forecaster:
    return load_forecaster(Path(path), threads=1)
