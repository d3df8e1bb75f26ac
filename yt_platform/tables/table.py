"""The former place of what a table is, for code that has not moved yet: `yt_platform.tables` has it."""

from yt_platform.tables.columns import *  # noqa: F403
from yt_platform.tables.declaration import *  # noqa: F403
from yt_platform.tables.validation import *  # noqa: F403
