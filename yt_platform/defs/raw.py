"""Assets of the `raw` layer: immutable batches of what YouTube answered, or of files people kept."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from dagster import AssetExecutionContext, AssetsDefinition, Config, MaterializeResult, PartitionsDefinition, asset
from pydantic import Field

from yt_platform.core.endpoints import ENDPOINTS
from yt_platform.defs.daily import OWNERS, permanent
from yt_platform.defs.partitions import SINGLE_RUN, window_of
from yt_platform.io.history import HistoryError
from yt_platform.io.importing import ImportRefusedError, import_history, verify_batches
from yt_platform.io.raw import CorruptBatchError
from yt_platform.io.warehouse import Window


class HistoryConfig(Config):
    path: str | None = Field(None, description="File or folder to import; without it stored batches are verified")


def build_raw(partitions: PartitionsDefinition) -> list[AssetsDefinition]:
    @asset(
        key=["raw", "history"],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        group_name="raw",
        kinds={"python", "parquet"},
        owners=OWNERS,
        code_version="1",
        required_resource_keys={"warehouse", "raw_store", "settings", "progress"},
    )
    def history(context: AssetExecutionContext, config: HistoryConfig) -> MaterializeResult:
        """Imported snapshot files as immutable batches: one per endpoint and UTC day, keyed by their content.

        A path is imported whole, whatever the partitions asked for; without a path the stored batches of the
        partitions are verified against their hashes, and a day without any fails, as the past cannot be collected.
        """
        held = context.resources
        window = window_of(context)
        try:
            if config.path:
                spool_root = held.settings.home / "spool"
                spool_root.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=spool_root) as spool:
                    path = Path(config.path)
                    partitions = Window(held.settings.partitions_start, datetime.now(UTC).date())
                    imported = import_history(
                        held.warehouse, held.raw_store, path, Path(spool), partitions, context.run.run_id, held.progress
                    )
                return MaterializeResult(
                    metadata={"path": config.path, "rows": sum(imported.rows.values()), "rejects": imported.rejects}
                )
            stored = verify_batches(held.warehouse, held.raw_store, list(ENDPOINTS), window, held.progress)
        except (HistoryError, ImportRefusedError, CorruptBatchError) as error:
            raise permanent(error) from error
        return MaterializeResult(metadata={"rows": sum(stored.rows.values())})

    return [history]
