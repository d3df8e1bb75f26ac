"""Which version forecasts: changing the champion, the history of changes, and going back.

The alias in the registry is what forecasting obeys; `models.champions` tells how it came to stand there. Which
candidate deserves it is decided in `forecasting/gate.py`.
"""

from datetime import datetime

import pandas as pd

from yt_platform.errors import MisuseError
from yt_platform.models.registry import ModelRegistry, RegisteredModel
from yt_platform.models.tables import CHAMPIONS
from yt_platform.tables.validation import judge
from yt_platform.warehouse.warehouse import Transaction, Warehouse


class NoPreviousChampionError(MisuseError):
    """There is no champion to go back to."""


def crown(
    transaction: Transaction,
    registry: ModelRegistry,
    version: RegisteredModel,
    reason: str,
    now: datetime,
    run_id: str,
) -> None:
    """Make `version` the champion and write the change into the history; the alias moves last."""
    before = registry.champion(version.model)
    transaction.take_turns(CHAMPIONS.name)
    changes = transaction.records(
        "SELECT coalesce(max(change), 0)::bigint AS last FROM models.champions WHERE model = $1", (version.model,)
    )
    row = pd.DataFrame(
        {
            "model": [version.model],
            "change": [changes[0]["last"] + 1],
            "model_version": [version.name],
            "replaced": [before.name if before else None],
            "reason": [reason],
            "changed_at": [now],
        }
    )
    transaction.upsert(CHAMPIONS, judge(CHAMPIONS, row).accepted, run_id)
    registry.promote(version)


def previous(warehouse: Warehouse, registry: ModelRegistry, model: str) -> RegisteredModel:
    """The champion before the present one first became it; going back repeatedly therefore goes further back.

    Raises NoPreviousChampionError.
    """
    champion = registry.champion(model)
    if champion is None:
        raise NoPreviousChampionError(f"{model} has no champion; name the version to make champion")
    rows = warehouse.records(
        "SELECT replaced FROM models.champions WHERE model = $1 AND model_version = $2 ORDER BY change LIMIT 1",
        (model, champion.name),
    )
    if not rows or rows[0]["replaced"] is None:
        raise NoPreviousChampionError(f"{champion.name} was the first champion; name the version to make champion")
    return registry.version(model, rows[0]["replaced"].rpartition("/")[2])


def roll_back(
    warehouse: Warehouse, registry: ModelRegistry, model: str, version: str | None, now: datetime, run_id: str
) -> RegisteredModel:
    """Make `version`, or the previous champion, the champion. The next run makes its forecasts. To name the one that is
    champion changes nothing.

    Raises UnknownVersionError or NoPreviousChampionError.
    """
    chosen = registry.version(model, version) if version else previous(warehouse, registry, model)
    if chosen == registry.champion(model):
        return chosen
    with warehouse.transaction() as transaction:
        crown(transaction, registry, chosen, "rollback", now, run_id)
    return chosen
