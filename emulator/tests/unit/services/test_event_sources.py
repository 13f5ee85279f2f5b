"""Partial batch responses of Lambda functions with an SQS event source."""

import json

import pytest

from sagelocal.services.awslambda.event_sources import failures
from sagelocal.services.awslambda.function import Result


# Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html (success and failure conditions)
@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(None, set(), id="null-response"),
        pytest.param({}, set(), id="empty-response"),
        pytest.param({"batchItemFailures": None}, set(), id="null-list"),
        pytest.param({"batchItemFailures": []}, set(), id="empty-list"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}, id="one-failure"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}, id="empty-id"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": None}]}, {"a", "b"}, id="null-id"),
        pytest.param({"batchItemFailures": [{"id": "a"}]}, {"a", "b"}, id="bad-key"),
        pytest.param("text", {"a", "b"}, id="not-an-object"),
    ],
)
def test_failures_are_read_from_the_response_only_if_reports_are_enabled(response: object, expected: set[str]) -> None:
    # GIVEN the response of a function that has processed the messages `a` and `b`
    result = Result(payload=json.dumps(response).encode(), failed=False, log="", log_stream="")
    # WHEN / THEN the response counts only if the event source mapping has ReportBatchItemFailures
    assert failures(result, {"a", "b"}, reports=True) == expected
    assert failures(result, {"a", "b"}, reports=False) == set()
