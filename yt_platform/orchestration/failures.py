"""What went wrong in a run, in the words of its cause: for the terminal and for alerts."""

from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

if TYPE_CHECKING:
    from dagster._core.execution.plan.objects import StepFailureData
    from dagster_shared.error import SerializableErrorInfo


def step_cause(failure: "StepFailureData") -> str:
    """What a failed step says of itself, else the error behind every other."""
    told = failure.user_failure_data.description if failure.user_failure_data else None
    return told or root_cause(failure.error)


def root_cause(error: "SerializableErrorInfo | None") -> str:
    while error and error.cause:
        error = error.cause
    return error.message.strip() if error else "no cause was recorded"


def newest_finished_runs(instance: DagsterInstance) -> dict[str, DagsterRun]:
    """By job, its newest run that succeeded or failed, among the newest 200 runs of all jobs."""
    finished = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
    newest: dict[str, DagsterRun] = {}
    for run in instance.get_runs(RunsFilter(statuses=finished), limit=200):
        newest.setdefault(run.job_name, run)
    return newest


def run_cause(instance: DagsterInstance, run_id: str) -> str:
    """What a failed run says of its first failed step, else of itself."""
    entries = instance.all_logs(run_id, of_type=DagsterEventType.RUN_FAILURE)
    event = entries[-1].dagster_event if entries else None
    if event is None:
        return "its log is gone"
    failure = event.job_failure_data
    step = failure.first_step_failure_event
    if step:
        return f"{step.step_key}: {step_cause(step.step_failure_data)}"
    return root_cause(failure.error) if failure.error else str(event.message)
