"""CloudWatch alarms: evaluation of thresholds, missing data, statistics and metric math."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moto.cloudwatch.models import (
    Alarm,
    Dimension,
    Metric,
    MetricAggregatedDatum,
    MetricDataQuery,
    MetricDatum,
    MetricStat,
)

from sagelocal.core.container_commands import Images
from sagelocal.core.emulator import Emulator
from sagelocal.services.cloudwatch import alarms
from sagelocal.services.cloudwatch.alarms import UnsupportedAlarmError, calculate, evaluate, statistic
from sagelocal.services.cloudwatch.metric_index import MetricIndex

from ...waiting import eventually

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIMENSIONS = [{"Name": "EndpointName", "Value": "some"}]


def datum(value: float, *, age: float = 1, name: str = "Errors", dimensions: Any = DIMENSIONS) -> MetricDatum:
    """Return a data point that is `age` seconds older than NOW."""
    return MetricDatum("Some", name, value, dimensions, NOW - timedelta(seconds=age))


def alarm(**changes: Any) -> Alarm:
    """Return an alarm that, without `changes`, goes into ALARM if more than 2 errors occur in one minute."""
    settings: dict[str, Any] = {
        "account_id": "123456789012",
        "region_name": "us-east-1",
        "name": "some-alarm",
        "namespace": "Some",
        "metric_name": "Errors",
        "metric_data_queries": None,
        "comparison_operator": "GreaterThanThreshold",
        "evaluation_periods": 1,
        "datapoints_to_alarm": None,
        "period": 60,
        "threshold": 2,
        "statistic": "Sum",
        "extended_statistic": None,
        "description": "",
        "dimensions": DIMENSIONS,
        "alarm_actions": [],
        "ok_actions": None,
        "insufficient_data_actions": None,
        "unit": None,
        "actions_enabled": True,
        "treat_missing_data": None,
        "evaluate_low_sample_count_percentile": None,
        "threshold_metric_id": None,
        "rule": None,
    }
    return Alarm(**{**settings, **changes})


@pytest.mark.parametrize(
    ("values", "state"), [([1, 1], "OK"), ([1, 2], "ALARM")], ids=["at-the-threshold", "above-the-threshold"]
)
def test_alarm_goes_into_alarm_above_the_threshold(values: list[float], state: str) -> None:
    assert evaluate(alarm(), MetricIndex([datum(value) for value in values]), NOW)[0] == state


def test_old_data_and_data_of_other_metrics_are_ignored() -> None:
    # GIVEN
    data = [datum(9, age=61), datum(9, name="Other"), datum(9, dimensions=[*DIMENSIONS, {"Name": "a", "Value": "b"}])]

    # WHEN / THEN
    assert evaluate(alarm(), MetricIndex(data), NOW)[0] == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("treatment", "state"),
    [("missing", "INSUFFICIENT_DATA"), ("notBreaching", "OK"), ("breaching", "ALARM"), ("ignore", "OK")],
)
def test_missing_data_is_treated_as_configured(treatment: str, state: str) -> None:
    assert evaluate(alarm(treat_missing_data=treatment), MetricIndex(), NOW)[0] == state


def test_alarm_needs_the_configured_number_of_breaching_periods() -> None:
    # GIVEN three minutes, of which the first and the last breach the threshold
    data = [datum(3, age=10), datum(0, age=70), datum(3, age=130)]

    # WHEN / THEN
    assert evaluate(alarm(evaluation_periods=3, datapoints_to_alarm=2), MetricIndex(data), NOW)[0] == "ALARM"
    assert evaluate(alarm(evaluation_periods=3), MetricIndex(data), NOW)[0] == "OK"


def test_alarm_evaluates_a_metric_math_expression() -> None:
    # GIVEN five errors, of which four are refused requests
    def query(name: str, metric: str) -> MetricDataQuery:
        dimensions = [Dimension(each["Name"], each["Value"]) for each in DIMENSIONS]
        return MetricDataQuery(
            name, "", "", "", metric_stat=MetricStat(Metric(metric, "Some", dimensions), "60", "Sum", "")
        )

    queries = [
        query("errors", "Errors"),
        query("refused", "Refused"),
        MetricDataQuery("result", "", "", "true", expression="errors - refused"),
    ]
    data = [datum(5), datum(4, name="Refused")]

    # WHEN / THEN
    assert evaluate(alarm(metric_data_queries=queries, threshold=0), MetricIndex(data), NOW)[0] == "ALARM"
    assert evaluate(alarm(metric_data_queries=queries, threshold=1), MetricIndex(data), NOW)[0] == "OK"


def test_statistics_combine_single_values_and_statistic_sets() -> None:
    # GIVEN two values, and a statistic set of two values from 0 to 8 with the sum 8
    data = [datum(1), datum(3), MetricAggregatedDatum("Some", "Errors", 0, 8, 2, 8, DIMENSIONS, NOW)]

    # WHEN
    found = {name: statistic(data, name) for name in ("Sum", "SampleCount", "Average", "Minimum", "Maximum", "p99")}

    # THEN
    assert found == {"Sum": 12, "SampleCount": 4, "Average": 3, "Minimum": 0, "Maximum": 8, "p99": 3}


@pytest.mark.parametrize("data", [[datum(1)], []], ids=["with-data", "without-data"])
@pytest.mark.parametrize("name", ["tm99", "IQM", "PR(1:2)", "pick", ""])
def test_unsupported_statistic_is_refused(name: str, data: list[MetricDatum]) -> None:
    with pytest.raises(UnsupportedAlarmError, match="unsupported statistic"):
        evaluate(alarm(statistic=None, extended_statistic=name), MetricIndex(data), NOW)


def test_alarm_that_cannot_be_evaluated_does_not_affect_other_alarms(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN an alarm that cannot be evaluated, because it has no number of periods, and a valid alarm
    invalid = alarm(name="invalid", evaluation_periods=None)
    valid = alarm(name="valid", treat_missing_data="breaching")
    backend = SimpleNamespace(
        alarms={"invalid": invalid, "valid": valid}, metric_data=[], account_id="123456789012", region_name="us-east-1"
    )
    monkeypatch.setattr(alarms, "cloudwatch_backends", {"123456789012": {"us-east-1": backend}})
    monkeypatch.setattr(alarms, "INTERVAL", 0.01)
    # WHEN
    running = alarms.Alarms(Emulator("", Path(), {}, Images()))
    # THEN
    try:
        eventually(lambda: valid.state_value == "ALARM")
    finally:
        running.stop()
    assert "alarm invalid: cannot be evaluated: TypeError" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "expected"), [("p0", 1), ("p50", 1), ("p99.9", 3), ("p100", 3)])
def test_percentile_is_one_of_the_values(name: str, expected: float) -> None:
    assert statistic([datum(3), datum(1)], name) == expected


@pytest.mark.parametrize("name", ["p101", "p999", "p100.5", "p-1", "tm99"])
def test_statistic_that_is_not_a_percentile_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedAlarmError, match=f"unsupported statistic: {name}"):
        statistic([datum(3), datum(1)], name)


@pytest.mark.parametrize("expression", ["SEARCH('a', 'b')", "a ** 2", "b", "a +"])
def test_unsupported_metric_math_is_refused(expression: str) -> None:
    with pytest.raises(UnsupportedAlarmError, match="unsupported metric math"):
        calculate(expression, {"a": 1})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("a + b", None, id="missing-metric"),
        pytest.param("a + FILL(b, 3)", 5, id="filled-metric"),
        pytest.param("FILL(a, 3)", 2, id="present-metric-is-not-filled"),
        pytest.param("IF(a >= 2, a * 10, 0)", 20, id="condition-true"),
        pytest.param("IF(FILL(b, 0) + a > 2, 1, 0)", 0, id="condition-false"),
        pytest.param("IF(b > 1, 1, 0)", None, id="condition-without-data"),
    ],
)
def test_metric_math_is_evaluated_with_and_without_data(expression: str, expected: float | None) -> None:
    assert calculate(expression, {"a": 2, "b": None}) == expected
