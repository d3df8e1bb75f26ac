"""What every pull of YouTube Analytics for an account has, and how an answer of it is kept.

Not here: which queries are due (`youtube/analytics_api/retention.py`, `youtube/analytics_api/revenue.py`), and a single
call (`youtube/analytics_api/client.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from yt_platform.metrics.tables import OWNER
from yt_platform.progress import Progress
from yt_platform.storage.raw import Answer, RawStore
from yt_platform.youtube.accounts.credentials import Account
from yt_platform.youtube.analytics_api.client import AnalyticsClient
from yt_platform.youtube.analytics_api.queries import Query
from yt_platform.youtube.pulls import Origin

METHOD = "reports.query"


@dataclass(frozen=True)
class AnalyticsPull:
    """A pull for one account; rows are labelled `source`."""

    url: str
    store: RawStore
    client: AnalyticsClient
    account: Account
    origin: Origin
    source: str
    now: Callable[[], datetime]
    progress: Progress

    def answer(self, query: Query, channel_id: str) -> Answer:
        """The answer as it is kept. Raises what `AnalyticsClient.call` does."""
        body = self.client.call(query)
        parameters = {
            "ids": self.client.ids,
            **query.parameters(),
            # not of the call: its rows are theirs
            "account": self.account.name,
            "channel_id": channel_id,
        }
        return Answer(self.source, OWNER, self.now(), METHOD, parameters, body)
