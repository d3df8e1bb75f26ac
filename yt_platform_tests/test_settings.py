"""Settings are read from the environment and a .env file, so a process's environment is the boundary."""

from pathlib import Path

import pytest

from yt_platform.settings import PROJECT_ROOT, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / ".yt"
    assert settings.partitions_start.isoformat() == "2017-01-01"
    assert settings.raw_location == str(tmp_path / ".yt" / "raw")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("YT_HOEM", "x"),
        ("YT_WEBSERVER_PORT", "many"),
        ("YT_WEBSERVER_PORT", "70000"),
        ("YT_PARTITIONS_START", "yesterday"),
        ("YT_PARTITIONS_START", "2999-01-01"),
        ("YT_PARTITIONS_START", "1999-01-01"),
        ("YT_DATABASE_URL", "mysql://x"),
        ("YT_DATABASE_URL", "postgresql://host:x/youtube"),
        ("YT_RAW_URL", "bogus://bucket/raw"),
        ("YT_KEEP_RUN_LOGS_DAYS", "99999999999"),
        ("YT_TUNING_MINUTES", "inf"),
        ("YT_RETRAIN_COOLDOWN_HOURS", "1e400"),
        ("YT_REVENUE_AFFILIATE_SHARE", "nan"),
        ("YT_UI_TOKEN", "short"),
        ("YT_UI_TOKEN", "with spaces, " * 5),
        ("YT_MLFLOW_UI_URL", "mlflow.example.org"),
        ("YT_PRIVACY_POLICY_URL", "javascript:alert(1)"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_a_wrong_value_is_not_repeated_where_it_may_hold_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YT_DATABASE_URL", "mysql://user:hunter2@host/db")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YT_DATABASE_URL", "postgresql://user:hunter2@host/db")
    assert "hunter2" not in repr(load_settings())


def test_variables_of_tests_are_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YT_TEST_ANYTHING", "x")
    load_settings()


def test_dotenv_is_read_and_checked(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("YT_WEBSERVER_PORT=4000\n")
    assert load_settings().webserver_port == 4000
    (tmp_path / ".env").write_text("YT_WEBSEVER_PORT=4000\n")
    with pytest.raises(SettingsError, match="YT_WEBSEVER_PORT"):
        load_settings()


def test_the_example_lists_every_setting_and_no_other() -> None:
    lines = (PROJECT_ROOT / ".env.example").read_text().splitlines()
    listed = {line.removeprefix("# ").split("=")[0] for line in lines if "=" in line and "YT_" in line.split("=")[0]}
    assert listed == {f"YT_{name.upper()}" for name in Settings.model_fields}


def test_a_key_needs_a_declared_policy_and_the_error_explains_the_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YT_API_KEY", "AIza-secret")
    with pytest.raises(SettingsError, match="YT_POLICY_MODE must be set") as raised:
        load_settings()
    assert all(f"'{mode}' for" in str(raised.value) for mode in ("owned", "amended", "strict"))
    assert "AIza-secret" not in str(raised.value)
    monkeypatch.setenv("YT_POLICY_MODE", "strict")
    assert load_settings().policy_mode == "strict"
    assert "AIza-secret" not in repr(load_settings())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:SEC%zzRET@127.0.0.1:1/x",
        "postgresql://u:SEC RET@127.0.0.1:1/x",
        "postgresql://u:SEC#RET@127.0.0.1:1/x",
        "postgresql://u:SECRET@127.0.0.1:1/x?bogus=1",
        "postgresql://u:SECRET@[::1/x",
        "postgresql://u:SECRET@127.0.0.1:1/",
    ],
)
def test_a_url_libpq_cannot_read_is_named_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq's own message repeats the password."""
    monkeypatch.setenv("YT_DATABASE_URL", url)
    with pytest.raises(SettingsError, match=r"^YT_DATABASE_URL: ") as raised:
        load_settings()
    assert "SEC" not in str(raised.value)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty YT_HOME once put the state into the current folder."""
    monkeypatch.setenv("YT_HOME", "")
    assert load_settings().home.name == ".yt"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"YT_ALERT_WEBHOOK_URL": "hooks.example.org/hunter2"}, "YT_ALERT_WEBHOOK_URL"),
        ({"YT_ALERT_SMTP_URL": "smtp://me:hun/ter2@host"}, "YT_ALERT_SMTP_URL"),
        ({"YT_ALERT_SMTP_URL": "http://me:hunter2@host"}, "YT_ALERT_SMTP_URL"),
        ({"YT_ALERT_SMTP_URL": "smtp://me:hunter2@host"}, "set YT_ALERT_MAIL_FROM, YT_ALERT_MAIL_TO"),
        ({"YT_ALERT_MAIL_TO": "a@example.org"}, "set YT_ALERT_SMTP_URL, YT_ALERT_MAIL_FROM"),
        ({"YT_ALERT_MAIL_TO": "a@example.org, b"}, "'b' is no address"),
        ({"YT_ALERT_MAIL_FROM": "a@example.org\nBcc: b@example.org"}, "YT_ALERT_MAIL_FROM"),
        ({"YT_UI_URL": "dagster.example.org"}, "YT_UI_URL"),
    ],
)
def test_where_alerts_go_is_checked_at_start(
    variables: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=named) as raised:
        load_settings()
    assert "hun" not in str(raised.value)


def test_where_alerts_go_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YT_ALERT_WEBHOOK_URL", "https://hooks.example.org/hunter2")
    monkeypatch.setenv("YT_ALERT_SMTP_URL", "smtp://me:hunter2@host:587")
    monkeypatch.setenv("YT_ALERT_MAIL_FROM", "a@example.org")
    monkeypatch.setenv("YT_ALERT_MAIL_TO", "b@example.org, c@example.org")
    settings = load_settings()
    assert "hunter2" not in repr(settings)
    assert settings.mail_recipients == ["b@example.org", "c@example.org"]
    assert settings.ui_base == "http://127.0.0.1:3000"
