"""Match error names in Retry and Catch, and report errors of result paths.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html, "Error names".
"""

import json
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name import states_error_name_type
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.path.result_path import ResultPath

from sagelocal.core.patching import replace
from sagelocal.services.stepfunctions.state_failures import as_exception, failure

RUNTIME = "States.Runtime"  # "will always cause the execution to fail"
DATA_LIMIT = "States.DataLimitExceeded"  # "a terminal error that can't be caught by the States.ALL error type"
TIMEOUT = "States.Timeout"  # States.TaskFailed "matches any known error name except for States.Timeout"


def install() -> None:
    """Install the patches into moto."""
    replace(ErrorEqualsDecl, "_eval_body", evaluate, parameters=("env",))
    _keep_names_of_inner_errors()
    _fail_on_impossible_result_paths()


def evaluate(self: Any, env: Any) -> None:
    """Pop the error name from the stack, and push whether `ErrorEquals` matches it."""
    error = env.stack.pop().error_name
    env.stack.append(matches({name.error_name for name in self.error_names}, error))


def matches(names: set[str], error: str | None) -> bool:
    """Return whether the names of a Retry or Catch rule match an error."""
    if error == RUNTIME:
        return False
    if error in names:
        return True
    if error == DATA_LIMIT:
        return False
    return "States.ALL" in names or ("States.TaskFailed" in names and error != TIMEOUT)


def _keep_names_of_inner_errors() -> None:
    """Let Map and Parallel states fail with the built-in error of an inner state, for which moto raises ValueError."""

    def create(self: Any, error_name: str | None) -> None:
        if error_name in states_error_name_type._REVERSE_NAME_LOOKUP:
            ErrorName.__init__(self, error_name=error_name)
        else:
            original(self, error_name)

    original = replace(CustomErrorName, "__init__", create, parameters=("error_name",))


def _fail_on_impossible_result_paths() -> None:
    """Fail with `States.ResultPathMatchFailure` if a result cannot be inserted into the state's input."""

    def insert(self: Any, env: Any) -> None:
        state_input = env.states.get_input()
        try:
            original(self, env)
        except TypeError as error:
            cause = f"Unable to apply ResultPath '{self.result_path_src}' to input {json.dumps(state_input)}"
            event = HistoryEventType.ExecutionFailed
            raise as_exception(failure(env, event, error="States.ResultPathMatchFailure", cause=cause)) from error

    original = replace(ResultPath, "_eval_body", insert, parameters=("env",))
