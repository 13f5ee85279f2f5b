"""EventBridge events that CloudWatch sends when an alarm changes its state.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

import uuid
from typing import Any

from moto.cloudwatch.models import Alarm

from sagelocal.core.patching import replace
from sagelocal.services import events


def install() -> None:
    """Send an EventBridge event whenever an alarm changes its state."""

    def update_state(alarm: Any, reason: str, reason_data: str, state_value: str) -> None:
        before = _state(alarm)
        original(alarm, reason, reason_data, state_value)
        if state_value != before["value"]:
            _, _, _, region, account, *_ = alarm.alarm_arn.split(":")
            detail = {
                "alarmName": alarm.name,
                "configuration": _configuration(alarm),
                "previousState": before,
                "state": _state(alarm),
            }
            events.put(account, region, "aws.cloudwatch", "CloudWatch Alarm State Change", alarm.alarm_arn, detail)

    original = replace(Alarm, "update_state", update_state, parameters=("reason", "reason_data", "state_value"))


def _state(alarm: Any) -> dict[str, Any]:
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        **({"reasonData": alarm.state_reason_data} if alarm.state_reason_data not in (None, "", "{}") else {}),
        "timestamp": f"{alarm.state_updated_timestamp:%Y-%m-%dT%H:%M:%S}.000+0000",
    }


def _configuration(alarm: Any) -> dict[str, Any]:
    description = {"description": alarm.description} if alarm.description else {}
    if alarm.rule:
        return {**description, "alarmRule": alarm.rule}
    if alarm.metric_data_queries:
        return {**description, "metrics": [_query(query) for query in alarm.metric_data_queries]}
    statistic = alarm.statistic or alarm.extended_statistic
    metric = _metric(alarm.namespace, alarm.metric_name, alarm.dimensions, alarm.period, statistic)
    return {**description, "metrics": [{"id": str(uuid.uuid4()), "metricStat": metric, "returnData": True}]}


def _query(query: Any) -> dict[str, Any]:
    is_returned = str(query.return_data).lower() == "true"
    described = {"id": query.id, "returnData": is_returned, "expression": query.expression, "label": query.label}
    if query.metric_stat:
        metric = query.metric_stat.metric
        described["metricStat"] = _metric(
            metric.namespace, metric.metric_name, metric.dimensions, query.metric_stat.period, query.metric_stat.stat
        )
    return {name: value for name, value in described.items() if value is not None}


def _metric(namespace: str, name: str, dimensions: Any, period: int, statistic: str) -> dict[str, Any]:
    return {
        "metric": {
            "namespace": namespace,
            "name": name,
            "dimensions": {each.name: each.value for each in dimensions},
        },
        "period": period,
        "stat": statistic,
    }
