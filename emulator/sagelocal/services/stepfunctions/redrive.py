"""RedriveExecution: continue an unsuccessful execution at the state that did not succeed.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import datetime
import json
import threading
from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionNotRedrivable, ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.flow.start_at import StartAt
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.responses import StepFunctionResponse

from sagelocal.core.patching import add

REDRIVABLE = {ExecutionStatus.FAILED, ExecutionStatus.ABORTED, ExecutionStatus.TIMED_OUT}


def install() -> None:
    """Add the operation RedriveExecution."""
    add(StepFunctionResponse, "redrive_execution", redrive_execution)


def redrive_execution(self: Any) -> ActionResult:
    """RedriveExecution: start an execution again at the state that failed or was interrupted, with the same input."""
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    if execution.exec_status not in REDRIVABLE:
        raise ExecutionNotRedrivable(
            f"Execution {execution.execution_arn} is {execution.status}; only FAILED, ABORTED and TIMED_OUT executions "
            "are redrivable"
        )
    execution.redrive_date = datetime.datetime.now(tz=datetime.UTC)
    execution.redrive_count = getattr(execution, "redrive_count", 0) + 1
    _restart(execution)
    return ActionResult({"redriveDate": execution.redrive_date})


def _restart(execution: Any) -> None:
    former = execution.exec_worker.env
    worker = execution._get_start_execution_worker()
    environment = worker.env
    if former.cloud_watch_logging_session is not None:
        former.cloud_watch_logging_session.redrive_count = execution.redrive_count
    environment.event_manager = _continued_history(former.event_manager)
    environment.variable_store = former.variable_store
    environment.map_run_record_pool_manager = former.map_run_record_pool_manager
    for record in former.map_run_record_pool_manager.get_all():
        if hasattr(record, "run"):
            record.run.redriven = True
    state = former.states.context_object.context_object_data.get("State")
    if state is not None:
        environment.states.reset(_input_of(former.event_manager, state["Name"]))
    execution.exec_worker = worker
    execution.error = execution.cause = execution.stop_date = None
    execution.exec_status = ExecutionStatus.RUNNING
    environment.event_manager.add_event(
        environment.event_history_context,
        HistoryEventType.ExecutionRedriven,
        {"executionRedrivenEventDetails": {"redriveCount": execution.redrive_count}},
    )
    start_at = None if state is None else StartAt(state["Name"])
    threading.Thread(target=_run, args=(worker, start_at), daemon=True).start()


def _run(worker: Any, start_at: StartAt | None) -> None:
    try:
        program = worker._get_evaluation_entrypoint()
        Program(
            query_language=program.query_language,
            start_at=start_at or program.start_at,
            states=program.states,
            timeout_seconds=program.timeout_seconds,
        ).eval(worker.env)
    except Exception as error:
        # an error in the interpreter fails the execution, which moto would leave running forever
        worker.env.set_error({"error": "States.Runtime", "cause": f"{type(error).__name__}: {error}"})
    worker._execution_communication.terminated()


def _continued_history(former: Any) -> EventManager:
    """Return an event manager with the events of the former run, to which the former run can add no more events."""
    history = EventManager(former._cloud_watch_logging_session)
    history._history_event_list.extend(former.get_event_history())
    history._event_id_gen._next_id = len(history._history_event_list) + 1
    return history


def _input_of(history: Any, name: str) -> Any:
    """Return the input with which a state was entered last."""
    entered = (event.get("stateEnteredEventDetails") for event in reversed(history.get_event_history()))
    return next(json.loads(details["input"]) for details in entered if details and details["name"] == name)
