"""From Arrow, in which files and the database answer, to the dtypes that declarations use."""

import pandas as pd
import pyarrow as pa

from yt_platform.tables.columns import INSTANT, TEXT


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Arrow to the dtypes declarations use; integers stay nullable, dates become midnights."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS_TYPES.get, date_as_object=False)
    for name in frame.columns[frame.dtypes == "datetime64[ms]"]:
        frame[name] = frame[name].dt.as_unit("ns")
    return frame


_PANDAS_TYPES = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.timestamp("us", "UTC"): INSTANT,
}
