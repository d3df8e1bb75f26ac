"""Contracts of the `ops` layer that people read: drift of what models are given and give, alerts, anomalies, quality
and accounts of owners.
"""

import pandera.pandas as pa

from yt_platform.metrics.steps import DAILY, HOURLY
from yt_platform.tables.columns import (
    CHANNEL_ID,
    VIDEO_ID,
    Column,
    Personal,
    count,
    day,
    instant,
    key_text,
    label,
    number,
    owner_id,
    table_schema,
    text,
)
from yt_platform.tables.declaration import Holds, Input, InternalTable, Table, Write
from yt_platform.tables.times import GAP_DAYS, MADE_DAILY, SCORED_WEEKLY

DRIFT_KINDS = ("feature", "prediction")
DRIFT_STATUSES = ("ok", "drift", "known_break", "too_few")
SEVERITIES = ("warning", "error")

DRIFT = Table(
    name="ops.drift",
    description="One row per day, model version and feature or prediction: the 7 days up to it against the training's.",
    key=("day", "model_version", "kind", "name"),
    write=Write.REPLACE,
    window="day",
    scope=("model_version",),
    holds=Holds.DERIVED,
    max_age=SCORED_WEEKLY,
    schema=table_schema(
        {
            "day": day("Last day of the window that is judged"),
            "model_version": label("Champion whose training is the reference"),
            "kind": label("What is judged: an input of the model, or its p50", among=DRIFT_KINDS),
            "name": text("Feature, or target and horizon of the prediction, like views_7d"),
            "reference_from": day("First day of the reference", nullable=True),
            "reference_until": day("Last day of the reference", nullable=True),
            "reference_rows": count("Rows of the reference's sample", "rows"),
            "window_rows": count("Rows of the window's sample", "rows"),
            "reference_size": count("Independent values in the reference's sample: videos, channels or days", "values"),
            "window_size": count("Independent values in the window's sample: videos, channels or days", "values"),
            "reference_unknown": number("Share of unknown values in the reference", "ratio", minimum=0, maximum=1),
            "window_unknown": number("Share of unknown values in the window", "ratio", minimum=0, maximum=1),
            "psi": number("Population stability index over tenths of the reference", "", minimum=0),
            "psi_limit": number("What it may reach by chance, or without mattering", "", minimum=0),
            "jensen_shannon": number("Jensen-Shannon distance over the same bins, base 2", "", minimum=0, maximum=1),
            "jensen_shannon_limit": number("What it may reach by chance, or without mattering", "", minimum=0),
            "kolmogorov_smirnov": number(
                "Largest difference of the distribution functions of known values", "", minimum=0, maximum=1
            ),
            "kolmogorov_smirnov_limit": number("What it may reach by chance, or without mattering", "", minimum=0),
            "status": label(
                "drift past a limit; known_break where what counts as a view changed in between; too_few to judge",
                among=DRIFT_STATUSES,
            ),
        }
    ),
)

ALERTS = Table(
    name="ops.alerts",
    description="One row per thing that went wrong, from when it was first seen until it was resolved.",
    key=("alert_id",),
    write=Write.UPSERT,
    window="first_seen_at",
    holds=Holds.IDS,
    max_age=None,
    schema=table_schema(
        {
            "alert_id": count("Number of the alert, in the order they were opened", ""),
            "dedupe_key": key_text("What the alert is about; at most one alert of a key is open"),
            "severity": label("error where something failed, warning where it may", among=SEVERITIES),
            "kind": label(
                "What went wrong: run, check, training, accuracy, drift, quality, freshness, anomaly, quota or "
                "authorization"
            ),
            "subject": text("Model, table or job concerned"),
            "message": text("What happened, as last seen; without secrets"),
            "first_seen_at": instant("When it was first seen, by the platform's clock"),
            "last_seen_at": instant("When it was last seen, by the platform's clock"),
            "occurrence_count": count("How often it was seen", "times", minimum=1),
            "resolved_at": instant("When it was no longer so; NULL while it is", nullable=True),
            "remedy": text("What to do", nullable=True),
            "link": text("Path of the page in Dagster's UI that shows more", nullable=True),
        }
    ),
)

ANOMALY_KINDS = ("zscore", "spike", "reversal", "stuck", "fall", "growth", "same_age")
ANOMALY_SEVERITIES = ("low", "medium", "high")

