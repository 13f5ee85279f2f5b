"""The run of one execution: its environment, thread, outcome, metrics and EventBridge events."""

import datetime
import json
from typing import Any

from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType, MapRunStatus
from moto.stepfunctions.parser.asl.eval import program_state
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from sagelocal.core.patching import replace
from sagelocal.services import events
from sagelocal.services.cloudwatch import metrics

STATUSES: dict[type[Any], ExecutionStatus] = {
    program_state.ProgramEnded: ExecutionStatus.SUCCEEDED,
    program_state.ProgramStopped: ExecutionStatus.ABORTED,
    program_state.ProgramError: ExecutionStatus.FAILED,
    program_state.ProgramTimedOut: ExecutionStatus.TIMED_OUT,
}
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
METRICS = {
    ExecutionStatus.SUCCEEDED: "ExecutionsSucceeded",
    ExecutionStatus.ABORTED: "ExecutionsAborted",
    ExecutionStatus.FAILED: "ExecutionsFailed",
    ExecutionStatus.TIMED_OUT: "ExecutionsTimedOut",
}

MAX_EVENT_DATA = 248 * 1024  # maximum total size of the input and output in an EventBridge event, in bytes


def install() -> None:
    """Install the patches into moto."""
    replace(BaseExecutionWorkerCommunication, "_reflect_execution_status", record_outcome)
    replace(Execution, "status", status)
    _create_environment_before_start()
    _drop_events_after_the_last()


def status(execution: Any) -> str:
    """Return an execution's status, or RUNNING if moto has listed the execution but not yet set its status."""
    return str((execution.exec_status or ExecutionStatus.RUNNING).value)


def stop(execution: Any, *, error: str | None, cause: str | None) -> None:
    """Stop an execution, unless it has ended."""
    if execution.exec_status != ExecutionStatus.RUNNING:
        return
    now = datetime.datetime.now(tz=datetime.UTC)
    details = {name: value for name, value in (("error", error), ("cause", cause)) if value is not None}
    _end_history(execution, HistoryEventType.ExecutionAborted, executionAbortedEventDetails=details)
    execution.stop(stop_date=now, error=error, cause=cause)
    execution.error, execution.cause, execution.stop_date = error, cause, now
    _abort_map_runs(execution)
    _put_metrics(execution, {METRICS[ExecutionStatus.ABORTED]: 1, "ExecutionTime": _milliseconds(execution)})
    execution.exec_status = ExecutionStatus.ABORTED
    send_event(execution, execution.exec_status)


def record_outcome(self: Any) -> None:
    """Set the status and output of an execution whose program has ended."""
    execution = self.execution
    if execution.exec_status != ExecutionStatus.RUNNING:
        return
    environment = execution.exec_worker.env
    state = environment.program_state()
    if isinstance(state, program_state.ProgramRunning):  # called for an earlier run, which a redrive has replaced
        return
    if isinstance(state, program_state.ProgramEnded):
        execution.output = environment.states.get_input()
    if isinstance(state, program_state.ProgramError):
        execution.error = (state.error or {}).get("error")
        execution.cause = (state.error or {}).get("cause")
    execution.stop_date = datetime.datetime.now(tz=datetime.UTC)
    status = STATUSES[type(state)]
    if status == ExecutionStatus.TIMED_OUT:
        _end_history(execution, HistoryEventType.ExecutionTimedOut, executionTimedOutEventDetails={})
    _abort_map_runs(execution)
    _put_metrics(execution, {METRICS[status]: 1, "ExecutionTime": _milliseconds(execution)})
    # set last, because clients read the outcome as soon as the status changes
    execution.exec_status = status
    send_event(execution, execution.exec_status)


def send_start(execution: Any) -> None:
    """Send the status RUNNING before the execution starts, so that this event precedes the event of the outcome."""
    send_event(execution, ExecutionStatus.RUNNING)


