"""JSONata expressions, JSONPath expressions and variables."""

import concurrent.futures
import json
import time
from typing import Any

import pytest

from ..statemachines import StateMachines, single


def jsonata(expression: str, **more: Any) -> dict[str, Any]:
    """Return a definition whose output is the value of a JSONata expression."""
    return single(QueryLanguage="JSONata", Type="Pass", Output=f"{{% {expression} %}}", **more)


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("$states.input.a + 1", {"a": 1}, 2),
        ("$states.input.a", {"a": 'say "hi"'}, 'say "hi"'),
        ("$states.input.a", {"a": None}, None),
        ("$states.input", {"a": [None, {"b": []}]}, {"a": [None, {"b": []}]}),
        ("$sum($states.input.a[$ > 1])", {"a": [1, 2, 3]}, 5),
        ("$states.input.a.{'n': b}", {"a": [{"b": 1}, {"b": 2}]}, [{"n": 1}, {"n": 2}]),
        ("$partition($states.input.a, 2)", {"a": [1, 2, 3]}, [[1, 2], [3]]),
        ("$range(1, 7, 3)", {}, [1, 4, 7]),
        ("$hash('a', 'MD5')", {}, "0cc175b9c0f1b6a831c399e269772661"),
        ("$parse($states.input.a).b", {"a": '{"b": 4}'}, 4),
        ("$length($uuid())", {}, 36),
        ("$states.context.Execution.Input.a", {"a": 9}, 9),
    ],
    ids=[
        "sum",
        "quotes",
        "null",
        "nested-null",
        "filter",
        "map",
        "partition",
        "range",
        "hash",
        "parse",
        "uuid",
        "context",
    ],
)
def test_jsonata_expression_is_evaluated(machines: StateMachines, expression: str, value: Any, expected: Any) -> None:
    # WHEN a state machine evaluates an expression
    output = machines.output(jsonata(expression), value)

    # THEN its output is the expression's value
    assert output == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a[0].b", "x"),
        ("$.a[1]", {"b": "y"}),
        ("$.a[*].b", ["x", "y"]),
        ("$.a[1:].b", ["y"]),
        ("$..b", ["x", "y"]),
        ("$.a[?(@.b=='y')].b", ["y"]),
        ("$.a[?(@.b=='z')].b", []),
    ],
    ids=["index", "last-index", "wildcard", "slice", "descent", "filter", "filter-none"],
)
def test_json_path_returns_a_value_or_a_list(machines: StateMachines, path: str, expected: Any) -> None:
    # WHEN a state evaluates a path
    output = machines.output(single(Type="Pass", Parameters={"got.$": path}), {"a": [{"b": "x"}, {"b": "y"}]})

    # THEN a path that can match only one node returns the node's value, and any other path returns a list
    assert output == {"got": expected}


def test_path_without_a_match_fails(machines: StateMachines) -> None:
    # WHEN a state evaluates a path that does not match
    ended = machines.run(single(Type="Pass", Parameters={"got.$": "$.missing"}))

    # THEN the execution fails with AWS's error
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")


@pytest.mark.parametrize(
    "expression", ["$states.input.missing", "$sum('a')", "function($x){$x}"], ids=["undefined", "type", "function"]
)
def test_jsonata_expression_without_a_json_value_fails(machines: StateMachines, expression: str) -> None:
    # WHEN an expression has no value that JSON can represent
    ended = machines.run(jsonata(expression), {"a": 1})

    # THEN the execution fails with AWS's error
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.parametrize("language", ["JSONata", "JSONPath"])
def test_later_states_can_use_assigned_variables(machines: StateMachines, language: str) -> None:
    # GIVEN a state that assigns a variable, and a later state that uses it
    if language == "JSONata":
        first = {"Assign": {"kept": "{% $states.input.a %}"}, "Output": {}}
        second = {"Output": {"got": "{% $kept.b & '!' %}"}}
    else:
        first = {"Assign": {"kept.$": "$.a"}}
        second = {"Parameters": {"got.$": "States.Format('{}!', $kept.b)"}}
    definition = {
        "QueryLanguage": language,
        "StartAt": "First",
        "States": {
            "First": {"Type": "Pass", **first, "Next": "Second"},
            "Second": {"Type": "Pass", **second, "End": True},
        },
    }

    # WHEN it runs
    output = machines.output(definition, {"a": {"b": 'x"y'}})

    # THEN the output contains the value, including its quotes
    assert output == {"got": 'x"y!'}


@pytest.mark.parametrize(
    ("variable", "expected"), [("$kept.a", "there"), ("$kept.b", "not")], ids=["present", "absent"]
)
def test_is_present_is_true_for_a_null_member(machines: StateMachines, variable: str, expected: str) -> None:
    # GIVEN a variable with a null member, and a Choice state with IsPresent
    rule = {"Variable": variable, "IsPresent": True, "Next": "there"}
    definition = {
        "StartAt": "Keep",
        "States": {
            "Keep": {"Type": "Pass", "Assign": {"kept": {"a": None}}, "Next": "Which"},
            "Which": {"Type": "Choice", "Choices": [rule], "Default": "not"},
            "there": _pass_state("there"),
            "not": _pass_state("not"),
        },
    }

    # WHEN it runs
    output = machines.output(definition)

    # THEN the null member is present, and a missing member is not
    assert output == expected


def test_jsonata_is_fast_for_large_inputs(machines: StateMachines) -> None:
    # GIVEN an input of 87 KB
    items = [{"key": f"test/image-{number:05}.png", "n": number} for number in range(2000)]
    machine = machines.create(jsonata("$count($states.input.items)"))

    # WHEN a state counts the items of the input
    started = time.monotonic()
    execution = machines.client.start_execution(stateMachineArn=machine, input=json.dumps({"items": items}))
    ended = machines.wait_for_execution(execution["executionArn"])

    # THEN the execution takes less than five seconds
    assert ended["output"] == "2000"
    assert time.monotonic() - started < 5


def test_concurrent_parses_do_not_affect_each_other(machines: StateMachines) -> None:
    # GIVEN JSONata and JSONPath definitions
    definitions = [
        jsonata("$states.input.a", Comment=str(number))
        if number % 2
        else single(Type="Pass", OutputPath="$.a", Comment=str(number))
        for number in range(24)
    ]

    # WHEN they are created and executed in parallel
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda definition: machines.output(definition, {"a": 5}), definitions))

    # THEN each definition is parsed in its own query language
    assert outputs == [5] * len(definitions)


def _pass_state(value: str) -> dict[str, Any]:
    """Return a final state that outputs a value."""
    return {"Type": "Pass", "Result": value, "End": True}
