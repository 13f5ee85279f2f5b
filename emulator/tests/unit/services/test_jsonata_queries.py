"""Evaluation of JSONata expressions: caching, and independence of evaluations."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from jsonata import Jsonata

from sagelocal.services.stepfunctions.jsonata_queries import evaluate


def test_expression_is_parsed_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a JSONata library that records the expressions that it parses, and an expression that was evaluated once
    parsed: list[Any] = []
    original = Jsonata.__init__

    def record(self: Any, expression: str) -> None:
        parsed.append(expression)
        original(self, expression)

    monkeypatch.setattr(Jsonata, "__init__", record)
    expression = "$map($numbers, function($number) { $number * $factor })"
    evaluate(expression, {"numbers": [1], "factor": 1})

    # WHEN other threads evaluate the expression with different values
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda n: evaluate(expression, {"numbers": [1, 2, n], "factor": n}), range(3, 203)))

    # THEN the results are correct, and the expression was parsed only once
    assert results == [[n, 2 * n, n * n] for n in range(3, 203)]
    assert parsed == [expression]


def test_each_evaluation_has_its_own_time_and_random_values() -> None:
    # WHEN
    first = evaluate("[$millis(), $uuid()]", {})
    time.sleep(0.005)
    second = evaluate("[$millis(), $uuid()]", {})

    # THEN
    assert first[0] < second[0]
    assert first[1] != second[1]


def test_assigned_variable_does_not_exist_in_the_next_evaluation() -> None:
    # GIVEN an expression that assigns the variable b after it has tested whether b exists
    expression = "($exists($b) ? 'known' : 'unknown') & ($b := $a)"

    # WHEN / THEN
    assert [evaluate(expression, {"a": "1"}) for _ in range(2)] == ["unknown1", "unknown1"]
