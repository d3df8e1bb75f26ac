"""Trained models in MLflow: registering a bundle, moving the `champion` alias, fetching what it points to.

What a bundle holds is the model's own business (`core/models`); which version deserves the alias is decided in
`core/evaluate`. MLflow is imported inside, as it takes 1 to 2 s.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL_NAME = "video_forecaster"
CHAMPION = "champion"
BUNDLE = "bundle"


@dataclass(frozen=True)
class RegisteredModel:
    """A version in the registry. `data_version` digests the rows it was trained on."""

    version: str
    run_id: str
    trained_until: date
    data_version: str

    @property
    def name(self) -> str:
        """How prediction rows name the model."""
        return f"{MODEL_NAME}/{self.version}"


class ModelRegistry:
    """The registry behind an SQLAlchemy URL, with bundles as files under `artifact_folder`."""

    def __init__(self, tracking_uri: str, artifact_folder: str) -> None:
        self.tracking_uri = tracking_uri
        self._artifact_folder = artifact_folder

    def ensure_experiment(self, name: str) -> None:
        """Create the experiment with its bundles in the artifact folder; MLflow would put them beside the process."""
        client = self._client()
        if client.get_experiment_by_name(name) is None:
            client.create_experiment(name, artifact_location=f"{self._artifact_folder}/{name}")

    def register(self, run_id: str, bundle: Path, trained_until: date, data_version: str) -> RegisteredModel:
        """Store the bundle's files with the MLflow run and register them as the next version."""
        client = self._client()
        client.log_artifacts(run_id, str(bundle), BUNDLE)
        if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
            client.create_registered_model(MODEL_NAME, description="Forecasts of view increments at 1, 3 and 7 days")
        source = f"{client.get_run(run_id).info.artifact_uri}/{BUNDLE}"
        tags = {"trained_until": trained_until.isoformat(), "data_version": data_version}
        version = client.create_model_version(MODEL_NAME, source, run_id, tags=tags)
        return RegisteredModel(str(version.version), run_id, trained_until, data_version)

    def promote(self, model: RegisteredModel) -> None:
        """Make `model` the champion."""
        self._client().set_registered_model_alias(MODEL_NAME, CHAMPION, model.version)

    def champion(self) -> RegisteredModel | None:
        models = self._client().search_registered_models(f"name = '{MODEL_NAME}'")
        version = models[0].aliases.get(CHAMPION) if models else None
        if version is None:
            return None
        found = self._client().get_model_version(MODEL_NAME, version)
        return RegisteredModel(
            str(found.version),
            str(found.run_id),
            date.fromisoformat(found.tags["trained_until"]),
            found.tags["data_version"],
        )

    def dethrone(self) -> None:
        """Take the champion's alias away, so that nothing forecasts until a model is promoted."""
        if self.champion():
            self._client().delete_registered_model_alias(MODEL_NAME, CHAMPION)

    def fetch(self, model: RegisteredModel) -> Path:
        """Folder with the bundle's files."""
        return Path(self._client().download_artifacts(model.run_id, BUNDLE))

    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(self.tracking_uri)
