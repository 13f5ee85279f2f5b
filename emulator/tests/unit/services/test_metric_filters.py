"""Filter patterns of CloudWatch Logs metric filters."""

from typing import Any

import pytest

from sagelocal.services.logs import matches

EVENT = {"level": "ERROR", "confidence": 0.9, "record": {"status": "timeout"}, "cold": True, "code": "7"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("{ $.confidence = * }", True, id="present"),
        pytest.param("{ $.class = * }", False, id="absent"),
        pytest.param('{ $.level = "ERROR" }', True, id="text"),
        pytest.param('{ $.level = "ERR*" }', True, id="wildcard"),
        pytest.param('{ $.level != "ERROR" }', False, id="equal-text-does-not-differ"),
        pytest.param("{ $.confidence < 0.93 }", True, id="number"),
        pytest.param("{ $.confidence >= 0.93 }", False, id="too-small"),
        pytest.param('{ $.record.status = "timeout" && $.confidence > 0.5 }', True, id="both"),
        pytest.param('{ $.record.status = "timeout" && $.confidence > 0.95 }', False, id="one-of-two"),
        pytest.param("ERROR", False, id="unsupported"),
        pytest.param("{ $.cold = true }", True, id="boolean"),
        pytest.param("{ $.cold = false }", False, id="other-boolean"),
        pytest.param("{ $.cold > 0 }", False, id="boolean-is-not-a-number"),
        pytest.param("{ $.confidence = high }", False, id="word-against-number"),
        pytest.param("{ $.confidence != high }", True, id="word-differs-from-number"),
        pytest.param("{ $.confidence < high }", False, id="word-is-not-greater"),
        pytest.param("{ $.level < 5 }", False, id="text-is-not-less"),
        pytest.param('{ $.level > "A" }', False, id="text-is-not-greater"),
        pytest.param("{ $.code >= 7 }", False, id="digits-in-text-are-not-a-number"),
        pytest.param("{ $.code = 7 }", True, id="digits-are-equal"),
    ],
)
def test_pattern_is_compared_with_the_members_of_an_event(pattern: str, expected: bool) -> None:
    assert matches(pattern, EVENT) is expected


@pytest.mark.parametrize("event", ["text", 1, None, ["level"]])
def test_event_that_is_not_an_object_never_matches(event: Any) -> None:
    assert not matches("{ $.level = * }", event)
