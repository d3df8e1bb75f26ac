"""Contracts of the `models` layer: how models did. The models themselves live in the MLflow registry."""

from yt_platform.core.schemas.base import Table, Write, count, day, flag, instant, number, table_schema, text

SCORECARDS = Table(
    name="models.scorecards",
    description="One row per model version, horizon and target: errors on held-out days, and naive's on the same rows.",
    key=("model_version", "horizon_days", "target"),
    write=Write.UPSERT,
    window="trained_until",
    schema=table_schema(
        {
            "model_version": text("Name and version of the model in the registry"),
            "horizon_days": count("Days ahead of the origin", "days", minimum=1),
            "target": text("Count whose increment is forecast", among=("views", "likes", "comments")),
            "trained_until": day("Last target day the shipped model was fitted on"),
            "fold_trained_until": day("Last target day the scored fold was fitted on"),
            "fold_tested_until": day("Last target day the fold was scored on"),
            "row_count": count("Forecasts scored", "forecasts"),
            "wape": number("Sum of absolute errors of p50 over sum of actual increments", "ratio", minimum=0),
            "naive_wape": number("The same for the last daily increment times the horizon", "ratio", minimum=0),
            "pinball": number("Mean pinball loss of the three quantiles", "target's counts", minimum=0),
            "coverage80": number("Share of actuals within p10 to p90", "ratio", minimum=0, maximum=1),
            "width80": number("Mean of p90 minus p10", "target's counts", minimum=0),
            "promoted": flag("Whether the version became champion"),
            "scored_at": instant("When the fold was scored"),
        }
    ),
)
