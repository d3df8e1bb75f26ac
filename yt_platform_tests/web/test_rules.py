"""The rules are pure: a request is a method, a path and headers, and the answer is a refusal or none."""

from http import HTTPStatus

import pytest

from yt_platform.web.rules import (
    DAGSTER,
    MLFLOW,
    WEBSOCKET,
    Addresses,
    Asked,
    Page,
    Refusal,
    refused_address,
    refused_route,
)

HERE = "127.0.0.1:3000"
JSON = {"content-type": "application/json"}
PUBLIC = Addresses.at("https://Dagster.example.org/")


def asked(method: str, path: str = "/", **headers: str) -> Asked:
    return Asked(method, path, {"host": HERE, **{name.replace("_", "-"): value for name, value in headers.items()}})


def status(refusal: Refusal | None) -> int | None:
    return refusal.status.value if refusal else None


@pytest.mark.parametrize("host", [HERE, "localhost:8080", "LOCALHOST", "[::1]:3000", "127.0.0.1"])
def test_loopback_is_known_by_any_port_as_tunnels_have_their_own(host: str) -> None:
    assert refused_address(asked("GET", host=host), Addresses.at(None)) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "evil@127.0.0.1",
        "127.0.0.1:x",
        "localhost.",
        "dagster.example.org",
    ],
)
def test_another_name_is_a_site_that_leads_here_by_its_dns(host: str) -> None:
    assert status(refused_address(asked("GET", host=host), Addresses.at(None))) == HTTPStatus.FORBIDDEN


def test_the_public_address_is_known_where_it_is_set() -> None:
    for host in ("dagster.example.org", "dagster.example.org:443", HERE):
        assert refused_address(asked("POST", host=host, origin="https://dagster.example.org"), PUBLIC) is None
    assert refused_address(asked("POST", host="dagster.example.org", origin="http://dagster.example.org"), PUBLIC)
    assert [PUBLIC.is_encrypted(host) for host in ("dagster.example.org", HERE)] == [True, False]
    odd = Addresses.at("http://dagster.example.org:8443")
    assert odd.is_own("http://dagster.example.org:8443", HERE)
    assert not odd.is_encrypted("dagster.example.org:8443")


@pytest.mark.parametrize("method", ["GET", "POST", WEBSOCKET])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "http://127.0.0.1:4444", "http://localhost:3000", f"https://{HERE}", "http://"],
)
def test_a_foreign_origin_is_refused(method: str, origin: str) -> None:
    """Another port of the same machine, too: any of its users may serve pages there."""
    assert status(refused_address(asked(method, origin=origin), Addresses.at(None))) == HTTPStatus.FORBIDDEN


def test_what_browsers_say_of_the_asking_site_is_heard() -> None:
    """A page of another site gets nothing, by no method; a link to a page may be followed from anywhere."""
    for site in ("cross-site", "same-site"):
        assert refused_address(asked("GET", sec_fetch_site=site, sec_fetch_mode="no-cors"), PUBLIC)
        navigation = {"sec_fetch_site": site, "sec_fetch_mode": "navigate"}
        assert refused_address(asked("GET", sec_fetch_dest="document", **navigation), PUBLIC) is None
        assert refused_address(asked("GET", sec_fetch_dest="iframe", **navigation), PUBLIC)
        assert refused_address(asked("POST", sec_fetch_dest="document", **navigation), PUBLIC)
    for site in ("same-origin", "none"):
        assert refused_address(asked("GET", sec_fetch_site=site), PUBLIC) is None