def send_event(execution: Any, status: ExecutionStatus) -> None:
    """Send an execution's status to EventBridge if its state machine is STANDARD.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    machine = execution.state_machine
    if machine.type != "STANDARD":
        return
    detail = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": getattr(machine, "source_arn", machine.arn),
        "name": execution.name,
        "status": str(status.value),
        "startDate": _timestamp(execution.start_date),
        "stopDate": _timestamp(execution.stop_date),
        **_data(execution),
        "stateMachineVersionArn": machine.arn if hasattr(machine, "source_arn") else None,
        "redriveCount": getattr(execution, "redrive_count", 0),
        "redriveDate": _timestamp(getattr(execution, "redrive_date", None)),
        "error": execution.error,
        "cause": execution.cause,
    }
    events.put(
        execution.account_id,
        execution.region_name,
        "aws.states",
        "Step Functions Execution Status Change",
        execution.execution_arn,
        detail,
    )


def _data(execution: Any) -> dict[str, Any]:
    """Return the event's members for input and output. Omit the input, or both, if the event would be too large.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    text = execution.execution_input
    output = None if execution.output is None else json.dumps(execution.output)
    sizes = [0 if each is None else len(json.dumps(each)) for each in (text, output)]
    has_input, has_output = sum(sizes) <= MAX_EVENT_DATA, sizes[1] <= MAX_EVENT_DATA
    return {
        "input": text if has_input else None,
        "inputDetails": {"included": has_input},
        "output": output if has_output else None,
        "outputDetails": None if output is None else {"included": has_output},
    }


def _end_history(execution: Any, event: HistoryEventType, **details: Any) -> None:
    """Add the last event to an execution's history; later events of states that are still running are dropped."""
    environment = execution.exec_worker.env
    environment.event_history_context.source_event_id = 0
    environment.event_manager.add_event(environment.event_history_context, event, details, last=True)


def _drop_events_after_the_last() -> None:
    def add(self: Any, *args: Any, last: bool = False, **kwargs: Any) -> int:
        if getattr(self, "ended", False):
            return 0
        self.ended = last
        return int(original(self, *args, **kwargs))

    original = replace(
        EventManager,
        "add_event",
        add,
        parameters=("context", "event_type", "event_details", "timestamp", "update_source_event_id"),
    )


def _abort_map_runs(execution: Any) -> None:
    """Abort the Map Runs that are still running when their execution ends."""
    for record in execution.exec_worker.env.map_run_record_pool_manager.get_all():
        if record.status == MapRunStatus.RUNNING:
            record.set_stop(status=MapRunStatus.ABORTED)
            if hasattr(record, "run"):  # set when the Map Run starts
                record.run.abort(record.run.redrive_count)


def _put_metrics(execution: Any, values: dict[str, float]) -> None:
    machine = execution.state_machine
    dimensions = {"StateMachineArn": getattr(machine, "source_arn", machine.arn)}
    metrics.put(execution.account_id, execution.region_name, "AWS/States", dimensions, values)


def _timestamp(moment: datetime.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)


def _milliseconds(execution: Any) -> float:
    duration: datetime.timedelta = execution.stop_date - execution.start_date
    return duration / datetime.timedelta(milliseconds=1)


def _create_environment_before_start() -> None:
    """Create an execution's environment before its thread starts, so that the execution can be stopped immediately."""

    def execute(self: Any) -> None:
        try:
            logic(self)
        except Exception as error:
            # an error in the interpreter fails the execution, which moto would leave running forever
            self.env.set_error({"error": "States.Runtime", "cause": f"{type(error).__name__}: {error}"})
            self._execution_communication.terminated()

    def create(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.env = make_environment(self)
        self.env.next_state_name = ""

    original = replace(
        ExecutionWorker,
        "__init__",
        create,
        parameters=(
            "evaluation_details",
            "exec_comm",
            "cloud_watch_logging_session",
            "activity_store",
            "mock_test_case",
        ),
    )
    logic = replace(ExecutionWorker, "_execution_logic", execute)
    make_environment = replace(ExecutionWorker, "_get_evaluation_environment", lambda self: self.env)
