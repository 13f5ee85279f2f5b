"""Metrics that a training job's definitions find in its log."""

import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

NAMESPACE = "/aws/sagemaker/TrainingJobs"


class MetricDefinitionError(Exception):
    """A metric's regular expression is none, or has no group for the value."""


class Metrics:
    """Finds metrics line by line and puts them to CloudWatch.

    Parameters
    ----------
    cloudwatch
        Client of CloudWatch.
    host
        Value of the dimension `Host`: `<job>/algo-1`.
    definitions
        `Name` and `Regex` of each metric; the first group is the value.
    """

    def __init__(self, cloudwatch: Any, host: str, definitions: Iterable[Mapping[str, str]]) -> None:
        self._cloudwatch = cloudwatch
        self._host = host
        self._patterns = patterns(definitions)
        self._final: dict[str, dict[str, Any]] = {}

    def read(self, line: str) -> None:
        """Put every metric in a line; a match that is no number is passed over, as AWS does."""
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
            # the job runs on, whatever becomes of its metrics
            print(f"metrics of {self._host} are lost: {error}", file=sys.stderr)

    @property
    def final(self) -> list[dict[str, Any]]:
        """The last value of each metric, as `FinalMetricDataList` has it."""
        return list(self._final.values())


def patterns(definitions: Iterable[Mapping[str, str]]) -> list[tuple[str, re.Pattern[str]]]:
    """Each metric's name and compiled expression.

    Raises
    ------
    MetricDefinitionError
        One is no regular expression, or has no group.
    """
    compiled = []
    for each in definitions:
        try:
            pattern = re.compile(each["Regex"])
        except re.error as error:
            raise MetricDefinitionError(f"Regex {each['Regex']!r} of metric {each['Name']} is none: {error}") from error
        if not pattern.groups:
            raise MetricDefinitionError(f"Regex {each['Regex']!r} of metric {each['Name']} has no group for the value")
        compiled.append((each["Name"], pattern))
    return compiled


def _number(text: str | None) -> float | None:
    """CloudWatch takes no number that is not finite."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
