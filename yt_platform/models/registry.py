"""Trained models in MLflow: registering a bundle, moving the `champion` alias, fetching what it points to.

What a bundle holds is the model's own business (`forecasting/forecasters`); which version deserves the alias is decided
in `forecasting/gate.py`. MLflow is imported inside, as it takes 1 to 2 s.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yt_platform.errors import MisuseError
from yt_platform.forecasting.forecasters.catalog import Recipe, recipe_of
from yt_platform.forecasting.registered import MODELS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
BUNDLE = "bundle"


class UnknownVersionError(MisuseError):
    """The registry has no such version of a model; the message says which there are."""


@dataclass(frozen=True)
class RegisteredModel:
    """A version in the registry. `data_version` digests the rows it was trained on."""

    model: str
    version: str
    run_id: str
    trained_until: date
    data_version: str
    kind: str
    recipe_digest: str

    @property
    def name(self) -> str:
        """How prediction rows name the model."""
        return f"{self.model}/{self.version}"


class ModelRegistry:
    """The registry behind an SQLAlchemy URL, with bundles as files under `artifact_folder`."""

    def __init__(self, tracking_uri: str, artifact_folder: str) -> None:
        self.tracking_uri = tracking_uri
        self._artifact_folder = artifact_folder

    def ensure_experiment(self, name: str) -> None:
        """Create the experiment with its bundles in the artifact folder; MLflow would put them beside the process."""
        client = self.client()
        if client.get_experiment_by_name(name) is None:
            client.create_experiment(name, artifact_location=f"{self._artifact_folder}/{name}")

    def register(
        self, model: str, run_id: str, bundle: Path, trained_until: date, data_version: str
    ) -> RegisteredModel:
        """Store the bundle's files with the MLflow run and register them as the model's next version."""
        client = self.client()
        client.log_artifacts(run_id, str(bundle), BUNDLE)
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model, description=MODELS[model].description)
        source = f"{client.get_run(run_id).info.artifact_uri}/{BUNDLE}"
        recipe = recipe_of(bundle)
        tags = {
            "trained_until": trained_until.isoformat(),
            "data_version": data_version,
            "kind": recipe.kind,
            "recipe_digest": recipe.digest,
        }
        return _registered(client.create_model_version(model, source, run_id, tags=tags))

    def promote(self, model: RegisteredModel) -> None:
        """Make `model` the champion."""
        self.client().set_registered_model_alias(model.model, CHAMPION, model.version)

    def champion(self, model: str) -> RegisteredModel | None:
        """The version of `model` that forecasts."""
        models = self.client().search_registered_models(f"name = '{model}'")
        version = models[0].aliases.get(CHAMPION) if models else None
        return _registered(self.client().get_model_version(model, version)) if version else None

    def versions(self, model: str) -> list[RegisteredModel]:
        """Every version of `model`, newest first."""
        found = self.client().search_model_versions(f"name = '{model}'", max_results=10_000)
        return sorted(map(_registered, found), key=lambda version: -int(version.version))

    def version(self, model: str, version: str) -> RegisteredModel:
        """Raises UnknownVersionError."""
        known = {found.version: found for found in self.versions(model)}
        if version not in known:
            raise UnknownVersionError(f"{model} has no version {version}; there are {', '.join(known) or 'none'}")
        return known[version]

    def dethrone(self) -> None:
        """Take the champions' aliases away, so that nothing forecasts until a model is promoted."""
        for model in MODELS:
            if self.champion(model):
                self.client().delete_registered_model_alias(model, CHAMPION)

    def fetch(self, model: RegisteredModel) -> Path:
        """Folder with the bundle's files."""
        return Path(self.client().download_artifacts(model.run_id, BUNDLE))

    def recipe(self, model: RegisteredModel) -> Recipe:
        """What the version was made by."""
        return recipe_of(self.fetch(model))

    def client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(self.tracking_uri)


def _registered(found: "ModelVersion") -> RegisteredModel:
    tags: dict[str, Any] = found.tags
    return RegisteredModel(
        str(found.name),
        str(found.version),
        str(found.run_id),
        date.fromisoformat(tags["trained_until"]),
        tags["data_version"],
        tags.get("kind", "lightgbm"),  # versions of before there were other kinds
        tags.get("recipe_digest", ""),
    )
