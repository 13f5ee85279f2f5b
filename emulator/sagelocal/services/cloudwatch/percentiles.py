"""Percentiles such as `p95` in the results of GetMetricData, for which moto returns empty values."""

from typing import Any

from moto.cloudwatch.models import Statistics

from sagelocal.core.patching import replace
from sagelocal.services.cloudwatch.alarms import PERCENTILE, statistic


def install() -> None:
    """Make moto compute percentiles."""

    def compute(self: Any, stat: str) -> Any:
        return statistic(self.metric_data, stat) if PERCENTILE.fullmatch(stat) else original(self, stat)

    original = replace(Statistics, "get_statistics_for_type", compute, parameters=("stat",))
