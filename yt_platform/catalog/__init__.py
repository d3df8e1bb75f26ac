"""The catalogue of all tables: what the modules of declarations below declare.

`TABLES` has those that people read, `INTERNAL_TABLES` the platform's own notes, `DECLARED` both. A table is in the
catalogue as soon as its capability declares it; a new module of declarations is named in `_MODULES`.
"""

from typing import TypeVar

from yt_platform.features import tables as features
from yt_platform.forecasting import tables as forecasting
from yt_platform.metrics import tables as metrics
from yt_platform.models import tables as models
from yt_platform.monitoring import tables as monitoring
from yt_platform.privacy import tables as privacy
from yt_platform.storage import tables as storage
from yt_platform.tables.declaration import AnyTable, Holds, InternalTable, Table
from yt_platform.warehouse import tables as warehouse
from yt_platform.youtube import tables as youtube
from yt_platform.youtube.reporting_api import tables as reports

_MODULES = (
    metrics,
    reports,
    features,
    models,
    forecasting,
    monitoring,
    storage,
    warehouse,
    privacy,
    youtube,
)

Kind = TypeVar("Kind", Table, InternalTable)


def _declared(kind: type[Kind]) -> dict[str, Kind]:
    """Tables of a kind by name, in the order of their modules. Raises ValueError where a name is declared twice."""
    found: dict[str, Kind] = {}
    for module in _MODULES:
        for table in vars(module).values():
            if isinstance(table, kind) and found.setdefault(table.name, table) is not table:
                raise ValueError(f"{table.name} is declared twice, the second time in {module.__name__}: rename one")
    return found


TABLES = _declared(Table)
INTERNAL_TABLES = _declared(InternalTable)
DECLARED: dict[str, AnyTable] = {**INTERNAL_TABLES, **TABLES}

VIEWS = {"bi.channel_overview_cached": Holds.DERIVED}
"""Materialised views, which are copies: what they hold is kept as long as a table's."""
