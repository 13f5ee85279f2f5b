"""Metrics that emulated services publish."""

from collections.abc import Mapping

from moto.cloudwatch.models import cloudwatch_backends


def put(account: str, region: str, namespace: str, dimensions: Mapping[str, str], values: Mapping[str, float]) -> None:
    """Publish one value of each metric with the current time, without the cost of a request.

    Parameters
    ----------
    values
        Values by metric name.
    """
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    data = [{"MetricName": name, "Dimensions": named, "Value": value} for name, value in values.items()]
    cloudwatch_backends[account][region].put_metric_data(namespace, data)
