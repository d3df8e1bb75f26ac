"""Assets of the `models` layer: the candidates of a training, and the gate that moves the champion."""

from collections.abc import Iterator, Sequence
from math import isnan
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    Definitions,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    multi_asset,
)

from yt_platform.clock import Clock
from yt_platform.forecasting.forecasters.protocol import NotEnoughRowsError
from yt_platform.forecasting.registered import MODELS, VIDEO_FORECASTER, ModelSpec
from yt_platform.forecasting.training import TooLittleHistoryError, Trained, train
from yt_platform.forecasting.tuning import Effort, tune
from yt_platform.models.registry import ModelRegistry
from yt_platform.monitoring.alerts import TRAINING, resolve_alert
from yt_platform.monitoring.defs.checks import as_image
from yt_platform.orchestration.daily import OWNERS, permanent
from yt_platform.orchestration.partitions import asset_key, whole
from yt_platform.progress import Progress
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse

TUNING = "tuning"

TRAINING_POOL = "training"
"""One training at a time, whichever runs ask for one; the pool's limit is in dagster.yaml."""


def build(settings: Settings) -> Definitions:
    return Definitions(
        assets=[
            *(_training(spec, spec.kinds or settings.candidate_kinds) for spec in MODELS.values()),
            _tuning(VIDEO_FORECASTER, settings.candidate_kinds),
        ]
    )


def candidate_asset(spec: ModelSpec, kind: str) -> str:
    """The asset of a candidate: models.video_lightgbm is one for models.video_forecaster."""
    return f"models.{spec.name.removesuffix('_forecaster')}_{kind}"


def _training(spec: ModelSpec, kinds: Sequence[str]) -> AssetsDefinition:
    """One step, as candidates share the folds and an ensemble its members; an asset for each, and one for the gate."""
    inputs = [whole(name) for name in sorted({spec.features.name, spec.counts.name})]
    tuned = [asset_key(candidate_asset(spec, TUNING))] if spec is VIDEO_FORECASTER else []
    candidates = [
        AssetSpec(
            asset_key(candidate_asset(spec, kind)),
            deps=[*inputs, *tuned],
            description=f"Candidate for {spec.name}: {kind}, scored on held-out days and registered in MLflow.",
            group_name="models",
            kinds={"python", "mlflow", kind},
            owners=OWNERS,
            code_version="1",
        )
        for kind in kinds
    ]
    gate = AssetSpec(
        asset_key(f"models.{spec.name}"),
        deps=[candidate.key for candidate in candidates],
        description=f"{spec.description}, with p10, p50 and p90. The gate: the candidate that errs significantly less "
        "than naive and than the champion on the same held-out days, fitted on everything up to the day before the "
        "last, becomes champion.",
        group_name="models",
        kinds={"python", "mlflow"},
        owners=OWNERS,
        code_version="2",
    )

    @multi_asset(
        name=f"train_{spec.name}",
        specs=[*candidates, gate],
        pool=TRAINING_POOL,
    )
    def training(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        registry: ResourceParam[ModelRegistry],
        mlflow: ResourceParam[Any],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
        progress: ResourceParam[Progress],
    ) -> Iterator[MaterializeResult[None]]:
        try:
            trained = train(
                spec,
                warehouse,
                registry,
                mlflow,
                kinds,
                settings.folds,
                settings.threads,
                clock.now(),
                context.run.run_id,
                progress,
            )
        except (TooLittleHistoryError, NotEnoughRowsError) as error:
            raise permanent(error) from error
        resolve_alert(warehouse, TRAINING, spec.name, clock.now())
        for kind in kinds:
            yield _candidate_result(spec, trained, kind)
        yield _gate_result(spec, trained)

    return training


def _tuning(spec: ModelSpec, kinds: Sequence[str]) -> AssetsDefinition:
    @asset(
        key=asset_key(candidate_asset(spec, TUNING)),
        deps=[whole(name) for name in sorted({spec.features.name, spec.counts.name})],
        description=f"The best parameters found for the candidates for {spec.name}, which the next training uses. "
        "Searched by Optuna on folds older than those the gate judges by; an interrupted search goes on.",
        group_name="models",
        kinds={"python", "optuna"},
        owners=OWNERS,
        code_version="1",
        pool=TRAINING_POOL,
    )
    def tuning(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        registry: ResourceParam[ModelRegistry],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
        progress: ResourceParam[Progress],
    ) -> MaterializeResult[None]:
        workers = settings.tuning_workers
        effort = Effort(settings.tuning_trials, settings.tuning_minutes, workers, max(1, settings.threads // workers))
        try:
            found = tune(
                spec,
                warehouse,
                registry.tracking_uri,
                kinds,
                effort,
                clock.now(),
                context.run.run_id,
                progress,
            )
        except (TooLittleHistoryError, NotEnoughRowsError) as error:
            raise permanent(error) from error
        return MaterializeResult(
            metadata={
                f"{tuned.kind}: {name}": getattr(tuned, name)
                for tuned in found
                for name in ("parameters", "wape", "default_wape", "trials", "pruned")
            }
        )

    return tuning


def _candidate_result(spec: ModelSpec, trained: Trained, kind: str) -> MaterializeResult[None]:
    errors = {
        f"{figure} of {score['target']} at {score['horizon']} {spec.task.unit}s": round(float(score[figure]), 4)
        for score in trained.scores[kind].to_dict("records")
        for figure in ("wape", "naive_wape", "coverage80")
    }
    return MaterializeResult(
        asset_key=asset_key(candidate_asset(spec, kind)),
        metadata={
            "model": trained.versions[kind].name,
            "decision": trained.decision.reasons[kind],
            "model_card": MetadataValue.md(trained.cards[kind]),
            **{name.removesuffix(".png"): as_image(plot) for name, plot in trained.plots[kind].items()},
            **errors,
        },
    )


def _gate_result(spec: ModelSpec, trained: Trained) -> MaterializeResult[None]:
    decision = trained.decision
    winner = decision.winner
    return MaterializeResult(
        asset_key=asset_key(f"models.{spec.name}"),
        metadata={
            "champion": winner is not None,
            **_left_out(spec, trained),
            "model": trained.versions[winner].name if winner else "none: the champion stays",
            "comparison": as_image(trained.comparison),
            "decision": MetadataValue.md(_decision_table(trained)),
            **({"model_card": MetadataValue.md(trained.cards[winner])} if winner else {}),
        },
    )


def _left_out(spec: ModelSpec, trained: Trained) -> dict[str, str]:
    """The horizons that have too little history yet."""
    answered = {horizon for scores in trained.scores.values() for horizon in scores["horizon"]}
    missing = [str(horizon) for horizon in spec.task.horizons if horizon not in answered]
    return {f"too little history for, in {spec.task.unit}s": ", ".join(missing)} if missing else {}


def _decision_table(trained: Trained) -> str:
    """The figures, and below them why: Dagster's pages would cut a column of sentences off."""
    lines = [
        "| candidate | version | mean WAPE | naive's | p (naive) | champion's | p (champion) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in trained.decision.overall.to_dict("records"):
        figures = (float(row[name]) for name in ("wape", "naive_wape", "p_naive", "champion_wape", "p_champion"))
        version = trained.versions[row["candidate"]].name
        cells = [row["candidate"], version, *("" if isnan(x) else f"{x:.4f}" for x in figures)]
        lines.append("| " + " | ".join(cells) + " |")
    reasons = [f"- **{candidate}**: {reason}" for candidate, reason in trained.decision.reasons.items()]
    return "\n".join([*lines, "", *reasons])
