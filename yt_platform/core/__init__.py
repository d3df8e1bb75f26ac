"""Pure code: functions and dataclasses over frames. No Dagster, no network, no clock, no environment."""
