"""The YouTube Reporting API: jobs of an account, what they have reported since the last time, and the files.

Here: calls, retries, and which reports are new: those that are listed (YouTube keeps files for 60 days) and not stored.
Not here: the way of a file into the store (`youtube/reporting_api/files.py`), what is in it
(`youtube/reporting_api/reports.py`), and credentials (`youtube/accounts/credentials.py`). Calls cost no quota of the
Data API.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import google_auth_httplib2
import httplib2
from google.auth.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from yt_platform.progress import Progress
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.client import (
    ATTEMPTS,
    GROWTH,
    TIMEOUT_SECONDS,
    ConfigurationError,
    ItemError,
    UnavailableError,
    pause,
)
from yt_platform.youtube.data_api.errors import Kind, Refusal
from yt_platform.youtube.pulls import Origin
from yt_platform.youtube.reporting_api.files import Spooled, TruncatedError, keep, spool
from yt_platform.youtube.reporting_api.reports import (
    FAMILIES,
    ReportHead,
    family_of,
    instant_of,
    newest_types,
    unknown_columns,
)

BLOCK_BYTES = 1 << 18
ENDPOINTS = [family.endpoint for family in FAMILIES]
"""Raw endpoints that hold reports."""

GIVE_UP_AFTER = 3
"""Reports of a pull that could not be downloaded: one may be broken, so many say that the service is."""

_RIGHTS = (
    "enable the YouTube Reporting API for the project in the Google Cloud console, and authorise the account again "
    "with every box ticked"
)
Found = TypeVar("Found")


class _PassingError(RuntimeError):
    """A try that failed and may not the next time."""

    def __init__(self, reason: str, kind: Kind = Kind.TRANSIENT, wait: float = 0.0) -> None:
        self.growth, self.wait = GROWTH[kind], wait
        super().__init__(reason)


class ReportingClient:
    """The API at `endpoint` (None: Google's) for one account; `wait` sleeps between tries. For one thread."""

    def __init__(
        self,
        credentials: Credentials,
        content_owner: str | None,
        endpoint: str | None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credentials, self._wait = credentials, wait
        self._for = {"onBehalfOfContentOwner": content_owner} if content_owner else {}
        self._service = build(
            "youtubereporting",
            "v1",
            http=google_auth_httplib2.AuthorizedHttp(credentials, httplib2.Http(timeout=TIMEOUT_SECONDS)),
            client_options={"api_endpoint": endpoint} if endpoint else None,
            static_discovery=True,  # the document inside the package: nothing is fetched at start
        )
        self._base = endpoint or "https://youtubereporting.googleapis.com"

    def __enter__(self) -> "ReportingClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._service.close()

    def report_types(self) -> list[dict[str, Any]]:
        """Types the account is offered."""
        return self._listed(self._service.reportTypes(), "reportTypes")

    def jobs(self) -> list[dict[str, Any]]:
        return self._listed(self._service.jobs(), "jobs")

    def create_job(self, report_type: str) -> dict[str, Any]:
        """Raises ConfigurationError where the account may not have such reports."""
        body = {"reportTypeId": report_type, "name": f"yt-platform {report_type}"}
        return self._call("jobs.create", self._service.jobs().create(body=body, **self._for))

    def reports(self, job_id: str) -> list[dict[str, Any]]:
        """Reports that YouTube has, those made first before others."""
        found = self._listed(self._service.jobs().reports(), "reports", jobId=job_id)
        return sorted(found, key=lambda report: (instant_of(report["createTime"]), report["id"]))

    def download(self, url: str, head: ReportHead, file: Path) -> Spooled:
        """The report at `url`, as the store takes it, in `file`. Raises ItemError for one that YouTube has no longer.

        Raises ConfigurationError for a URL elsewhere than at the API: the account's token goes with the request.
        """
        if not url.startswith(f"{self._base.rstrip('/')}/"):
            raise ConfigurationError(f"{head}: its address {url[:60]} is not at {self._base}, and is not asked")
        return self._patiently("media.download", lambda: self._download(url, head, file))

    def _listed(self, resource: Any, name: str, **parameters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        request = resource.list(**parameters, **self._for)
        while request is not None:
            page = self._call(f"{name}.list", request)
            found += page.get(name, [])
            request = resource.list_next(request, page)
        return found

    def _call(self, method: str, request: Any) -> dict[str, Any]:
        def attempt() -> dict[str, Any]:
            try:
                found: dict[str, Any] = request.execute()
            except HttpError as error:
                raise _fault(method, error.status_code, error.content, error.resp.get("retry-after")) from None
            except (OSError, httplib2.HttpLib2Error, httplib2.http.client.HTTPException, json.JSONDecodeError) as error:
                raise _PassingError(type(error).__name__) from None
            return found

        return self._patiently(method, attempt)

    def _download(self, url: str, head: ReportHead, file: Path) -> Spooled:
        # imported here: it takes 0.1 s, which a location need not pay. It streams, where httplib2 holds the whole, and
        # sends no token along when it is sent elsewhere
        import requests
        from google.auth.transport.requests import AuthorizedSession
        from urllib3.exceptions import HTTPError

        try:
            with (
                AuthorizedSession(self._credentials) as session,
                session.get(url, stream=True, timeout=TIMEOUT_SECONDS, headers={"Accept-Encoding": "gzip"}) as answer,
            ):
                if answer.status_code != 200:
                    raise _fault(
                        "media.download", answer.status_code, answer.content, answer.headers.get("retry-after")
                    )
                packed = answer.headers.get("content-encoding", "") == "gzip"
                body = answer.raw.stream(BLOCK_BYTES, decode_content=False)
                return spool(head, body, packed, file)
        except (requests.RequestException, HTTPError, TruncatedError) as error:
            raise _PassingError(type(error).__name__) from None

    def _patiently(self, method: str, attempt: Callable[[], Found]) -> Found:
        """What `attempt` gives, tried up to `ATTEMPTS` times. Raises UnavailableError after the last."""
        for number in range(1, ATTEMPTS + 1):
            try:
                return attempt()
            except _PassingError as error:
                last = error
            if number < ATTEMPTS:
                self._wait(pause(number, last.wait, last.growth))
        raise UnavailableError(f"{method} failed {ATTEMPTS} times, last with {last}")


def _fault(method: str, status: int, body: bytes, retry_after: str | None) -> Exception:
    refusal = Refusal.read(status, body, retry_after)
    if refusal.kind in GROWTH:
        return _PassingError(refusal.reason, refusal.kind, refusal.wait)
    if refusal.kind is Kind.QUOTA:  # this API counts requests of a minute, too
        return _PassingError(refusal.reason, Kind.RATE)
    if method == "media.download" and status in (404, 410):
        return ItemError(refusal.reason)
    return ConfigurationError(f"YouTube refuses {method}: {refusal.reason}; {_RIGHTS}")


@dataclass
class Reported:
    """What was done for an account: reports and rows stored, what was left out and why, what could not be downloaded
    now, and columns nobody knows."""

    reports: int = 0
    rows: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unknown_columns: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportPull:
    """Pulls what is new of one account at the instant `now`; `spool` is a folder for files that arrive."""

    url: str
    store: RawStore
    client: ReportingClient
    account: str
    origin: Origin
    source: str
    now: Callable[[], datetime]
    spool: Path
    progress: Progress

    def pull(self) -> Reported:
        """Make jobs that are wanting, and store every report not stored yet. What was stored stays whatever happens.

        Raises ConfigurationError, and UnavailableError, for single reports after all others.
        """
        done = Reported()
        for job in self._jobs(done):
            self._pull_job(str(job["id"]), str(job["reportTypeId"]), done)
        self._raise_failures(done, most=0)
        return done

    def _jobs(self, done: Reported) -> Iterator[dict[str, Any]]:
        """A job of every type that is wanted and allowed."""
        wanted = newest_types(self.client.report_types(), self.now())
        known = {job["reportTypeId"]: job for job in self.client.jobs() if "expireTime" not in job}
        for report_type in wanted:
            try:
                yield known.get(report_type) or self.client.create_job(report_type)
            except ConfigurationError as refusal:
                family = family_of(report_type)
                if not (family and family.monetary):
                    raise
                done.skipped[f"{self.account} {report_type}"] = (
                    f"{refusal}. Revenue needs the monetary scope and the partner programme"
                )

    def _pull_job(self, job_id: str, report_type: str, done: Reported) -> None:
        stored = self._stored()
        new = [report for report in self.client.reports(job_id) if report["id"] not in stored]
        for number, report in enumerate(new, start=1):
            self._take(report, job_id, report_type, done)
            self._raise_failures(done, most=GIVE_UP_AFTER - 1)
            self.progress(number, len(new), f"raw.reports, {self.account} {report_type}")

    def _raise_failures(self, done: Reported, most: int) -> None:
        if len(done.failed) > most:
            raise UnavailableError("; ".join(f"{head}: {why}" for head, why in done.failed.items()))

    def _take(self, report: dict[str, Any], job_id: str, report_type: str, done: Reported) -> None:
        head = ReportHead(
            self.account,
            report_type,
            job_id,
            str(report["id"]),
            instant_of(report["startTime"]),
            instant_of(report["createTime"]),
            self.now(),
            self.source,
        )
        file = self.spool / "report"
        try:
            spooled = self.client.download(str(report["downloadUrl"]), head, file)
        except ItemError as error:
            done.skipped[str(head)] = f"YouTube has it no longer: {error.reason}"
            return
        except UnavailableError as error:
            done.failed[str(head)] = str(error)
            return
        if keep(self.url, self.store, spooled, self.origin):
            done.reports += 1
            done.rows += spooled.rows
        if unknown := unknown_columns(head.family, spooled.header):
            done.unknown_columns[report_type] = unknown
        file.unlink()

    def _stored(self) -> set[str]:
        rows = Warehouse(self.url).records("SELECT report_id FROM raw.reports WHERE account = $1", (self.account,))
        return {row["report_id"] for row in rows}
