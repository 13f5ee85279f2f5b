"""CloudWatch metrics that Lambda, Step Functions, metric filters and state machines publish, and JSON logs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from ..waiting import eventually
from .functions import invoke, make_function, unique
from .statemachines import StateMachines

LOG_CONFIDENCE = """
import logging

def main(event, context):
    logging.getLogger().info("predicted", extra={"confidence": event})
"""


def metric_sum(emulator: Any, namespace: str, name: str, dimensions: dict[str, str]) -> float:
    """Return the sum of a metric's values of the last ten minutes."""
    now = datetime.now(UTC)
    points = emulator.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def json_events(emulator: Any, group: str) -> list[dict[str, Any]]:
    """Return the JSON objects in the log group `group`."""
    found = emulator.client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in found]


def test_json_log_format_writes_one_object_per_line(emulator: Any) -> None:
    # GIVEN
    group = unique("/some/group")
    emulator.client("logs").create_log_group(logGroupName=group)
    name = make_function(emulator, LOG_CONFIDENCE, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})

    # WHEN
    response = invoke(emulator.client("lambda"), name, 0.97)

    # THEN the lines of Lambda and of the function are JSON objects, which contain the request ID
    assert response.error is None
    start, line, report = json_events(emulator, group)
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert (line["message"], line["confidence"]) == ("predicted", 0.97)
    assert line["requestId"] == start["record"]["requestId"] == report["record"]["requestId"]
    assert report["record"]["metrics"]["billedDurationMs"] >= 1


def test_json_log_contains_the_type_of_the_exception_that_a_function_raises(emulator: Any) -> None:
    # GIVEN
    source = "class TooOddError(Exception): pass\ndef main(event, context):\n    raise TooOddError('reason')\n"
    name = make_function(emulator, source, LoggingConfig={"LogFormat": "JSON"})

    # WHEN
    invoke(emulator.client("lambda"), name)

    # THEN
    assert "TooOddError" in [event.get("errorType") for event in json_events(emulator, f"/aws/lambda/{name}")]


def test_metric_filter_publishes_numbers_from_the_log_of_a_function(emulator: Any) -> None:
    # GIVEN a log group with three metric filters, and a function that logs to this group
    namespace, group = unique("space"), unique("/some/group")
    logs = emulator.client("logs")
    logs.create_log_group(logGroupName=group)
    transformations: list[dict[str, Any]] = [
        {"metricName": "Confidence", "metricValue": "$.confidence"},
        {"metricName": "Lines", "metricValue": "1", "dimensions": {"Message": "$.message"}},
        {"metricName": "Words", "metricValue": "$.message"},  # text, which cannot be a metric value
    ]
    for each in transformations:
        logs.put_metric_filter(
            logGroupName=group,
            filterName=each["metricName"],
            filterPattern="{ $.confidence = * }",
            metricTransformations=[{**each, "metricNamespace": namespace}],
        )
    name = make_function(emulator, LOG_CONFIDENCE, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})

    # WHEN
    for confidence in (0.5, 0.75):
        invoke(emulator.client("lambda"), name, confidence)

    # THEN
    assert metric_sum(emulator, namespace, "Confidence", {}) == 1.25
    assert metric_sum(emulator, namespace, "Lines", {"Message": "predicted"}) == 2
    assert metric_sum(emulator, namespace, "Words", {}) == 0


def test_lambda_counts_invocations_and_errors_of_a_function(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, "def main(event, context):\n    return 1 / event\n")

    # WHEN
    for event in (1, 0, 2):
        invoke(emulator.client("lambda"), name, event)

    # THEN
    counts = [metric_sum(emulator, "AWS/Lambda", each, {"FunctionName": name}) for each in ("Invocations", "Errors")]
    assert counts == [3, 1]


def test_step_functions_counts_failed_and_successful_executions(emulator: Any, machines: StateMachines) -> None:
    # GIVEN a state machine that fails if `fails` in its input is true
    states = {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.fails", "BooleanEquals": True, "Next": "Fail"}],
            "Default": "Succeed",
        },
        "Fail": {"Type": "Fail", "Error": "Odd"},
        "Succeed": {"Type": "Succeed"},
    }
    arn = machines.create({"StartAt": "Choose", "States": states})

    # WHEN
    for fails in (True, False, True):
        machines.client.start_execution(stateMachineArn=arn, input=json.dumps({"fails": fails}))

    # THEN
    dimensions = {"StateMachineArn": arn}
    assert eventually(lambda: metric_sum(emulator, "AWS/States", "ExecutionsFailed", dimensions) == 2)
    assert eventually(lambda: metric_sum(emulator, "AWS/States", "ExecutionsSucceeded", dimensions) == 1)


def test_state_publishes_a_metric_with_put_metric_data(emulator: Any, machines: StateMachines) -> None:
    # GIVEN a state that publishes one value of a metric without a dimension, and one value with a dimension
    namespace = unique("space")
    count = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:cloudwatch:putMetricData",
        "Parameters": {
            "Namespace": namespace,
            "MetricData": [
                {"MetricName": "Failures", "Value": 1, "Unit": "Count"},
                {
                    "MetricName": "Failures",
                    "Value": 1,
                    "Unit": "Count",
                    "Dimensions": [{"Name": "Error", "Value.$": "$.Error"}],
                },
            ],
        },
        "ResultPath": None,
        "End": True,
    }
    arn = machines.create({"StartAt": "Count", "States": {"Count": count}})

    # WHEN
    machines.client.start_execution(stateMachineArn=arn, input=json.dumps({"Error": "Odd"}))

    # THEN
    assert eventually(lambda: metric_sum(emulator, namespace, "Failures", {"Error": "Odd"}) == 1)
    assert metric_sum(emulator, namespace, "Failures", {}) >= 1


def test_get_metric_data_returns_percentiles(emulator: Any) -> None:
    # GIVEN
    cloudwatch, namespace = emulator.client("cloudwatch"), unique("Some/Namespace")
    values = [{"MetricName": "Duration", "Value": float(value)} for value in range(1, 101)]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=values)
    now = datetime.now(UTC)

    def query(statistic: str) -> dict[str, Any]:
        metric = {"Namespace": namespace, "MetricName": "Duration"}
        return {"Id": statistic.lower(), "MetricStat": {"Metric": metric, "Period": 3600, "Stat": statistic}}

    # WHEN
    found = cloudwatch.get_metric_data(
        MetricDataQueries=[query("p50"), query("p95"), query("Sum")],
        StartTime=now - timedelta(minutes=30),
        EndTime=now + timedelta(minutes=30),
    )["MetricDataResults"]

    # THEN
    assert {each["Id"]: each["Values"] for each in found} == {"p50": [50.0], "p95": [95.0], "sum": [5050.0]}
