"""Errors of the API by their own names, and failures of a state machine kept out of the emulator's log."""

import inspect
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser import api
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent

from sagelocal.core.patching import replace


def install() -> None:
    """Name the interpreter's API errors and quieten its log."""
    for error in vars(api).values():
        if inspect.isclass(error) and issubclass(error, AWSError) and "__init__" not in vars(error):
            _name(error)
    # a failed state is a result, told by the execution's history; moto also writes its program to the log
    replace(
        EvalComponent,
        "_log_failure_event_exception",
        lambda self, failure_event_exception: None,
        parameters=("failure_event_exception",),
    )


def _name(error: type[Any]) -> None:
    """Let an error be raised without a message, and answer with its name: moto leaves the code empty."""

    def create(
        self: Any, message: str | None = None, exception_type: str | None = None, status: int | None = None
    ) -> None:
        original(self, message or error.__name__, exception_type or error.__name__, status)

    original = replace(error, "__init__", create, parameters=("message", "exception_type", "status"))
