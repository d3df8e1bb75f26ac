"""Calls of the YouTube Analytics API for one account: a checked query to its rows.

Not here: which queries there are (`core/analytics.py`), and who may ask (`io/accounts.py`).
"""

from typing import Any

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from yt_platform.core.analytics import Query, QueryError
from yt_platform.core.errors import Kind, classify, reasons, telling
from yt_platform.io.accounts import MONETARY, Account, AuthorizationError
from yt_platform.io.youtube import UnavailableError

RETRIES = 1


class NotAllowedError(RuntimeError):
    """The account may not see this; nothing else of it is affected, so that a caller skips it with `reason`."""

    def __init__(self, account: str, reason: str, remedy: str) -> None:
        self.account, self.reason, self.remedy = account, reason, remedy
        super().__init__(f"account {account}: {reason}; {remedy}")


def query(account: Account, asked: Query, endpoint: str | None) -> dict[str, Any]:
    """The API's answer, which `core.analytics` reads. `endpoint` None is Google's.

    Raises QueryError before the call for no documented combination, and for what the API refuses all the same;
    NotAllowedError for revenue that may not be seen, AuthorizationError where the account may not be used at all,
    UnavailableError where the API does not answer.
    """
    parameters = asked.parameters()
    if asked.is_monetary and MONETARY not in account.scopes:
        raise NotAllowedError(
            account.name,
            "revenue was not granted to it",
            "authorise again with `yt-platform accounts add ... --monetary`",
        )
    ids = f"contentOwner=={account.content_owner}" if account.content_owner else "channel==MINE"
    options = {"api_endpoint": endpoint} if endpoint else None
    try:
        with build(
            "youtubeAnalytics", "v2", credentials=account.credentials, client_options=options, static_discovery=True
        ) as service:
            answer: dict[str, Any] = service.reports().query(ids=ids, **parameters).execute(num_retries=RETRIES)
            return answer
    except HttpError as error:
        raise _refused(account, asked, error) from None
    except (OSError, httplib2.HttpLib2Error) as error:
        raise UnavailableError(
            f"account {account.name}: YouTube Analytics cannot be reached ({type(error).__name__})"
        ) from None


def _refused(account: Account, asked: Query, error: HttpError) -> Exception:
    named = reasons(error.content)
    code = telling(named) or f"HTTP {error.status_code}"
    if classify(error.status_code, named) in (Kind.QUOTA, Kind.TRANSIENT):
        return UnavailableError(f"account {account.name}: YouTube Analytics does not answer ({code}); try again later")
    if error.status_code == 400:
        return QueryError(f"YouTube Analytics knows no report of these metrics, dimensions and filters ({code})")
    if error.status_code == 403 and asked.is_monetary:
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
