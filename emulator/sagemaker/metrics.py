"""Metrics that a training job's definitions find in its log."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

NAMESPACE = "/aws/sagemaker/TrainingJobs"


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
        self._patterns = [(each["Name"], re.compile(each["Regex"])) for each in definitions]
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
        self._cloudwatch.put_metric_data(
            Namespace=NAMESPACE, MetricData=[{**each, "Dimensions": dimension} for each in found]
        )

    @property
    def final(self) -> list[dict[str, Any]]:
        """The last value of each metric, as `FinalMetricDataList` has it."""
        return list(self._final.values())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
