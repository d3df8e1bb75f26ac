"""Rows of a training frame that a model learns from, and the newest, held out to stop, weigh or calibrate it.

Belongs here: what every model that learns needs, whatever it is. Does not belong here: what is learned.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.forecasting.forecasters.protocol import NotEnoughRowsError, origins
from yt_platform.forecasting.tasks import Task, target_column
from yt_platform.panel import Floats, floats

Mask = npt.NDArray[np.bool_]

MIN_ROWS = 10
"""Per target and horizon: from fewer nothing is learned."""

CALIBRATION_STEPS = 14
MIN_CALIBRATION_ROWS = 100
"""With fewer rows a tenth of them is chance: all rows are then fitted and none held out."""


def known(task: Task, frame: pd.DataFrame, target: str, ahead: int) -> Mask:
    """Origins of the target whose value so many steps later is known."""
    found: Mask = origins(task, frame, target).to_numpy() & ~np.isnan(floats(frame[target_column(target, ahead)]))
    return found


def last_target(task: Task, frame: pd.DataFrame, target: str, horizon: int) -> pd.Timestamp:
    last_origin: pd.Timestamp = frame.loc[known(task, frame, target, horizon), task.time].max()
    return last_origin + task.step * horizon


def calibration_splits(task: Task, frame: pd.DataFrame) -> dict[tuple[str, int], tuple[Mask, Mask]]:
    """By target and horizon: rows to fit on, and later rows that share no step with them; all and none where these are
    too few. Targets but the first that have too few rows to learn from are left out.

    Raises NotEnoughRowsError when the first target has too few.
    """
    splits = {}
    for target in task.targets:
        for horizon in task.horizons:
            rows = int(known(task, frame, target, horizon).sum())
            if rows >= MIN_ROWS:
                splits[target, horizon] = _calibration_split(task, frame, target, horizon)
            elif target == task.targets[0]:
                raise NotEnoughRowsError(
                    f"{rows} of {len(frame)} origins have a known target {horizon} steps later: training needs "
                    f"{MIN_ROWS}, each a series read at a step, at the step before and {horizon} steps after"
                )
    return splits


def _calibration_split(task: Task, frame: pd.DataFrame, target: str, horizon: int) -> tuple[Mask, Mask]:
    rows = known(task, frame, target, horizon)
    cut = last_target(task, frame, target, horizon) - task.step * CALIBRATION_STEPS
    fitted = rows & (frame[task.time] + task.step * horizon <= cut).to_numpy()
    held_out = rows & (frame[task.time] > cut).to_numpy()
    if min(fitted.sum(), held_out.sum()) < MIN_CALIBRATION_ROWS:
        return rows, np.zeros_like(rows)
    return fitted, held_out


def last_rate(task: Task, rows: pd.DataFrame, target: str) -> Floats:
    """What the target gained per step when last read; 0 where its count fell."""
    return np.maximum(floats(rows[task.rates[target]]), 0.0)


def log_start(task: Task, rows: pd.DataFrame, target: str, ahead: int) -> Floats:
    """Logarithm of 1 plus what the last rate would give."""
    return np.log1p(last_rate(task, rows, target) * ahead)


def log_ratio(task: Task, rows: pd.DataFrame, target: str, ahead: int) -> Floats:
    """Logarithm of what was gained (plus 1) over what the last rate would give (plus 1): what models learn."""
    return np.log1p(floats(rows[target_column(target, ahead)])) - log_start(task, rows, target, ahead)


def refuse_other_inputs(folder: Path, trained_on: tuple[str, ...], computed: tuple[str, ...]) -> None:
    """Raises ValueError when a bundle was trained on other features than this code computes."""
    if trained_on != computed:
        differing = sorted(set(trained_on) ^ set(computed)) or "their order"
        raise ValueError(
            f"the model in {folder} was trained on other features than this version computes (difference: {differing})"
            ": train a new one"
        )
