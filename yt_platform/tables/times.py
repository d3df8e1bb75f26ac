"""Times that several tables share: how far they look back and ahead, and how old their data may be."""

from datetime import timedelta

LOOKBACK_DAYS = 28
"""How far back features look; metadata older than 30 days must be refreshed or deleted anyway (YouTube's policy)."""

REACH_DAYS = 7
"""How far reports look for a reading on either side of a midnight: quiet videos are read weekly."""

GAP_DAYS = 7
"""How far back the score of quality looks for data before the day's; longer gaps count as this one."""

HOURS_DAYS = 3
"""How far back the features of an hour look: the increment 48 hours earlier is against a reading 49 hours earlier."""

DAY_AND_GRACE = timedelta(hours=36)

MADE_DAILY = timedelta(hours=50)
"""Of a table made at 02:00 from the day before: that day ends 26 hours before the next run, and a day of grace."""

REFRESHED_MONTHLY = timedelta(days=32)
"""Metadata is read when a video is new, and again within 30 days (YouTube's policy)."""

REPORTED = timedelta(days=5)
"""Of owners' reports: made 48 hours after the Pacific day and at times a day later, asked for daily, a day of grace."""

SCORED_WEEKLY = timedelta(days=9)
"""Of what is known once a forecast's horizon of 7 days has passed: two days of grace."""
