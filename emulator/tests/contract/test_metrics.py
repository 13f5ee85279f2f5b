"""Metrics of services and of metric filters in CloudWatch."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ..waiting import eventually
from .functions import invoke, make_function, unique
from .statemachines import StateMachines

LOGS = """
import logging

def main(event, context):
    logging.getLogger().info("predicted", extra={"confidence": event})
"""


def sum_of(emulator: Any, namespace: str, name: str, dimensions: dict[str, str]) -> Callable[[], float]:
    def read() -> float:
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

    return read


def events_of(emulator: Any, group: str) -> list[dict[str, Any]]:
    found = emulator.client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in found]


def test_json_log_format_writes_one_object_per_line(emulator: Any) -> None:
    # GIVEN
    group = unique("/some/group")
    emulator.client("logs").create_log_group(logGroupName=group)
    name = make_function(emulator, LOGS, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})

    # WHEN
    response = invoke(emulator.client("lambda"), name, 0.97)

    # THEN Lambda's own lines are objects, and each line has the request id
    assert response.error is None
    start, line, report = events_of(emulator, group)
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert (line["message"], line["confidence"]) == ("predicted", 0.97)
    assert line["requestId"] == start["record"]["requestId"] == report["record"]["requestId"]
    assert report["record"]["metrics"]["billedDurationMs"] >= 1


def test_json_log_names_the_exception_of_a_function(emulator: Any) -> None:
    # GIVEN
    source = "class TooOddError(Exception): pass\ndef main(event, context):\n    raise TooOddError('reason')\n"
    name = make_function(emulator, source, LoggingConfig={"LogFormat": "JSON"})

    # WHEN
    invoke(emulator.client("lambda"), name)

    # THEN
    assert "TooOddError" in [event.get("errorType") for event in events_of(emulator, f"/aws/lambda/{name}")]


def test_metric_filter_publishes_values_from_the_log_of_a_function(emulator: Any) -> None:
    # GIVEN
    namespace, group = unique("space"), unique("/some/group")
    logs = emulator.client("logs")
    logs.create_log_group(logGroupName=group)
    transformations: list[dict[str, Any]] = [
        {"metricName": "Confidence", "metricValue": "$.confidence"},
        {"metricName": "Lines", "metricValue": "1", "dimensions": {"Message": "$.message"}},
        {"metricName": "Words", "metricValue": "$.message"},  # a text is no metric value
    ]
    for each in transformations:
        logs.put_metric_filter(
            logGroupName=group,
            filterName=each["metricName"],
            filterPattern="{ $.confidence = * }",
            metricTransformations=[{**each, "metricNamespace": namespace}],
        )
    name = make_function(emulator, LOGS, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})

    # WHEN
    for confidence in (0.5, 0.75):
        invoke(emulator.client("lambda"), name, confidence)

    # THEN
    assert sum_of(emulator, namespace, "Confidence", {})() == 1.25
    assert sum_of(emulator, namespace, "Lines", {"Message": "predicted"})() == 2
    assert sum_of(emulator, namespace, "Words", {})() == 0


def test_function_publishes_invocations_and_errors(emulator: Any) -> None:
    # GIVEN
    name = make_function(emulator, "def main(event, context):\n    return 1 / event\n")

    # WHEN
    for event in (1, 0, 2):
        invoke(emulator.client("lambda"), name, event)

    # THEN
    counts = [sum_of(emulator, "AWS/Lambda", metric, {"FunctionName": name})() for metric in ("Invocations", "Errors")]
    assert counts == [3, 1]


def test_state_machine_publishes_the_results_of_its_executions(emulator: Any, machines: StateMachines) -> None:
    # GIVEN a state machine that fails if its input says so
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
    failed = sum_of(emulator, "AWS/States", "ExecutionsFailed", dimensions)
    assert eventually(lambda: failed() == 2)
    assert eventually(lambda: sum_of(emulator, "AWS/States", "ExecutionsSucceeded", dimensions)() == 1)


def test_state_can_publish_a_metric(emulator: Any, machines: StateMachines) -> None:
    # GIVEN
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
    assert eventually(lambda: sum_of(emulator, namespace, "Failures", {"Error": "Odd"})() == 1)
    assert sum_of(emulator, namespace, "Failures", {})() >= 1


def test_metric_data_has_percentiles(emulator: Any) -> None:
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
