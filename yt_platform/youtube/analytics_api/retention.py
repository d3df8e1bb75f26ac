"""Retention curves of an account's videos: those that are due are asked for, and the answers kept as received.

Which are due is `youtube/analytics_api/retention_rows.py`, one call is `youtube/analytics_api/client.py`. Calls cost no
quota of the Data API.
"""

from datetime import timedelta

import pandas as pd

from yt_platform.storage.endpoints import ANALYTICS_RETENTION
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.accounts.credentials import AuthorizationError
from yt_platform.youtube.analytics_api.pulls import AnalyticsPull
from yt_platform.youtube.analytics_api.queries import QueryError
from yt_platform.youtube.analytics_api.retention_rows import Curve, due_curves, point_count
from yt_platform.youtube.data_api.client import UnavailableError
from yt_platform.youtube.pulls import FAILURES_IN_A_ROW, Collected, Pull, Update

FORBIDDEN = "forbidden"
"""What YouTube may say of a video that is not the account's, and of an account that may see none."""

REPORTED_DAYS = 30
"""Days of its reports in which the channels of a content owner are looked for."""


class RetentionPull(AnalyticsPull):
    """Pulls the curves of one account that are due."""

    def pull(self) -> Collected:
        """A video that is refused is skipped, and asked for again like one that has no curve yet.

        Raises AuthorizationError for an account that is refused, and UnavailableError where curves stay due as YouTube
        did not answer; what it answered is kept all the same.
        """
        curves = due_curves(self._videos(), self._asked(), pd.Timestamp(self.now()))
        of = f"curves of {self.account.name}"
        answered, forbidden = 0, 0
        with Pull(
            self.url, self.store, ANALYTICS_RETENTION, self.origin, len(curves), of, self.progress, source="report"
        ) as pull:
            for curve in curves:
                try:
                    answer = self.answer(curve.query, curve.channel_id)
                except UnavailableError as error:
                    pull.fail([str(curve)], error)
                except QueryError as refusal:
                    self._skip(pull, curve, str(refusal))
                except AuthorizationError as refusal:
                    forbidden += 1
                    of_video = refusal.code == FORBIDDEN and (answered or forbidden < FAILURES_IN_A_ROW)
                    if not of_video:
                        raise
                    self._skip(pull, curve, refusal.reason)
                else:
                    answered += 1
                    pull.keep([answer], [self._noted(curve, point_count(answer.body))])
        if pull.collected.missing:
            raise UnavailableError(pull.collected.missing)
        return pull.collected

    def _skip(self, pull: Pull, curve: Curve, reason: str) -> None:
        pull.skip(str(curve), reason)
        pull.keep([], [self._noted(curve, 0)])

    def _noted(self, curve: Curve, points: int) -> Update:
        """That the curve was asked for; nothing of a video that is no longer kept, as one that was just forgotten."""
        return (
            "INSERT INTO ops.asked_curves (account, video_id, age_days, channel_id, asked_at, point_count) "
            "SELECT %(account)s, video_id, %(age_days)s, channel_id, %(asked_at)s, %(point_count)s "
            "FROM metrics.videos WHERE video_id = %(video_id)s ON CONFLICT (account, video_id, age_days) "
            "DO UPDATE SET asked_at = excluded.asked_at, point_count = excluded.point_count",
            {
                "account": self.account.name,
                "video_id": curve.video_id,
                "age_days": curve.age_days,
                "asked_at": self.now(),
                "point_count": points,
            },
        )

    def _videos(self) -> pd.DataFrame:
        return Warehouse(self.url).read(
            "SELECT video_id, channel_id, published_at FROM metrics.videos "
            "WHERE channel_id = ANY($1) AND published_at IS NOT NULL",
            (self._channels(),),
        )

    def _channels(self) -> list[str]:
        """The account's own channel; of a content owner those that the reports of late were about."""
        if self.account.channel_id:
            return [self.account.channel_id]
        rows = Warehouse(self.url).records(
            "SELECT DISTINCT channel_id FROM metrics.report_basic WHERE account = $1 AND day >= $2",
            (self.account.name, self.now().date() - timedelta(days=REPORTED_DAYS)),
        )
        return [row["channel_id"] for row in rows if row["channel_id"]]

    def _asked(self) -> pd.DataFrame:
        return Warehouse(self.url).read(
            "SELECT video_id, age_days, asked_at, point_count FROM ops.asked_curves WHERE account = $1",
            (self.account.name,),
        )
