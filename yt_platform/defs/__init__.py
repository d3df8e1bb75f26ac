"""Dagster definitions only: assets, checks, jobs, schedules. Anything that can be a pure function lives in core."""
