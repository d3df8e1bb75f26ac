"""Revenue of an account's channel: asked for by day, and the answer kept as received.

Which days are asked for is `youtube/analytics_api/revenue_rows.py`, one call is `youtube/analytics_api/client.py`. The
call costs no quota of the Data API.
"""

from datetime import date

from yt_platform.storage.endpoints import ANALYTICS_REVENUE
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.analytics_api.client import NotAllowedError
from yt_platform.youtube.analytics_api.pulls import AnalyticsPull
from yt_platform.youtube.analytics_api.queries import revenue_query
from yt_platform.youtube.analytics_api.revenue_rows import days_to_ask
from yt_platform.youtube.pulls import Collected, Pull


class RevenuePull(AnalyticsPull):
    """Pulls what the account's own channel earned. Of content owners it asks nothing: their bulk reports have that."""

    def pull(self) -> Collected:
        """A channel whose revenue the account may not see is skipped, with the reason.

        Raises AuthorizationError for an account that is refused altogether, UnavailableError where YouTube does not
        answer, and QueryError where it takes the query for none.
        """
        channel = self.account.channel_id
        if channel is None:
            return Collected()
        of = f"revenue of {self.account.name}"
        with Pull(self.url, self.store, ANALYTICS_REVENUE, self.origin, 1, of, self.progress, source="report") as pull:
            first, last = days_to_ask(self.now(), self._newest(channel))
            try:
                pull.keep([self.answer(revenue_query(first, last), channel)], [])
            except NotAllowedError as refusal:
                pull.skip(of, f"{refusal.reason}; {refusal.remedy}")
        return pull.collected

    def _newest(self, channel: str) -> date | None:
        """The newest day that is stored."""
        [row] = Warehouse(self.url).records(
            "SELECT max(day) AS day FROM metrics.channel_revenue WHERE account = $1 AND channel_id = $2",
            (self.account.name, channel),
        )
        found: date | None = row["day"]
        return found
