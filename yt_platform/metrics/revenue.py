"""What a channel may have earned: estimates by rates that are settings, as nothing is known of the channel itself."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from yt_platform.panel import Floats


@dataclass(frozen=True)
class RevenueRates:
    """Assumptions behind revenue estimates, in units of one currency. Nothing here is known of a channel."""

    per_thousand_views: float = 2.0
    engaged_above: float = 0.02
    engaged_factor: float = 1.2
    highly_engaged_above: float = 0.05
    highly_engaged_factor: float = 1.5
    affiliate_share: float = 0.1
    sponsored_above_daily_views: float = 10_000
    sponsorship_per_view: float = 0.001

    @property
    def assumptions(self) -> str:
        return (
            f"estimate: {self.per_thousand_views:g} per 1,000 views, times {self.engaged_factor:g} above "
            f"{self.engaged_above:.3g} engagement and {self.highly_engaged_factor:g} above "
            f"{self.highly_engaged_above:.3g}; affiliate {self.affiliate_share:g} of that; sponsorship "
            f"{self.sponsorship_per_view:g} a view beyond {self.sponsored_above_daily_views:,.0f} a day"
        )


def revenue_estimates(views: pd.Series, engagement: Floats, rates: RevenueRates) -> pd.DataFrame:
    """Estimates in columns of `metrics.channel_daily`, from the views gained in a day and its engagement rate.

    Unknown where the views are; an unknown engagement raises nothing, and views that were taken back cost nothing.
    """
    gained = views.clip(lower=0)
    factor = np.select(
        [engagement > rates.highly_engaged_above, engagement > rates.engaged_above],
        [rates.highly_engaged_factor, rates.engaged_factor],
        1.0,
    )
    from_ads = gained / 1000 * rates.per_thousand_views * factor
    beyond = (gained - rates.sponsored_above_daily_views).clip(lower=0)
    return pd.DataFrame(
        {
            "ad_revenue_estimate": from_ads,
            "affiliate_revenue_estimate": from_ads * rates.affiliate_share,
            "sponsorship_revenue_estimate": beyond * rates.sponsorship_per_view,
            "revenue_assumptions": rates.assumptions,
        }
    )
