"""Child executions of a Map Run: their context object, history and logs.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html (each child execution has its
own history) and https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
"""

import json
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.event.logging import CloudWatchLoggingSession
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramStopped
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from sagelocal.services.stepfunctions.event_history import COMPACT
from sagelocal.services.stepfunctions.map_runs import ABORTED, FAILED, SUCCEEDED, Child, MapRun


def begin(env: Any, run: MapRun, child: Child, value: Any) -> None:
    """Set up a child execution's own context object and history in its environment.

    Parameters
    ----------
    env
        moto's environment of the child execution.
    run
        Map Run of the child execution.
    child
        Record of the child execution.
    value
        Input of the child execution.
    """
    data = env.states.context_object.context_object_data
    start = child.start_date.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    execution = {"Id": child.arn, "Name": child.name, "Input": value, "StartTime": start}
    data["Execution"] = {**data["Execution"], **execution}
    data["StateMachine"] = {"Id": run.machine_arn, "Name": run.machine_arn.rpartition(":")[2]}
    parent = env.cloud_watch_logging_session
    log_session: Any = parent and CloudWatchLoggingSession(child.arn, parent.configuration)
    if log_session is not None:
        log_session.redrive_count = child.redrive_count
    env.event_manager = EventManager(log_session)
    run.histories[child.index] = env.event_manager
    context = env.event_history_context
    context.source_event_id = context.last_published_event_id = 0
    if child.history is not None:  # events of the attempts before a redrive
        events = json.loads(run.texts[child.history])
        env.event_manager._history_event_list.extend(events)
        env.event_manager._event_id_gen._next_id = len(events) + 1
        details: Any = {"redriveCount": child.redrive_count}
        _add_event(env, HistoryEventType.ExecutionRedriven, executionRedrivenEventDetails=details)
        return
    details = {"input": to_json_str(value, COMPACT), "inputDetails": {"truncated": False}}
    details["roleArn"] = data["Execution"]["RoleArn"]
    event = HistoryEventType.ExecutionStarted
    env.event_manager.add_event(context, event, {"executionStartedEventDetails": details}, update_source_event_id=False)


def end(env: Any, run: MapRun, child: Child, state: Any) -> None:
    """Record the outcome of a child execution and, if it is STANDARD, store its history."""
    output, details = None, {}
    if isinstance(state, ProgramEnded):
        output, status = to_json_str(env.states.get_input(), COMPACT), SUCCEEDED
        succeeded = {"output": output, "outputDetails": {"truncated": False}}
        _add_event(env, HistoryEventType.ExecutionSucceeded, executionSucceededEventDetails=succeeded)
    elif isinstance(state, ProgramStopped):
        status = ABORTED
        _add_event(env, HistoryEventType.ExecutionAborted, executionAbortedEventDetails={})
    else:
        error, status = getattr(state, "error", None) or {}, FAILED
        details = {name: error[name] for name in ("error", "cause") if error.get(name) is not None}
        _add_event(env, HistoryEventType.ExecutionFailed, executionFailedEventDetails=details)
    if not run.express:  # GetExecutionHistory does not support EXPRESS executions
        child.history = run.texts.add(env.event_manager._history_event_list.text())
    run.histories.pop(child.index, None)
    run.finish(child, status, output=output, **details)


def history(run: MapRun, child: Child) -> list[dict[str, Any]]:
    """Return the events of a STANDARD child execution."""
    running = run.histories.get(child.index)
    if running is not None:
        return list(running.get_event_history())
    events: list[dict[str, Any]] = [] if child.history is None else json.loads(run.texts[child.history])
    return events


def _add_event(env: Any, event: HistoryEventType, **details: Any) -> None:
    env.event_manager.add_event(env.event_history_context, event, details)
