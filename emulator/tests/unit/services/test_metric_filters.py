from typing import Any

import pytest

from sagelocal.services.logs import matches

EVENT = {"level": "ERROR", "confidence": 0.9, "record": {"status": "timeout"}}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("{ $.confidence = * }", True, id="there"),
        pytest.param("{ $.class = * }", False, id="not there"),
        pytest.param('{ $.level = "ERROR" }', True, id="text"),
        pytest.param('{ $.level = "ERR*" }', True, id="wildcard"),
        pytest.param('{ $.level != "ERROR" }', False, id="other text"),
        pytest.param("{ $.confidence < 0.93 }", True, id="number"),
        pytest.param("{ $.confidence >= 0.93 }", False, id="number too small"),
        pytest.param('{ $.record.status = "timeout" && $.confidence > 0.5 }', True, id="both"),
        pytest.param('{ $.record.status = "timeout" && $.confidence > 0.95 }', False, id="one of two"),
        pytest.param("ERROR", False, id="not emulated"),
    ],
)
def test_a_pattern_matches_what_it_says(pattern: str, expected: bool) -> None:
    assert matches(pattern, EVENT) is expected


@pytest.mark.parametrize("event", ["text", 1, None, ["level"]])
def test_what_is_no_object_matches_nothing(event: Any) -> None:
    assert not matches("{ $.level = * }", event)
