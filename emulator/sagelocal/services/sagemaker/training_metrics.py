"""Extracts metrics from a training job's log and writes them to CloudWatch."""

import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagelocal.services.sagemaker.errors import InvalidRequestError

NAMESPACE = "/aws/sagemaker/TrainingJobs"


class Metrics:
    """Extracts metrics from log lines and writes them to CloudWatch.

    Parameters
    ----------
    cloudwatch
        CloudWatch client.
    host
        Value of the dimension `Host`, such as `<job>/algo-1`.
    definitions
        `Name` and `Regex` of each metric; the regular expression's first group is the value.
    """

    def __init__(self, cloudwatch: Any, host: str, definitions: Iterable[Mapping[str, str]]) -> None:
        self._cloudwatch = cloudwatch
        self._host = host
        self._patterns = compile_patterns(definitions)
        self._final: dict[str, dict[str, Any]] = {}

    def read(self, line: str) -> None:
        """Write every metric in a log line to CloudWatch; as on AWS, ignore a match that is not a number."""
        found: list[dict[str, Any]] = [
            {"MetricName": name, "Value": value, "Timestamp": datetime.now(UTC)}
            for name, pattern in self._patterns
            for match in pattern.finditer(line)
            if (value := _number(match[1])) is not None
        ]
        if not found:
            return
        self._final.update({each["MetricName"]: each for each in found})
        dimension = [{"Name": "Host", "Value": self._host}]
        data = [{**each, "Dimensions": dimension} for each in found]
        try:
            self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
        except (ClientError, BotoCoreError) as error:
            # the job continues to run
            print(f"cannot write metrics of {self._host} to CloudWatch; they are lost: {error}", file=sys.stderr)

    @property
    def final(self) -> list[dict[str, Any]]:
        """The last value of each metric, in the format of `FinalMetricDataList`."""
        return list(self._final.values())


def compile_patterns(definitions: Iterable[Mapping[str, str]]) -> list[tuple[str, re.Pattern[str]]]:
    """Return each metric's name and compiled regular expression.

    Raises
    ------
    InvalidRequestError
        If a regular expression is invalid or has no group.
    """
    compiled = []
    for each in definitions:
        try:
            pattern = re.compile(each["Regex"])
        except re.error as error:
            raise InvalidRequestError(
                f"Regex {each['Regex']!r} of metric {each['Name']} is not a regular expression: {error}"
            ) from error
        if not pattern.groups:
            raise InvalidRequestError(f"Regex {each['Regex']!r} of metric {each['Name']} has no group for the value")
        compiled.append((each["Name"], pattern))
    return compiled


def _number(text: str | None) -> float | None:
    """Return the finite number in a text, or None for any other text, because CloudWatch refuses NaN and infinity."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
