"""Contracts of the `models` layer: how models did, and which is champion. The models live in the MLflow registry."""

from yt_platform.tables.columns import (
    count,
    day,
    flag,
    instant,
    label,
    number,
    owner_id,
    table_schema,
    text,
)
from yt_platform.tables.declaration import Holds, Table, Write

SCORECARDS = Table(
    name="models.scorecards",
    description="One row per model version, horizon and target: errors on held-out days, and rivals' on the same rows.",
    key=("model_version", "horizon", "target"),
    write=Write.UPSERT,
    window="trained_until",
    holds=Holds.DERIVED,
    max_age=None,
    schema=table_schema(
        {
            "model_version": label("Name and version of the model in the registry"),
            "horizon": count("Steps ahead of the origin", "steps of the task", minimum=1),
            "target": label("Count whose increment is forecast", among=("views", "likes", "comments")),
            "trained_until": day("Last target day this version was fitted on"),
            "fold_trained_until": day("Last target day the first scored fold was fitted on"),
            "fold_tested_until": day("Last target day the last fold was scored on"),
            "row_count": count("Forecasts scored", "forecasts"),
            "wape": number("Sum of absolute errors of p50 over sum of actual increments", "ratio", minimum=0),
            "naive_wape": number("The same for the last increment times the horizon", "ratio", minimum=0),
            "pinball": number("Mean pinball loss of the three quantiles", "target's counts", minimum=0),
            "coverage80": number("Share of actuals within p10 to p90", "ratio", minimum=0, maximum=1),
            "width80": number("Mean of p90 minus p10", "target's counts", minimum=0),
            "promoted": flag("Whether the version became champion"),
            "scored_at": instant("When the folds were scored"),
            "task": label("What is forecast: video_day and others"),
            "kind": label("Kind of model: lightgbm, lstm, ensemble and others"),
            "recipe_digest": label("Digest of kind and parameters; equal recipes on equal data make equal models"),
            "data_version": label("Digest of the versions of the days up to fold_tested_until"),
            "fold_count": count("Rolling-origin folds scored together", "folds", minimum=1),
            "wape_7d_min": number("Lowest wape of 7 target days in a row in the folds", "ratio", minimum=0),
            "wape_7d_max": number("Highest wape of 7 target days in a row in the folds", "ratio", minimum=0),
            "coverage80_7d_min": number("Lowest coverage80 of 7 target days in a row", "ratio", minimum=0, maximum=1),
            "coverage80_7d_max": number("Highest coverage80 of 7 target days in a row", "ratio", minimum=0, maximum=1),
            "champion_version": label("Champion when this version was judged, compared by its recipe", nullable=True),
            "champion_wape": number("wape of the champion's recipe on the same rows", "ratio", minimum=0),
            "p_naive": number(
                "Chance of so much less error than naive if it were no better", "probability", minimum=0, maximum=1
            ),
            "p_champion": number(
                "The same beside the champion's recipe; NULL for the same recipe", "probability", minimum=0, maximum=1
            ),
            "decision": label("Why the version became champion, or why not"),
        }
    ),
)

CHAMPIONS = Table(
    name="models.champions",
    description="One row per change of champion: which version took over from which, and why.",
    key=("model", "change"),
    write=Write.UPSERT,
    window="changed_at",
    holds=Holds.NOTHING,
    max_age=None,
    schema=table_schema(
        {
            "model": label("Name of the model in the registry"),
            "change": count("Number of the change, from 1", "", minimum=1),
            "model_version": label("Version that became champion"),
            "replaced": label("Champion before", nullable=True),
            "reason": text("The gate's decision, or rollback"),
            "changed_at": instant("When the champion changed"),
        }
    ),
)

BACKTEST_FORECASTS = Table(
    name="models.backtest_forecasts",
    description="One row per forecast of a fold, beside what happened. Hindsight: never part of the accuracy record. "
    "Of each task the newest versions that were judged best in their training, and their newest fold.",
    key=("model_version", "fold_trained_until", "series", "origin", "target", "horizon"),
    write=Write.REPLACE,
    window="fold_trained_until",
    scope=("model_version",),
    holds=Holds.DERIVED,
    max_age=None,
    schema=table_schema(
        {
            "model_version": label("Version whose recipe was fitted on the fold"),
            "fold_trained_until": day("Last target day the fold was fitted on"),
            "series": owner_id("Video or channel id"),
            "origin": instant("Day or hour the forecast was made from"),
            "target": label("Count whose increment is forecast", among=("views", "likes", "comments")),
            "horizon": count("Steps ahead of the origin", "steps of the task", minimum=1),
            "task": label("What is forecast: video_day and others"),
            "p10": number("Increment that 10 % of outcomes stay below", "target's counts", minimum=0),
            "p50": number("Median increment", "target's counts", minimum=0),
            "p90": number("Increment that 90 % of outcomes stay below", "target's counts", minimum=0),
            "actual": number("Increment that came", "target's counts", minimum=0),
            "naive": number("The last increment times the horizon", "target's counts", minimum=0),
        }
    ),
)

TUNED_RECIPES = Table(
    name="models.tuned_recipes",
    description="One row per task and kind of model: the best parameters tuning has found, which training uses.",
    key=("task", "kind"),
    write=Write.UPSERT,
    window="tuned_at",
    holds=Holds.NOTHING,
    max_age=None,
    schema=table_schema(
        {
            "task": label("What is forecast: video_day and others"),
            "kind": label("Kind of model"),
            "parameters": label("What differs from the kind's defaults, as JSON"),
            "wape": number("Mean wape over folds, targets and horizons", "ratio", minimum=0),
            "default_wape": number("The same with the kind's defaults", "ratio", minimum=0),
            "trial_count": count("Trials finished or pruned", "trials"),
            "tuned_until": day("Last target day of the newest fold"),
            "tuned_at": instant("When the tuning ended"),
        }
    ),
)
