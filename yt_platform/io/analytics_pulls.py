"""What every pull of YouTube Analytics for an account has, and how an answer of it is kept.

Not here: which queries are due (`io/video_retention.py`, `io/channel_revenue.py`), and a single call
(`io/analytics.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from yt_platform.core.analytics import Query
from yt_platform.core.progress import Progress
from yt_platform.core.schemas.metrics import OWNER
from yt_platform.io.accounts import Account
from yt_platform.io.analytics import AnalyticsClient
from yt_platform.io.pulls import Origin
from yt_platform.io.raw import Answer, RawStore

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
