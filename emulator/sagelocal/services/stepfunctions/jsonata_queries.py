"""JSONata expressions, evaluated by jsonata-python instead of moto's stub.

Variables are passed to the expression as bindings. moto inserts their values into the expression's text, which fails
for strings with quotes and takes seconds for a large input.
"""

import copy
import hashlib
import json
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import uuid4

from jsonata import Jsonata
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata, StringVariableSample
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from sagelocal.core.patching import replace
from sagelocal.services.stepfunctions.state_failures import as_exception, failure

MAX_PARSED = 1024  # number of expressions whose syntax trees are cached


class QueryError(Exception):
    """A JSONata expression cannot be evaluated, or its value cannot be represented in JSON."""


def install() -> None:
    """Install the evaluation of JSONata expressions, and of variables in JSONPath mode."""
    replace(StringJSONata, "_eval_body", _evaluate_expression, parameters=("env",))
    replace(StringVariableSample, "_eval_body", _evaluate_sample, parameters=("env",))


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    """Return the value of a JSONata expression.

    Parameters
    ----------
    expression
        JSONata expression.
    bindings
        Values of the variables in the expression, by name without `$`.

    Raises
    ------
    QueryError
        If the expression is invalid, fails, or returns nothing or a value that JSON cannot represent.
    """
    # the copy shares the syntax tree, but has its own timestamp; the library makes such copies for other threads
    query = copy.copy(_parse(expression))
    Jsonata.CURRENT.jsonata = query
    try:
        value = query.evaluate(None, bindings)
    except Exception as error:
        # the library raises various exceptions, such as TypeError, for errors in an expression
        raise QueryError(f"The JSONata expression '{expression}' could not be evaluated: {error}") from error
    if value is None:
        raise QueryError(f"The JSONata expression '{expression}' returned nothing (undefined).")
    try:
        return json.loads(json.dumps(Utils.convert_nulls(value)))
    except TypeError:
        raise QueryError(f"The JSONata expression '{expression}' returned an unsupported result type.") from None


@lru_cache(MAX_PARSED)
def _parse(expression: str) -> Jsonata:
    """Parse an expression, or return the cached result.

    Each state runs in a new thread, for which the library would create a new parser.
    """
    try:
        query = Jsonata(expression)
    except Exception as error:
        raise QueryError(f"The JSONata expression '{expression}' is not valid: {error}") from error
    for name, function in FUNCTIONS.items():
        query.register_lambda(name, function)
    query.set_output_convert_nulls(False)
    return query


def _evaluate_expression(self: Any, env: Any) -> None:
    bindings = _bindings(env, self.expression)
    try:
        env.stack.append(evaluate(self.expression, bindings))
    except QueryError as error:
        raise _failure(env, str(error)) from error


def _evaluate_sample(self: Any, env: Any) -> None:
    """Evaluate `$name.path` in JSONPath mode, and raise a path error if there is no value."""
    bindings = _bindings(env, self.expression)
    try:
        env.stack.append(evaluate(self.expression, bindings))
    except QueryError as error:
        raise NoSuchJsonPathError(json_path=self.expression, data=bindings) from error


def _bindings(env: Any, expression: str) -> dict[str, Any]:
    """Return copies of the variables that an expression uses, so that the expression cannot change their values."""
    store = env.variable_store
    known = {"states": env.states._states_data} | store._outer_scope | store._inner_scope
    named = {name: value for name, value in known.items() if f"${name}" in expression}
    values: dict[str, Any] = json.loads(to_json_str(named))
    return values


def _failure(env: Any, cause: str) -> FailureEventException:
    event = HistoryEventType.EvaluationFailed
    return as_exception(failure(env, event, error="States.QueryEvaluationError", cause=cause))


def _partition(array: list[Any], size: int) -> list[list[Any]]:
    return [array[start : start + int(size)] for start in range(0, len(array), int(size))]


def _range(first: float, last: float, step: float) -> list[float]:
    return [first + number * step for number in range(int((last - first) // step) + 1)]


def _hash(value: Any, algorithm: str) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    return random.Random(seed).random()  # noqa: S311  no secret


# the functions that Step Functions adds to JSONata
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid4()),
    "parse": json.loads,
}
