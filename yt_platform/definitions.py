"""The code location Dagster loads."""

from yt_platform.build import build_defs
from yt_platform.settings import load_settings

defs = build_defs(load_settings())
