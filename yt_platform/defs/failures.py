"""What went wrong in a run, in the words of its cause: for the terminal and for alerts."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster._core.execution.plan.objects import StepFailureData
    from dagster._utils.error import SerializableErrorInfo


def step_cause(failure: "StepFailureData") -> str:
    """What a failed step says of itself, else the error behind every other."""
    told = failure.user_failure_data.description if failure.user_failure_data else None
    return told or root_cause(failure.error)


def root_cause(error: "SerializableErrorInfo | None") -> str:
    while error and error.cause:
        error = error.cause
    return error.message.strip() if error else "no cause was recorded"
