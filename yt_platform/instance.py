"""Dagster's storage in the platform's own database, as `dagster.yaml` names it.

`yt-platform up` hands its processes the database's address in YT_DAGSTER_DATABASE_URL. Dagster's own commands
(`dagster dev`, `dg`) have none: here they get the address, and a server to go with it. Not here: what is stored.
"""

import atexit
import os
import sys
from contextlib import ExitStack
from typing import Any

from dagster_postgres import DagsterPostgresStorage

from yt_platform.local import open_platform
from yt_platform.settings import load_settings
from yt_platform.storage.private import close_umask
from yt_platform.up import only_one
from yt_platform.warehouse.databases import sqlalchemy_url


class PlatformStorage(DagsterPostgresStorage):
    """Runs, events, schedules and partition state in PostgreSQL: all must survive a restart and be shared."""

    @classmethod
    def config_type(cls) -> Any:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "PlatformStorage":
        return cls(_address(), inst_data=inst_data)


def _address() -> str:
    """The database's URL for SQLAlchemy. Without YT_DAGSTER_DATABASE_URL, the platform's databases are brought up for
    as long as this process lives, and its children find the variable set.

    Raises what `load_settings`, `open_platform` and `only_one` do.
    """
    close_umask()  # whoever can connect to the socket of a code server runs code here
    settings = load_settings()
    if settings.dagster_database_url:
        return sqlalchemy_url(settings.dagster_database_url.get_secret_value())
    held = ExitStack()
    atexit.register(held.close)
    if sys.argv[1:2] == ["dev"]:  # its daemon beside that of `up` would start everything twice
        held.enter_context(only_one(settings.home))
    url = sqlalchemy_url(held.enter_context(open_platform(settings)).urls.dagster)
    os.environ["YT_DAGSTER_DATABASE_URL"] = url
    return url
