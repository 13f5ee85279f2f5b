"""Filter patterns of metric filters."""

from typing import Any

import pytest

from sagelocal.services.logs import matches

EVENT = {"level": "ERROR", "confidence": 0.9, "record": {"status": "timeout"}}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("{ $.confidence = * }", True, id="present"),
        pytest.param("{ $.class = * }", False, id="absent"),
        pytest.param('{ $.level = "ERROR" }', True, id="text"),
        pytest.param('{ $.level = "ERR*" }', True, id="wildcard"),
        pytest.param('{ $.level != "ERROR" }', False, id="not-text"),
        pytest.param("{ $.confidence < 0.93 }", True, id="number"),
        pytest.param("{ $.confidence >= 0.93 }", False, id="too-small"),
        pytest.param('{ $.record.status = "timeout" && $.confidence > 0.5 }', True, id="both"),
        pytest.param('{ $.record.status = "timeout" && $.confidence > 0.95 }', False, id="one-of-two"),
        pytest.param("ERROR", False, id="unsupported"),
    ],
)
def test_pattern_matches_events(pattern: str, expected: bool) -> None:
    assert matches(pattern, EVENT) is expected


@pytest.mark.parametrize("event", ["text", 1, None, ["level"]])
def test_event_that_is_not_an_object_never_matches(event: Any) -> None:
    assert not matches("{ $.level = * }", event)
