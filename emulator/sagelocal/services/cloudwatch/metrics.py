"""The metrics that services report of themselves, put where moto's CloudWatch keeps all metrics."""

from collections.abc import Mapping

from moto.cloudwatch.models import cloudwatch_backends


def put(account: str, region: str, namespace: str, dimensions: Mapping[str, str], values: Mapping[str, float]) -> None:
    """Put one value each of metrics by name, as of now; in this process, as a request would cost more than it tells."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    data = [{"MetricName": name, "Dimensions": named, "Value": value} for name, value in values.items()]
    cloudwatch_backends[account][region].put_metric_data(namespace, data)