ANOMALIES = Table(
    name="ops.anomalies",
    description="One row per video, instant, series, kind and count: a reading that is unusual, and how much.",
    key=("video_id", "at", "series", "kind", "target"),
    write=Write.REPLACE,
    window="at",
    holds=Holds.DERIVED,
    max_age=None,
    code_version="1",
    inputs=(
        Input("metrics.video_daily", lookback_days=DAILY.loaded_days),
        Input("metrics.video_hourly", lookback_days=HOURLY.loaded_days),
    ),
    sources={
        "at": ("collected_at",),
        "kind": ("view_count", "like_count", "comment_count", "view_increment", "like_increment", "comment_increment"),
        "severity": (
            "view_count",
            "like_count",
            "comment_count",
            "view_increment",
            "like_increment",
            "comment_increment",
        ),
        "score": ("view_count", "like_count", "comment_count", "view_increment", "like_increment", "comment_increment"),
        "observed": (
            "view_count",
            "like_count",
            "comment_count",
            "view_increment",
            "like_increment",
            "comment_increment",
        ),
        "expected": (
            "view_count",
            "like_count",
            "comment_count",
            "view_increment",
            "like_increment",
            "comment_increment",
        ),
        "detail": (
            "view_count",
            "like_count",
            "comment_count",
            "view_increment",
            "like_increment",
            "comment_increment",
        ),
    },
    schema=table_schema(
        {
            "video_id": owner_id("YouTube video id", pattern=VIDEO_ID),
            "at": instant("When the unusual reading was taken"),
            "series": label("Readings that were judged: one an hour, or one a day", among=("hourly", "daily")),
            "kind": label("What is unusual", among=ANOMALY_KINDS),
            "target": label("Count concerned", among=("views", "likes", "comments")),
            "severity": label("From the score, by limits of each kind", among=ANOMALY_SEVERITIES),
            "score": number(
                "Robust z-score (zscore, same_age), times the usual (spike, growth), factor each way (reversal), views "
                "that did not come (stuck), per cent (fall)",
                "",
            ),
            "observed": number("What was seen: a gain per hour or day, or a count where it fell", "target's counts"),
            "expected": number("What was to be expected, in the same unit", "target's counts"),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            "detail": text("The finding in a sentence"),
        }
    ),
)

QUALITY_STATUSES = ("ok", "warning", "error")


def _dimension(description: str) -> pa.Column:
    return number(description, "%", minimum=0, maximum=100)


QUALITY_SCORES = Table(
    name="ops.quality_scores",
    description="One row per day, table and source: how far the day's rows can be relied on.",
    key=("day", "table_name", "source"),
    write=Write.REPLACE,
    window="day",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="2",
    inputs=(
        Input("metrics.video_snapshots", lookback_days=GAP_DAYS),
        Input("metrics.channel_snapshots", lookback_days=GAP_DAYS),
        Input("metrics.video_versions"),
        Input("metrics.comments"),
        Input("metrics.video_daily", lookback_days=GAP_DAYS),
        Input("metrics.channel_daily", lookback_days=GAP_DAYS),
    ),
    sources={
        "day": ("collected_at", "day"),
        "score": ("collected_at", "day", "view_count"),
        "status": ("collected_at", "day", "view_count"),
        "row_count": ("collected_at", "day"),
        "timeliness": ("collected_at", "day"),
        "uniqueness": ("collected_at", "day"),
        "completeness": ("collected_at", "day", "view_count"),
        "accuracy": ("view_count",),
        "consistency": ("view_count",),
    },
    schema=table_schema(
        {
            "day": day("UTC day of the rows"),
            "table_name": label("Table scored"),
            "source": label("Source of the rows; '' for a table made from all, or refused rows that name none"),
            "score": _dimension("Weighted mean of the dimensions that are known"),
            "status": label("warning below 85, error below 70", among=QUALITY_STATUSES),
            "completeness": _dimension("Values known, of those rows should have"),
            "accuracy": _dimension("Rows within the range rules"),
            "consistency": _dimension("Comparisons with other sources and with sums that agree"),
            "timeliness": _dimension("100 unless older data than the table may have was the newest before that day's"),
            "uniqueness": _dimension("Rows that say something no other row says"),
            "validity": _dimension("Rows that kept the contract, of those kept and refused"),
            "row_count": count("Rows scored", "rows"),
            "reject_count": count("Rows refused", "rows"),
        }
    ),
)

ACCOUNT_KINDS = ("owner", "content_owner")
ACCOUNT_STATES = ("authorized", "unauthorized")

ACCOUNTS = Table(
    name="ops.accounts",
    description="One row per account of an owner: what it may see, and whether it still may. No secret is in it.",
    key=("name",),
    write=Write.UPSERT,
    window="authorized_at",
    holds=Holds.IDS,
    max_age=None,
    schema=table_schema(
        {
            "name": text("Name given to the account here"),
            "kind": label("owner of a channel, or service account of a content_owner", among=ACCOUNT_KINDS),
            "channel_id": owner_id("Channel of the owner", pattern=CHANNEL_ID, nullable=True),
            "content_owner": label("Content owner the service account acts for", nullable=True),
            "scopes": label("What was granted: the last parts of Google's scopes, by spaces"),
            "authorized_at": instant("When it was authorised, by the platform's clock"),
            "authorization_checked_at": instant("When YouTube was last asked whether it still may"),
            "state": label("Whether it still may, as last seen", among=ACCOUNT_STATES),
            "reason": text("Why it may not", nullable=True),
            "remedy": text("What to do then", nullable=True),
            "verified_at": instant("When YouTube last said that it may; what it brought is kept for 30 days from then"),
        }
    ),
)

ALERT_DELIVERIES = InternalTable(
    name="ops.alert_deliveries",
    description="What each channel was told of an alert, written after it took the message.",
    key=("alert_id", "channel", "told"),
    holds=Holds.NOTHING,
    columns=(
        Column("alert_id", "bigint", "The alert"),
        Column("channel", "text", "log, webhook or mail", personal=Personal.NONE),
        Column("told", "text", "The severity it was told with, or resolved", personal=Personal.NONE),
        Column("delivered_at", "timestamp with time zone", "When it took the message"),
    ),
)
