"""Publishes the CloudWatch metrics of emulated services, such as Lambda's `Invocations`."""

from collections.abc import Mapping

from moto.cloudwatch.models import cloudwatch_backends


def put(account: str, region: str, namespace: str, dimensions: Mapping[str, str], values: Mapping[str, float]) -> None:
    """Publish one data point of each metric, with the current time.

    Parameters
    ----------
    account
        ID of the AWS account.
    namespace
        CloudWatch namespace of the metrics, such as `AWS/Lambda`.
    dimensions
        Dimension values by dimension name, the same for all metrics.
    values
        Values by metric name.
    """
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    data = [{"MetricName": name, "Dimensions": named, "Value": value} for name, value in values.items()]
    cloudwatch_backends[account][region].put_metric_data(namespace, data)
