"""`python -m yt_platform.web dagster|mlflow`: one of the two pages behind the guard, as `yt-platform up` starts it."""

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from yt_platform.resources import artifact_folder
from yt_platform.settings import Settings, load_settings
from yt_platform.web.applications import dagster_application, mlflow_application
from yt_platform.web.guard import Guard
from yt_platform.web.login import Sessions, ui_token
from yt_platform.web.rules import DAGSTER, MLFLOW, Addresses

HOST = "127.0.0.1"


@contextlib.contextmanager
def dagster(settings: Settings) -> Iterator[tuple[ASGIApp, int]]:
    """Dagster's pages behind the guard, and their port."""
    with dagster_application() as application:
        guarded = Guard(application, DAGSTER, Addresses.at(settings.ui_url), *_login(settings))
        yield guarded, settings.webserver_port


@contextlib.contextmanager
def mlflow(settings: Settings) -> Iterator[tuple[ASGIApp, int]]:
    """MLflow's pages behind the guard, and their port, from a working directory that holds nothing."""
    empty = settings.home / "mlflow" / "empty"
    empty.mkdir(parents=True, exist_ok=True)
    os.chdir(empty)
    application = mlflow_application(Path(artifact_folder(settings)))
    yield Guard(application, MLFLOW, Addresses.at(settings.mlflow_ui_url), *_login(settings)), settings.mlflow_port


def _login(settings: Settings) -> tuple[Sessions, str, str | None]:
    """One name of the cookie for both pages: who is logged in to one is logged in to the other."""
    return (
        Sessions(partial(ui_token, settings)),
        f"yt_platform_{settings.webserver_port}",
        settings.privacy_policy_url,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m yt_platform.web")
    parser.add_argument("page", choices=["dagster", "mlflow"])
    parser.add_argument("--host", default=HOST, help="address to listen at; a container's is 0.0.0.0")
    arguments = parser.parse_args()
    logging.basicConfig()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the code server is ended before this process
    settings = load_settings()
    page = {"dagster": dagster, "mlflow": mlflow}[arguments.page]
    with page(settings) as (guarded, port):
        uvicorn.run(
            guarded,
            host=arguments.host,
            port=port,
            log_level="warning",
            access_log=False,  # its lines hold addresses, and one of those the token
            proxy_headers=False,  # anybody can send them
            server_header=False,
        )


if __name__ == "__main__":
    main()
