"""The one typed description of every `YT_*` setting, read from the environment and `.env` and checked at start."""

import os
import re
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from fsspec import available_protocols
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from yt_platform.constants import FIRST_DAY, HUB, KINDS, PolicyMode
from yt_platform.errors import MisuseError
from yt_platform.youtube.data_api.quota import Bucket

if TYPE_CHECKING:
    from yt_platform.metrics.revenue import RevenueRates

PREFIX = "YT_"
TEST_PREFIX = "YT_TEST_"
EnvironmentName = Literal["production", "development"]
FORECAST_EVERY = (5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440)
PROJECT_ROOT = Path(__file__).resolve().parents[1]
TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}")
"""What a token of the UIs may look like: too long to guess, and the same in a URL, a header and a file."""


class SettingsError(MisuseError):
    """A `YT_*` variable is unknown or malformed; the message names it and says what is expected."""


class Settings(BaseSettings):
    """Every field is the environment variable `YT_<FIELD>`; `.env.example` lists them with their defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    home: Path = Field(Path(".yt"), description="Folder of all state: embedded database, raw files, model bundles")
    database_url: SecretStr | None = Field(None, description="Warehouse on another PostgreSQL 15 or newer")
    dagster_database_url: SecretStr | None = Field(None, description="Database of Dagster's run and event storage")
    mlflow_database_url: SecretStr | None = Field(None, description="Database of MLflow's tracking store")
    raw_url: str | None = Field(None, description="Where raw files live: a folder or an fsspec URL; default HOME/raw")
    environment: EnvironmentName = Field(
        "production", description="development: nothing runs by itself, a person asks for every run"
    )
    partitions_start: date = Field(date(2017, 1, 1), description="First UTC day of every partitioned asset")
    webserver_port: int = Field(3000, ge=1, le=65535, description="Port of Dagster's UI on loopback")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of MLflow's UI on loopback")
    api_key: SecretStr | None = Field(None, description="Key of the YouTube Data API; needs YT_POLICY_MODE")
    api_endpoint: str | None = Field(
        None, description="Server that speaks the API instead of Google's, like the sandbox"
    )
    push_url: str | None = Field(
        None, description="Public address at which a WebSub hub reaches the receiver, for uploads told as they happen"
    )
    push_port: int = Field(8600, ge=1, le=65535, description="Port of that receiver on loopback")
    push_hub: str = Field(HUB, description="The WebSub hub; default Google's")
    policy_mode: PolicyMode | None = Field(None, description="What YouTube's terms let you do: owned, amended, strict")
    quota_units: int = Field(10_000, ge=1, description="Units a day of the API's shared bucket")
    quota_stats_units: int = Field(10_000, ge=1, description="Units a day of the bucket of videos.batchGetStats")
    quota_share: float = Field(0.9, gt=0, le=1, description="Share of each bucket that is spent at most")
    revenue_per_thousand_views: float = Field(2.0, ge=0, description="Revenue estimate: for 1,000 views")
    revenue_engaged_above: float = Field(0.02, ge=0, description="Revenue estimate: engagement that raises it")
    revenue_engaged_factor: float = Field(1.2, ge=0, description="Revenue estimate: raised by this factor")
    revenue_highly_engaged_above: float = Field(
        0.05, ge=0, description="Revenue estimate: engagement that raises it more"
    )
    revenue_highly_engaged_factor: float = Field(1.5, ge=0, description="Revenue estimate: raised by this factor then")
    revenue_affiliate_share: float = Field(0.1, ge=0, description="Affiliate estimate, as a share of the revenue")
    revenue_sponsored_above_daily_views: float = Field(
        10_000, ge=0, description="Sponsorship estimate: views a day from which on a channel is sponsored"
    )
    revenue_sponsorship_per_view: float = Field(
        0.001, ge=0, description="Sponsorship estimate: for a view beyond those"
    )
    forecast_every_minutes: int = Field(60, description="Minutes between looks at what is to be forecast")
    retrain_cooldown_hours: float = Field(24, ge=0, description="Hours between trainings by cause, at least")
    keep_backups_days: int = Field(30, ge=1, le=30, description="Days that a backup may be kept and restored")
    keep_run_logs_days: int = Field(90, ge=1, le=36_500, description="Days that logs of finished runs are kept")
    ui_url: str | None = Field(None, description="Where people open Dagster's UI; default its port on loopback")
    mlflow_ui_url: str | None = Field(None, description="Where people open MLflow's UI; default its port on loopback")
    ui_token: SecretStr | None = Field(
        None, description="Token that opens both UIs; default the one in HOME/ui-token, made at the first start"
    )
    privacy_policy_url: str | None = Field(None, description="The operator's privacy policy, linked on every page")
    alert_webhook_url: SecretStr | None = Field(None, description="Webhook that takes Slack's messages, for alerts")
    alert_smtp_url: SecretStr | None = Field(
        None, description="Mail server for alerts: smtp://user:password@host:587 or smtps://host:465"
    )
    alert_smtp_cleartext: bool = Field(
        False, description="Mail may go unencrypted to a server that offers no STARTTLS; never with a password"
    )
    alert_mail_from: str | None = Field(None, description="Sender of alerts by mail")
    alert_mail_to: str | None = Field(None, description="Recipients of alerts by mail, by commas")
    threads: int = Field(2, ge=1, le=256, description="Threads a model may train with")
    candidates: str = Field("lightgbm,lstm,ensemble", description="Kinds of model a training tries, by commas")
    tuning_minutes: float = Field(10, gt=0, description="Minutes a tuning may take")
    tuning_trials: int = Field(40, ge=2, description="Trials a tuning makes of each kind of model on the same data")
    tuning_workers: int = Field(2, ge=1, le=64, description="Trials at once, which share YT_THREADS")
    folds: int = Field(1, ge=1, le=12, description="Rolling-origin folds of 28 days that candidates are scored on")

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("partitions_start")
    @classmethod
    def _in_the_past(cls, start: date) -> date:
        if not FIRST_DAY <= start <= datetime.now(UTC).date():
            raise ValueError("must lie between 2005-02-14, when YouTube began, and today")
        return start

    @field_validator("forecast_every_minutes")
    @classmethod
    def _parts_of_a_day(cls, minutes: int) -> int:
        if minutes not in FORECAST_EVERY:
            raise ValueError(
                f"must be one of {', '.join(map(str, FORECAST_EVERY))}: cron divides hours and days evenly"
            )
        return minutes

    @field_validator("raw_url")
    @classmethod
    def _known_store(cls, url: str | None) -> str | None:
        protocol, separated, _ = (url or "").partition("://")
        if separated and protocol not in available_protocols():
            raise ValueError(
                f"{protocol}:// is no store that fsspec knows: name a folder, or a URL like s3://bucket/raw"
            )
        return url

    @field_validator("database_url", "dagster_database_url", "mlflow_database_url")
    @classmethod
    def _postgres_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("postgresql://", "postgres://", "postgresql+psycopg2://")):
            raise ValueError("must be a postgresql:// URL")
        if url:
            _check_conninfo(url.get_secret_value())
        return url

    @field_validator("alert_webhook_url")
    @classmethod
    def _webhook_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not _names_a_host(url.get_secret_value(), "http", "https"):
            raise ValueError("must be an http:// or https:// URL with a host")
        return url

    @field_validator("alert_smtp_url")
    @classmethod
    def _smtp_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not _names_a_host(url.get_secret_value(), "smtp", "smtps"):
            raise ValueError(
                "must be smtp://user:password@host:587 or smtps://user:password@host:465, with special characters of "
                "user and password encoded, like %40 for @ and %2F for /"
            )
        return url

    @field_validator("alert_mail_from", "alert_mail_to")
    @classmethod
    def _mail_addresses(cls, addresses: str | None) -> str | None:
        for address in (addresses or "a@b").split(","):
            name, _, domain = address.strip().rpartition("@")
            if not name or not domain or any(character.isspace() for character in address.strip()):
                raise ValueError(f"{address.strip()!r} is no address like name@example.org")
        return addresses

    @field_validator("ui_token")
    @classmethod
    def _hard_to_guess(cls, token: SecretStr | None) -> SecretStr | None:
        if token and not TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("must have 32 to 256 letters, digits, - or _, as `openssl rand -hex 32` makes them")
        return token

    @field_validator("api_endpoint", "ui_url", "mlflow_ui_url", "privacy_policy_url", "push_url", "push_hub")
    @classmethod
    def _http_url(cls, url: str | None) -> str | None:
        if url and not _names_a_host(url, "http", "https"):
            raise ValueError("must be an http:// or https:// URL with a host")
        return url

    @model_validator(mode="after")
    def _declared_policy(self) -> "Settings":
        if self.api_key and not self.policy_mode:
            raise ValueError(
                "YT_POLICY_MODE must be set with YT_API_KEY, as YouTube's developer policies differ: "
                "'owned' for channels whose owners authorised you; "
                "'amended' for other people's channels under YouTube's Analytics & Reporting amendment; "
                "'strict' for other people's channels without it"
            )
        if self.policy_mode == "synthetic" and not self.api_endpoint:
            raise ValueError("YT_POLICY_MODE=synthetic is for a sandbox: YT_API_ENDPOINT must name it")
        return self

    @model_validator(mode="after")
    def _whole_mail(self) -> "Settings":
        parts = {"SMTP_URL": self.alert_smtp_url, "MAIL_FROM": self.alert_mail_from, "MAIL_TO": self.alert_mail_to}
        missing = [f"YT_ALERT_{name}" for name, value in parts.items() if not value]
        if 0 < len(missing) < len(parts):
            raise ValueError(
                f"alerts by mail need YT_ALERT_SMTP_URL, _MAIL_FROM and _MAIL_TO; set {', '.join(missing)}"
            )
        return self

    @field_validator("candidates")
    @classmethod
    def _known_kinds(cls, kinds: str) -> str:
        named = [kind.strip() for kind in kinds.split(",")]
        unknown = [kind for kind in named if kind not in KINDS]
        if unknown or len(set(named)) < len(named):
            raise ValueError(f"must name each kind once, of {', '.join(KINDS)}")
        return kinds

    @property
    def candidate_kinds(self) -> tuple[str, ...]:
        return tuple(kind.strip() for kind in self.candidates.split(","))

    @property
    def allowed_units(self) -> dict[Bucket, int]:
        """Units a day that may be spent of each bucket."""
        limits = {Bucket.DEFAULT: self.quota_units, Bucket.STATS: self.quota_stats_units}
        return {bucket: max(1, int(self.quota_share * limit)) for bucket, limit in limits.items()}

    @property
    def revenue_rates(self) -> "RevenueRates":
        from yt_platform.metrics.revenue import RevenueRates

        return RevenueRates(**{field.name: getattr(self, f"revenue_{field.name}") for field in fields(RevenueRates)})

    @property
    def ui_base(self) -> str:
        """Where the paths of Dagster's UI begin, without a slash at the end."""
        return (self.ui_url or f"http://127.0.0.1:{self.webserver_port}").rstrip("/")

    @property
    def mlflow_ui_base(self) -> str:
        """Where the paths of MLflow's UI begin, without a slash at the end."""
        return (self.mlflow_ui_url or f"http://127.0.0.1:{self.mlflow_port}").rstrip("/")

    @property
    def mail_recipients(self) -> list[str]:
        return [address.strip() for address in (self.alert_mail_to or "").split(",") if address.strip()]

    @property
    def raw_location(self) -> str:
        return self.raw_url or str(self.home / "raw")


def _names_a_host(url: str, *schemes: str) -> bool:
    """Whether the URL can be read, with one of the schemes and a host; the reader's own message would repeat it."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_conninfo(url: str) -> None:
    """Raises ValueError where libpq could not read the URL, without libpq's message: it repeats the password."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError for one that is no number, which libpq finds out when it connects
        conninfo_to_dict(url.replace("postgresql+psycopg2://", "postgresql://", 1))
    except (ValueError, ProgrammingError):
        raise ValueError(
            "is no URL that libpq can read: encode special characters of the password, like %20 for a space and "
            "%23 for #, and name only parameters of libpq"
        ) from None
    if parts.fragment or not parts.path.strip("/"):
        raise ValueError("names no database: end it with /youtube, say, and write # in a password as %23")


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
