"""Outcomes and durations of executions, read from the CloudWatch metrics of the state machine."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evaluation.execution_metrics import Outcomes, read_outcomes

ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:scones-local-workflow"
END = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeCloudWatch:
    """A CloudWatch client whose GetMetricData returns one value of each metric per page.

    Parameters
    ----------
    values : values by the name that `metric_name` returns
    """

    def __init__(self, values: Mapping[str, list[float]]) -> None:
        self._values = values
        self.requests: list[dict[str, Any]] = []

    def get_paginator(self, operation: str) -> "FakeCloudWatch":
        assert operation == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        self.requests.append(request)
        for number in range(max(map(len, self._values.values()), default=1)):
            results = [
                {"Id": query["Id"], "Values": self._values.get(metric_name(query), [])[number : number + 1]}
                for query in request["MetricDataQueries"]
            ]
            yield {"MetricDataResults": results}


def metric_name(query: Mapping[str, Any]) -> str:
    """Return a name for a metric query: the error that it counts, or else its metric, or else its percentile."""
    metric, statistic = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
    errors = [each["Value"] for each in metric["Dimensions"] if each["Name"] == "Error"]
    return str(errors[0] if errors else metric["MetricName"] if statistic == "Sum" else statistic)


def read(values: Mapping[str, list[float]], *, days: float = 1) -> tuple[Outcomes, FakeCloudWatch]:
    """Return the outcomes in a time range of some days, and the client that received the requests."""
    cloudwatch = FakeCloudWatch(values)
    return read_outcomes(ARN, "scones-local", END - timedelta(days=days), END, cloudwatch=cloudwatch), cloudwatch


def test_failed_executions_are_counted_by_cause() -> None:
    # GIVEN metrics with values for two periods
    values = {
        "ExecutionsSucceeded": [80.0, 10.0],
        "ExecutionsFailed": [6.0, 4.0],
        "ExecutionsTimedOut": [1.0],
        "ExecutionsAborted": [2.0],
        "THRESHOLD_CONFIDENCE_NOT_MET": [5.0, 1.0],
        "ImageInvalidError": [1.0],
        "KeyInvalidError": [1.0],
        "p50": [500.0, 400.0],
        "p95": [900.0, 1200.0],
    }

    # WHEN
    outcomes, _ = read(values)

    # THEN the counts of both periods are added, and each percentile is the higher one of both periods
    assert outcomes == Outcomes(
        succeeded=90, low_confidence=6, invalid_image=2, failed=2, timed_out=1, aborted=2, p50=0.5, p95=1.2
    )
    assert (outcomes.total, outcomes.failures, outcomes.classified) == (103, 3, 96)


def test_durations_are_none_without_executions() -> None:
    # WHEN
    outcomes, _ = read({})

    # THEN
    assert (outcomes.total, outcomes.p50, outcomes.p95) == (0, None, None)


def test_number_of_failures_is_not_negative_if_causes_are_counted_before_the_executions_end() -> None:
    # WHEN
    outcomes, _ = read({"THRESHOLD_CONFIDENCE_NOT_MET": [3.0], "ExecutionsFailed": [2.0]})

    # THEN
    assert (outcomes.low_confidence, outcomes.failed) == (3, 0)


@pytest.mark.parametrize(
    ("days", "period"),
    [(15 / 1440, 900), (1 / 24, 3600), (1.01, 25 * 3600), (7, 7 * 86400), (90, 30 * 86400), (0, 60)],
)
def test_one_period_covers_the_time_range(days: float, period: int) -> None:
    # WHEN
    _, cloudwatch = read({}, days=days)

    # THEN
    periods = {query["MetricStat"]["Period"] for query in cloudwatch.requests[0]["MetricDataQueries"]}
    assert periods == {period}