@pytest.mark.parametrize("path", ["/logs/../../x", "/static-files/..", "/a\\..\\b", "/get-artifact\0"])
def test_a_path_climbs_nowhere(path: str) -> None:
    assert status(refused_address(asked("GET", path), Addresses.at(None))) == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/", {}, None),
        ("HEAD", "/runs/1", {}, None),
        ("GET", "/graphqlx", {}, None),
        ("GET", "/graphql", {}, 405),
        ("HEAD", "/graphql", {}, 405),
        ("PUT", "/graphql", JSON, 405),
        ("POST", "/graphql", JSON, None),
        ("POST", "/graphql", {"content-type": "Application/JSON; charset=utf-8"}, None),
        ("POST", "/graphql", {}, 415),
        ("POST", "/graphql", {"content-type": "text/plain; application/json"}, 415),
        ("POST", "/graphql", {"content-type": "application/graphql"}, 415),
        ("POST", "/graphql", {"content-type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/", JSON, 405),
        ("DELETE", "/runs/1", {}, 405),
        (WEBSOCKET, "/graphql", {}, None),
        (WEBSOCKET, "/other", {}, 405),
        ("GET", "/notebook", {}, 403),
        ("GET", "/dagit/notebook", {}, 403),
        ("POST", "/report_asset_materialization/raw/videos", {}, None),
    ],
)
def test_routes_of_dagster(method: str, path: str, headers: dict[str, str], expected: int | None) -> None:
    request = Asked(method, path, {"host": HERE, "origin": f"http://{HERE}", **headers})
    assert status(refused_route(request, DAGSTER, by_session=False)) == expected
    reports = path.startswith("/report_asset")
    assert status(refused_route(request, DAGSTER, by_session=True)) == (403 if reports else expected)


@pytest.mark.parametrize("page", [DAGSTER, MLFLOW])
def test_a_session_alone_changes_nothing_without_an_origin(page: Page) -> None:
    """A browser sends the cookie unasked, and says with Origin for whom; scripts have the token."""
    request = asked("POST", "/graphql", content_type="application/json")
    assert status(refused_route(request, page, by_session=True)) == HTTPStatus.FORBIDDEN
    assert refused_route(request, page, by_session=False) is None


@pytest.mark.parametrize("prefix", ["/ajax-api/2.0/mlflow", "/api/2.0/mlflow", "/ajax-api/3.0/mlflow"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/experiments/create"),
        ("POST", "/experiments/update"),
        ("POST", "/runs/create"),
        ("POST", "/runs/log-batch"),
        ("POST", "/runs/create-promptlab-run"),
        ("POST", "/model-versions/create"),
        ("DELETE", "/model-versions/delete"),
        ("POST", "/registered-models/alias"),
        ("POST", "/logged-models"),
        ("PATCH", "/logged-models/m-1"),
        ("POST", "/traces"),
        ("GET", "/get-trace-artifact"),
        ("POST", "/upload-artifact"),
        ("POST", "/artifacts/presigned-upload-url"),
        ("GET", "/gateway-proxy"),
        ("POST", "/gateway-proxy"),
        ("POST", "/gateway/secrets/create"),
        ("GET", "/gateway/secrets/list"),
        ("POST", "/webhooks"),
        ("GET", "/webhooks"),
        ("POST", "/webhooks/1/test"),
        ("POST", "/jobs"),
        ("GET", "/jobs/1"),
        ("POST", "/assistant/message"),
        ("POST", "/scorer/invoke"),
        ("POST", "/scorers/register"),
        ("POST", "/demo/generate"),
        ("POST", "/genai/evaluate/invoke"),
        ("GET", "/ui-telemetry"),
    ],
)
def test_routes_of_mlflow_that_write_run_or_fetch_are_shut(prefix: str, method: str, path: str) -> None:
    refusal = refused_route(asked(method, prefix + path, **{"content-type": "application/json"}), MLFLOW, False)
    assert refusal is not None
    assert "yt-platform" in refusal.reason


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/x"),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/x"),
        ("POST", "/v1/traces"),
        ("POST", "/gateway/endpoint/mlflow/invocations"),
        ("GET", "/ajax-api/2.0/mlflow/runs/search/../../x"),
        (WEBSOCKET, "/graphql"),
        ("GET", "/graphql"),
    ],
)
def test_other_routes_of_mlflow_are_shut(method: str, path: str) -> None:
    assert refused_route(asked(method, path, **{"content-type": "application/json"}), MLFLOW, by_session=False)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/static-files/static/js/main.js"),
        ("GET", "/get-artifact"),
        ("GET", "/ajax-api/2.0/mlflow/artifacts/list"),
        ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"),
        ("GET", "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files"),
        ("GET", "/api/2.0/mlflow/registered-models/alias"),
        ("POST", "/ajax-api/2.0/mlflow/runs/search"),
        ("POST", "/graphql"),
    ],
)
def test_what_mlflow_shows_is_open(method: str, path: str) -> None:
    request = asked(method, path, content_type="application/json", origin=f"http://{HERE}")
    assert refused_route(request, MLFLOW, by_session=True) is None
