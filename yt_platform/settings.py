"""The one typed description of every `YT_*` setting, read from the environment and `.env` and checked at start."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "YT_"
TEST_PREFIX = "YT_TEST_"
PROJECT_ROOT = Path(__file__).resolve().parents[1]


class SettingsError(ValueError):
    """A `YT_*` variable is unknown or malformed; the message names it and says what is expected."""


class Settings(BaseSettings):
    """Every field is the environment variable `YT_<FIELD>`; `.env.example` lists them with their defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path(".yt"), description="Folder of all state: embedded database, raw files, model bundles")
    database_url: SecretStr | None = Field(None, description="Warehouse on another PostgreSQL 15 or newer")
    dagster_database_url: SecretStr | None = Field(None, description="Database of Dagster's run and event storage")
    mlflow_database_url: SecretStr | None = Field(None, description="Database of MLflow's tracking store")
    raw_url: str | None = Field(None, description="Where raw files live: a folder or an fsspec URL; default HOME/raw")
    partitions_start: date = Field(date(2017, 1, 1), description="First UTC day of every partitioned asset")
    webserver_port: int = Field(3000, ge=1, le=65535, description="Port of Dagster's UI on loopback")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of MLflow's UI on loopback")
    threads: int = Field(2, ge=1, le=256, description="Threads a model may train with")

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("partitions_start")
    @classmethod
    def _in_the_past(cls, start: date) -> date:
        if not date(2005, 2, 14) <= start <= datetime.now(UTC).date():
            raise ValueError("must lie between 2005-02-14, when YouTube began, and today")
        return start

    @field_validator("database_url", "dagster_database_url", "mlflow_database_url")
    @classmethod
    def _postgres_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("postgresql://", "postgres://", "postgresql+psycopg2://")):
            raise ValueError("must be a postgresql:// URL")
        return url

    @property
    def raw_location(self) -> str:
        return self.raw_url or str(self.home / "raw")


def load_settings() -> Settings:
    """Settings from the environment and `.env`. Raises SettingsError naming every variable at fault."""
    unknown = sorted(_declared() - {PREFIX + name.upper() for name in Settings.model_fields})
    faults = [f"{name} is no setting; .env.example lists them all" for name in unknown]
    try:
        settings = Settings()
    except ValidationError as error:
        faults += [_fault(dict(item)) for item in error.errors(include_input=False, include_url=False)]
    if faults:
        raise SettingsError("; ".join(faults))
    return settings


def _declared() -> set[str]:
    names = {*os.environ, *dotenv_values(".env")}
    return {name for name in names if name.upper().startswith(PREFIX) and not name.startswith(TEST_PREFIX)}


def _fault(item: dict[str, Any]) -> str:
    variable = "".join(PREFIX + str(part).upper() for part in item["loc"][:1]) or "settings"
    return f"{variable}: {item['msg'].removeprefix('Value error, ')}"
