"""Revenue of an account's channel: asked for by day, and the answer kept as received.

Which days are asked for is `core/channel_revenue.py`, one call is `io/analytics.py`. The call costs no quota of the
Data API.
"""

from datetime import date

from yt_platform.core.analytics import revenue_query
from yt_platform.core.channel_revenue import days_to_ask
from yt_platform.core.endpoints import ANALYTICS_REVENUE
from yt_platform.io.analytics import NotAllowedError
from yt_platform.io.analytics_pulls import AnalyticsPull
from yt_platform.io.pulls import Collected, Pull
from yt_platform.io.warehouse import Warehouse


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
