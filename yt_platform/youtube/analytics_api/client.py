"""Calls of the YouTube Analytics API for one account: a checked query to its answer.

Not here: which queries there are (`youtube/analytics_api/queries.py`), who may ask (`youtube/accounts/credentials.py`),
and which answers are kept (`youtube/analytics_api/retention.py`, `youtube/analytics_api/revenue.py`).
"""

import json
from typing import Any

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from yt_platform.youtube.accounts.credentials import MONETARY, Account, AuthorizationError
from yt_platform.youtube.analytics_api.queries import Query, QueryError
from yt_platform.youtube.data_api.client import UnavailableError, as_received, json_text
from yt_platform.youtube.data_api.errors import Kind, Refusal

RETRIES = 1
DISABLED = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
"""Reasons of a project, which say nothing of the channel."""


class NotAllowedError(RuntimeError):
    """The account may not see this; nothing else of it is affected, so that a caller skips it with `reason`."""

    def __init__(self, account: str, reason: str, remedy: str) -> None:
        self.account, self.reason, self.remedy = account, reason, remedy
        super().__init__(f"account {account}: {reason}; {remedy}")


class AnalyticsClient:
    """The API at `endpoint` (None: Google's) for one account. For one thread."""

    def __init__(self, account: Account, endpoint: str | None) -> None:
        self._account = account
        self.ids = f"contentOwner=={account.content_owner}" if account.content_owner else "channel==MINE"
        self._service = build(
            "youtubeAnalytics",
            "v2",
            credentials=account.credentials,
            client_options={"api_endpoint": endpoint} if endpoint else None,
            static_discovery=True,  # the document inside the package: nothing is fetched at start
        )

    def __enter__(self) -> "AnalyticsClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._service.close()

    def call(self, asked: Query) -> str:
        """The answer as received, a JSON object.

        Raises QueryError before the call for no documented combination, and for what the API refuses all the same;
        NotAllowedError for revenue that may not be seen, AuthorizationError where the account may not be used at all,
        UnavailableError where the API does not answer.
        """
        parameters, account = asked.parameters(), self._account
        if asked.is_monetary and MONETARY not in account.scopes:
            raise NotAllowedError(
                account.name,
                "revenue was not granted to it",
                "authorise again with `yt-platform accounts add ... --monetary`",
            )
        request = self._service.reports().query(ids=self.ids, **parameters)
        request.postproc = as_received
        try:
            body = json_text(request.execute(num_retries=RETRIES))
        except HttpError as error:
            raise _refused(account, asked, error) from None
        except (OSError, httplib2.HttpLib2Error, httplib2.http.client.HTTPException) as error:
            raise UnavailableError(
                f"account {account.name}: YouTube Analytics cannot be reached ({type(error).__name__})"
            ) from None
        if body is None:
            raise UnavailableError(f"account {account.name}: YouTube Analytics answers what is no JSON")
        return body


def query(account: Account, asked: Query, endpoint: str | None) -> dict[str, Any]:
    """One answer, which `core.analytics` reads. Raises like `AnalyticsClient.call`."""
    with AnalyticsClient(account, endpoint) as client:
        answer: dict[str, Any] = json.loads(client.call(asked))
        return answer


def _refused(account: Account, asked: Query, error: HttpError) -> Exception:
    refusal = Refusal.read(error.status_code, error.content)
    code, kind = refusal.reason, refusal.kind
    if kind in (Kind.QUOTA, Kind.RATE, Kind.TRANSIENT):
        return UnavailableError(f"account {account.name}: YouTube Analytics does not answer ({code}); try again later")
    if error.status_code == 400 or kind is Kind.ITEM:
        return QueryError(f"YouTube Analytics knows no report of these metrics, dimensions and filters ({code})")
    if error.status_code == 403 and asked.is_monetary and DISABLED.isdisjoint(refusal.reasons):
        return NotAllowedError(
            account.name,
            f"YouTube shows it no revenue ({code}): the channel may not be in the partner programme",
            "ask for the other metrics alone",
        )
    return AuthorizationError(
        account.name,
        code,
        f"YouTube Analytics refuses it ({code})",
        "enable the YouTube Analytics API in its project, or authorise again with `yt-platform accounts add`",
    )
