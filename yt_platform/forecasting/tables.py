"""Contracts of the `predictions` layer: forecasts, and how they did."""

import pandera.pandas as pa

from yt_platform.tables.columns import (
    CHANNEL_ID,
    VIDEO_ID,
    count,
    day,
    flag,
    instant,
    label,
    number,
    owner_id,
    table_schema,
)
from yt_platform.tables.declaration import Holds, Table, Write
from yt_platform.tables.times import MADE_DAILY, SCORED_WEEKLY

INCREMENTS = "increments"
GAP = "gap"
FIRST_READING = "first_reading"
NO_READING = "no_reading"
BASES = (INCREMENTS, GAP, FIRST_READING, NO_READING)
"""What is known of a video at the origin, from most to least: the last daily increment; readings, but none on the day
before; one reading within the lookback; none, only metadata and its channel's record."""

VIDEO_FORECAST = Table(
    name="predictions.video_forecast",
    description="One row per video, origin day, horizon, target and model version: the forecast increment.",
    key=("video_id", "origin_day", "horizon_days", "target", "model_version"),
    write=Write.REPLACE,
    window="origin_day",
    scope=("model_version",),
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    schema=table_schema(
        {
            "video_id": owner_id("YouTube video id", pattern=VIDEO_ID),
            "origin_day": day("Last day the forecast knows"),
            "horizon_days": count("Days ahead of the origin", "days", minimum=1),
            "target": label("Count whose increment is forecast", among=("views", "likes", "comments")),
            "model_version": label("Name and version of the model in the registry"),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            "p10": number("Increment that 10 % of outcomes stay below", "target's counts", minimum=0),
            "p50": number("Median increment", "target's counts", minimum=0),
            "p90": number("Increment that 90 % of outcomes stay below", "target's counts", minimum=0),
            "basis": label(
                "What the forecast rests on: the last daily increment, readings with a gap before the origin, a first "
                "reading, or no reading at all (then the count at the origin is taken as 0)",
                among=BASES,
            ),
        }
    ),
)


def _beside_outcome(unit: str, step: str) -> dict[str, pa.Column]:
    """A forecast whose outcome is known: what was forecast and what was gained, in `unit`."""
    return {
        "p10": number("Increment that 10 % of outcomes were to stay below", unit, minimum=0),
        "p50": number("Median increment as forecast", unit, minimum=0),
        "p90": number("Increment that 90 % of outcomes were to stay below", unit, minimum=0),
        "actual": count(
            f"Increment between the last readings of origin and target {step}; 0 where the count fell", unit
        ),
        "naive": number(
            f"Increment of the last {step} times the horizon; NULL where it was unknown at the origin", unit, minimum=0
        ),
        "error": number("p50 minus actual", unit),
        "within80": flag("Whether the actual lies within p10 to p90"),
    }


FORECAST_ACCURACY = Table(
    name="predictions.forecast_accuracy",
    description="One row per forecast of predictions.video_forecast whose outcome is known: the forecast beside it.",
    key=VIDEO_FORECAST.key,
    write=Write.REPLACE,
    window="target_day",
    holds=Holds.DERIVED,
    max_age=SCORED_WEEKLY,
    schema=table_schema(
        {
            "video_id": owner_id("YouTube video id", pattern=VIDEO_ID),
            "origin_day": day("Last day the forecast knew"),
            "horizon_days": count("Days ahead of the origin", "days", minimum=1),
            "target": label("Count whose increment was forecast", among=("views", "likes", "comments")),
            "model_version": label("Name and version of the model in the registry"),
            "target_day": day("Day forecast: the origin and the horizon"),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            **_beside_outcome("target's counts", "day"),
            "basis": label("What the forecast rested on; of no_reading the actual counts from 0", among=BASES),
        }
    ),
)

_INCREMENT_OF_VIEWS = {
    "model_version": label("Name and version of the model in the registry"),
    "p10": number("Increment that 10 % of outcomes stay below", "views", minimum=0),
    "p50": number("Median increment", "views", minimum=0),
    "p90": number("Increment that 90 % of outcomes stay below", "views", minimum=0),
}

VIDEO_HOUR_FORECAST = Table(
    name="predictions.video_hour_forecast",
    description="One row per video, origin hour, horizon and model version: the forecast increment of views.",
    key=("video_id", "origin_hour", "horizon_hours", "target", "model_version"),
    write=Write.REPLACE,
    window="origin_hour",
    scope=("model_version",),
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    schema=table_schema(
        {
            "video_id": owner_id("YouTube video id", pattern=VIDEO_ID),
            "origin_hour": instant("Beginning of the last hour the forecast knows"),
            "horizon_hours": count("Hours ahead of the origin", "hours", minimum=1),
            "target": label("Count whose increment is forecast", among=("views",)),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            **_INCREMENT_OF_VIEWS,
        }
    ),
)

VIDEO_HOUR_FORECAST_ACCURACY = Table(
    name="predictions.video_hour_forecast_accuracy",
    description="One row per forecast of predictions.video_hour_forecast whose outcome is known: the forecast beside "
    "it.",
    key=VIDEO_HOUR_FORECAST.key,
    write=Write.REPLACE,
    window="target_hour",
    holds=Holds.DERIVED,
    max_age=SCORED_WEEKLY,
    schema=table_schema(
        {
            "video_id": owner_id("YouTube video id", pattern=VIDEO_ID),
            "origin_hour": instant("Beginning of the last hour the forecast knew"),
            "horizon_hours": count("Hours ahead of the origin", "hours", minimum=1),
            "target": label("Count whose increment was forecast", among=("views",)),
            "model_version": label("Name and version of the model in the registry"),
            "target_hour": instant("Beginning of the hour forecast: the origin and the horizon"),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            **_beside_outcome("views", "hour"),
        }
    ),
)

CHANNEL_FORECAST = Table(
    name="predictions.channel_forecast",
    description="One row per channel, origin day, horizon and model version: the forecast increment of its views.",
    key=("channel_id", "origin_day", "horizon_days", "target", "model_version"),
    write=Write.REPLACE,
    window="origin_day",
    scope=("model_version",),
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    schema=table_schema(
        {
            "channel_id": owner_id("YouTube channel id", pattern=CHANNEL_ID),
            "origin_day": day("Last day the forecast knows"),
            "horizon_days": count("Days ahead of the origin", "days", minimum=1),
            "target": label("Count whose increment is forecast", among=("views",)),
            **_INCREMENT_OF_VIEWS,
        }
    ),
)

CHANNEL_FORECAST_ACCURACY = Table(
    name="predictions.channel_forecast_accuracy",
    description="One row per forecast of predictions.channel_forecast whose outcome is known: the forecast beside it.",
    key=CHANNEL_FORECAST.key,
    write=Write.REPLACE,
    window="target_day",
    holds=Holds.DERIVED,
    max_age=SCORED_WEEKLY,
    schema=table_schema(
        {
            "channel_id": owner_id("YouTube channel id", pattern=CHANNEL_ID),
            "origin_day": day("Last day the forecast knew"),
            "horizon_days": count("Days ahead of the origin", "days", minimum=1),
            "target": label("Count whose increment was forecast", among=("views",)),
            "model_version": label("Name and version of the model in the registry"),
            "target_day": day("Day forecast: the origin and the horizon"),
            **_beside_outcome("views", "day"),
        }
    ),
)
