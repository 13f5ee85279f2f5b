"""Failures of a state, which the interpreter passes to Retry, Catch and the execution."""

from typing import Any, cast

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name import states_error_name_type
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName

DETAILS = {
    HistoryEventType.ExecutionFailed: "executionFailedEventDetails",
    HistoryEventType.TaskFailed: "taskFailedEventDetails",
    HistoryEventType.EvaluationFailed: "evaluationFailedEventDetails",
    HistoryEventType.MapRunFailed: "mapRunFailedEventDetails",
}


def failure(env: Any, event: HistoryEventType, *, error: str, cause: str, **details: str) -> FailureEvent:
    """Create the failure of a state. A Catch receives `error` and `cause`; only the history contains `details`."""
    event_details = {DETAILS[event]: {"error": error, "cause": cause, **details}}
    return FailureEvent(env=env, error_name=_name(error), event_type=event, event_details=cast(Any, event_details))


def as_exception(event: FailureEvent) -> FailureEventException:
    """Wrap a failure in an exception."""
    return FailureEventException(failure_event=event)


def _name(error: str) -> ErrorName:
    if error in states_error_name_type._REVERSE_NAME_LOOKUP:
        return StatesErrorName(typ=states_error_name_type.StatesErrorNameType.from_name(error))
    return CustomErrorName(error)
