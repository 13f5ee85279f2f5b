"""Set the error codes of the interpreter's API exceptions, and keep failed states out of the emulator's log."""

import inspect
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser import api
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent

from sagelocal.core.patching import replace


def install() -> None:
    """Install the patches into moto."""
    for error in vars(api).values():
        if inspect.isclass(error) and issubclass(error, AWSError) and "__init__" not in vars(error):
            _set_code(error)
    # a failed state is in the execution's history; moto would also write it to the emulator's log
    replace(
        EvalComponent,
        "_log_failure_event_exception",
        lambda self, failure_event_exception: None,
        parameters=("failure_event_exception",),
    )


def _set_code(error: type[Any]) -> None:
    """Make the class name the default of an exception's error code and message, which moto leaves empty."""

    def create(
        self: Any, message: str | None = None, exception_type: str | None = None, status: int | None = None
    ) -> None:
        original(self, message or error.__name__, exception_type or error.__name__, status)

    original = replace(error, "__init__", create, parameters=("message", "exception_type", "status"))
