"""Dagster's and MLflow's own ASGI applications, made so that they can do no more than show."""

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from yt_platform.settings import PROJECT_ROOT

STATEMENT_TIMEOUT_MS = 15_000
POOL_RECYCLE_SECONDS = 3600
POOL_OVERFLOW = 20
LIVE_DATA_EVERY_MS = 2000
"""These four are the defaults of `dagster-webserver`."""


@contextlib.contextmanager
def dagster_application() -> Iterator[ASGIApp]:
    """Dagster's pages over the instance in DAGSTER_HOME, with a code server of the workspace as a child.

    `dagster-webserver` itself cannot be wrapped: it makes its application and its server in one call. These are the
    functions that it calls.
    """
    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    target = WorkspaceFileTarget([str(PROJECT_ROOT / "workspace.yaml")])
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_TIMEOUT_MS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW)
        with WorkspaceProcessContext(instance, target, version("dagster-webserver")) as context:
            yield create_app_from_workspace_process_context(context, live_data_poll_rate=LIVE_DATA_EVERY_MS)


def mlflow_application(artifacts: Path) -> ASGIApp:
    """MLflow's pages over the database in MLFLOW_BACKEND_STORE_URI, with files of the folder `artifacts` alone.

    MLflow's own checks of hosts and origins are off: the guard's are stricter, and MLflow's would refuse a public name.
    """
    os.environ["MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE"] = "true"
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = os.environ["MLFLOW_BACKEND_STORE_URI"]
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = str(artifacts)

    # after the environment, which both read as they are imported
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    confine_artifacts(artifacts)
    initialize_backend_stores(os.environ["MLFLOW_BACKEND_STORE_URI"], None, str(artifacts))
    application: ASGIApp = app
    return application


def confine_artifacts(folder: Path) -> None:
    """Let this process's MLflow open files below `folder` alone, whatever location a run, model or trace names.

    Locations lie in MLflow's database, and an older platform let others write them.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as registry
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    def refuse(what: str) -> MlflowException:
        return MlflowException(
            f"{what} lies outside the platform's folder of artifacts and is not shown", PERMISSION_DENIED
        )

    class Confined(LocalArtifactRepository):
        """Files below the folder. Links are followed first, so that none leads out of it."""

        def __init__(self, artifact_uri: str, *others: Any, **named: Any) -> None:
            super().__init__(artifact_uri, *others, **named)
            self._check(self.artifact_dir)

        def get_local_path(self, artifact_path: str) -> str:
            return self._check(str(super().get_local_path(artifact_path)))

        def list_artifacts(self, path: str | None = None) -> Any:
            self._check(str(Path(self.artifact_dir, path or "")))
            return super().list_artifacts(path)  # type: ignore[no-untyped-call]

        def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
            self._check(str(Path(self.artifact_dir, artifact_path)))
            return str(super().download_artifacts(artifact_path, dst_path))  # type: ignore[no-untyped-call]

        def _check(self, path: str) -> str:
            if not Path(path).resolve().is_relative_to(folder.resolve()):
                raise refuse("this file")
            return path

    def elsewhere(artifact_uri: str, *others: Any, **named: Any) -> LocalArtifactRepository:
        raise refuse("this location")

    for scheme in list(registry.get_registered_artifact_repositories()):
        registry.register(scheme, Confined if scheme in ("", "file") else elsewhere)
