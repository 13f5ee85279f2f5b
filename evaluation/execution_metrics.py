"""Read the outcomes and durations of the state machine executions that ended in a time range from CloudWatch.

Step Functions metrics: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evaluation.executions import BELOW_THRESHOLD

IMAGE_ERRORS = ("ImageInvalidError", "ImageMissingError", "ImageTooLargeError", "KeyInvalidError")
EXECUTION_METRICS = ("ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
PERCENTILES = ("p50", "p95")
MINUTE, HOUR, MAX_PERIOD = 60, 3600, 30 * 24 * 3600  # seconds


@dataclass(frozen=True)
class Outcomes:
    """The numbers of executions that ended in a time range, by outcome, and percentiles of their durations.

    Attributes
    ----------
    low_confidence : number of executions that failed because the confidence was below the threshold
    invalid_image : number of executions that failed because the image is missing, too large or invalid
    failed : number of executions that failed for any other reason
    p50, p95 : percentiles of the duration in seconds; None if no execution ended in the time range
    """

    succeeded: int
    low_confidence: int
    invalid_image: int
    failed: int
    timed_out: int
    aborted: int
    p50: float | None = None
    p95: float | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The number of executions by outcome."""
        return {
            "succeeded": self.succeeded,
            "below the threshold": self.low_confidence,
            "invalid image": self.invalid_image,
            "failed": self.failed,
            "timed out": self.timed_out,
            "aborted": self.aborted,
        }

    @property
    def total(self) -> int:
        """The number of all executions."""
        return sum(self.counts.values())

    @property
    def failures(self) -> int:
        """The number of failures to investigate. Aborted executions are not counted, because a person aborts them."""
        return self.failed + self.timed_out

    @property
    def classified(self) -> int:
        """The number of images with a prediction."""
        return self.succeeded + self.low_confidence


def read_outcomes(
    state_machine_arn: str, namespace: str, start: datetime, end: datetime, *, cloudwatch: Any
) -> Outcomes:
    """Return the numbers and durations of the executions that ended in a time range.

    Parameters
    ----------
    namespace : CloudWatch namespace of the metrics that the state machine publishes
    """
    queries = _queries(state_machine_arn, namespace, _period(start, end))
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end
    )
    values: dict[str, list[float]] = {query["Id"]: [] for query in queries}
    for page in pages:
        for result in page["MetricDataResults"]:
            values[result["Id"]] += result["Values"]
    return _outcomes(values)


def _outcomes(values: Mapping[str, Sequence[float]]) -> Outcomes:
    counts = {name: round(sum(each)) for name, each in values.items() if name not in PERCENTILES}
    low_confidence = counts["low_confidence"]
    invalid_image = sum(counts[_id(name)] for name in IMAGE_ERRORS)
    # percentiles of several periods cannot be combined, so the highest one is returned
    p50, p95 = (max(values[name]) / 1000 if values[name] else None for name in PERCENTILES)
    return Outcomes(
        succeeded=counts["executionssucceeded"],
        low_confidence=low_confidence,
        invalid_image=invalid_image,
        # the state machine publishes its metric shortly before the execution fails; if the time range begins or ends
        # between the two, the difference may be negative
        failed=max(counts["executionsfailed"] - low_confidence - invalid_image, 0),
        timed_out=counts["executionstimedout"],
        aborted=counts["executionsaborted"],
        p50=p50,
        p95=p95,
    )


def _queries(state_machine_arn: str, namespace: str, period: int) -> list[dict[str, Any]]:
    machine = {"StateMachineArn": state_machine_arn}

    def query(identifier: str, space: str, name: str, dimensions: Mapping[str, str], statistic: str) -> dict[str, Any]:
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        metric = {"Namespace": space, "MetricName": name, "Dimensions": named}
        return {"Id": identifier, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}

    return [
        *(query(_id(name), "AWS/States", name, machine, "Sum") for name in EXECUTION_METRICS),
        query("low_confidence", namespace, "FailuresByError", {"Error": BELOW_THRESHOLD}, "Sum"),
        *(query(_id(error), namespace, "FailuresByError", {"Error": error}, "Sum") for error in IMAGE_ERRORS),
        *(query(name, "AWS/States", "ExecutionTime", machine, name) for name in PERCENTILES),
    ]


def _id(name: str) -> str:
    return name.lower()


def _period(start: datetime, end: datetime) -> int:
    """Return the length of the time range in seconds, rounded up, as the period of the metrics; at most `MAX_PERIOD`.

    The period is a multiple of an hour, because CloudWatch keeps hourly data points for 15 months. For a time range
    shorter than an hour, the period is a multiple of a minute.
    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
    """
    seconds = max((end - start).total_seconds(), 1)
    step = MINUTE if seconds < HOUR else HOUR
    return min(math.ceil(seconds / step) * step, MAX_PERIOD)
