"""Choice states, Parallel states and Catch."""

from typing import Any

import pytest

from ..statemachines import StateMachines, single

FAIL = {"Type": "Fail", "Error": "Bad", "Cause": "on purpose"}


@pytest.mark.parametrize(("number", "expected"), [(1, "low"), (5, "middle"), (10, "high")])
def test_choice_takes_the_first_matching_rule(machines: StateMachines, number: int, expected: str) -> None:
    # GIVEN a Choice state that compares a number
    middle = {"And": [{"Variable": "$.n", "NumericGreaterThan": 1}, {"Variable": "$.n", "NumericLessThan": 9}]}
    definition = {
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.n", "NumericLessThanEquals": 1, "Next": "low"},
                    {**middle, "Next": "middle"},
                ],
                "Default": "high",
            },
            **{name: {"Type": "Pass", "Result": name, "End": True} for name in ("low", "middle", "high")},
        },
    }

    # WHEN it runs
    output = machines.output(definition, {"n": number})

    # THEN the state of the first matching rule runs
    assert output == expected


def test_parallel_outputs_are_in_the_order_of_the_definition(machines: StateMachines) -> None:
    # GIVEN two branches, the first of which is slower
    branches = [
        {
            "StartAt": "Slow",
            "States": {"Slow": {"Type": "Wait", "Seconds": 1, "Next": "A"}, "A": _pass_state("a")},
        },
        {"StartAt": "B", "States": {"B": _pass_state("b")}},
    ]

    # WHEN they run
    output = machines.output(single(Type="Parallel", Branches=branches))

    # THEN the outputs are in the order of the definition
    assert output == ["a", "b"]


def test_failed_branch_is_caught_with_its_error(machines: StateMachines) -> None:
    # GIVEN a Parallel state with a branch that fails, and two Catch rules
    branches = [{"StartAt": "No", "States": {"No": FAIL}}, {"StartAt": "B", "States": {"B": _pass_state("b")}}]
    catch = [{"ErrorEquals": ["Other"], "Next": "Wrong"}, {"ErrorEquals": ["Bad"], "Next": "Right"}]
    definition = {
        "StartAt": "Both",
        "States": {
            "Both": {"Type": "Parallel", "Branches": branches, "Catch": catch, "Next": "Wrong"},
            "Right": {"Type": "Pass", "End": True},
            "Wrong": {"Type": "Fail"},
        },
    }

    # WHEN it runs
    output = machines.output(definition)

    # THEN the state of the matching Catch rule receives error and cause
    assert output == {"Error": "Bad", "Cause": "on purpose"}


def _pass_state(value: str) -> dict[str, Any]:
    """Return a final state that outputs a value."""
    return {"Type": "Pass", "Result": value, "End": True}
