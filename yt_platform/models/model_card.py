"""The model card: what a version is, what it learned from, how well it does on whom, and what it is not good for.

Text from figures; where it is kept is `forecasting/training.py`'s business (Mitchell et al. 2019, Model cards for model
reporting, give the headings).
"""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from yt_platform.forecasting.forecasters.catalog import Recipe
from yt_platform.forecasting.tasks import Task

LIMITS = (
    "Forecasts are of what the public counters show, which YouTube delays, rounds and audits; a fall counts as nothing "
    "gained.",
    "Learned from the videos and channels collected here: others, and other times, may behave otherwise.",
    "The intervals hold on average over the days of the folds: on a single day errors go together.",
    "What counts as a view changed on 2025-03-31 for Shorts and on 2026-08-24 for all; nothing is learned across that.",
    "A series that is not read one step before the origin has no last increment, and is forecast from less or not at "
    "all.",
)


@dataclass(frozen=True)
class Card:
    """Everything a card tells. `scores` and `by_slice` are as `evaluate.score` and `score_slices` make them."""

    version: str
    description: str
    task: Task
    recipe: Recipe
    decision: str
    first_day: date
    trained_until: date
    fold_trained_until: date
    fold_tested_until: date
    data_version: str
    origin_count: int
    series_count: int
    scores: pd.DataFrame
    by_slice: pd.DataFrame


def model_card(card: Card) -> str:
    """The card as Markdown."""
    return "\n\n".join(
        [
            f"# {card.version}",
            f"{card.description}, with 80 % intervals. Kind: {card.recipe.kind}, "
            f"parameters beyond its defaults: `{dict(card.recipe.parameters) or 'none'}`, "
            f"recipe {card.recipe.digest}.",
            f"**Gate**: {card.decision}.",
            "## Data",
            f"{card.origin_count:,} origins of {card.series_count:,} series, {card.first_day} to {card.trained_until}; "
            f"data version `{card.data_version}`.",
            "## Errors on held-out days",
            f"A model of the same recipe, fitted on targets up to {card.fold_trained_until}, forecast every origin "
            f"from the day after to {card.fold_tested_until}. WAPE: sum of absolute errors over sum of what was "
            "gained; naive: the last increment times the horizon.",
            _table(card.task, card.scores, ["target", "horizon"]),
            "## By slice",
            _table(card.task, card.by_slice, ["by", "slice", "target", "horizon"]),
            "## Limits",
            "\n".join(f"- {limit}" for limit in LIMITS),
        ]
    )


def _table(task: Task, scores: pd.DataFrame, keys: list[str]) -> str:
    heads = [*keys, "forecasts", "WAPE", "naive", "80 % interval covers"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in scores.sort_values(keys, kind="stable").to_dict("records"):
        horizon = {"horizon": f"{row['horizon']} {task.unit}{'s' if row['horizon'] > 1 else ''}"}
        cells = [str((row | horizon)[key]) for key in keys]
        figures = [f"{row['n']:,}", f"{row['wape']:.3f}", f"{row['naive_wape']:.3f}", f"{row['coverage80']:.1%}"]
        lines.append("| " + " | ".join([*cells, *figures]) + " |")
    return "\n".join(lines)
