"""Evaluates all metric alarms once a second from the published metrics.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

import ast
import json
import math
import operator
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, MetricAggregatedDatum, cloudwatch_backends

from sagelocal.core.emulator import Emulator
from sagelocal.services.cloudwatch.metric_index import MetricIndex

INTERVAL = 1.0  # seconds between evaluations
BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if b else 0.0,
}
STATISTICS = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100(?:\.0+)?)", re.ASCII)
COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


class UnsupportedAlarmError(Exception):
    """The emulator does not support the alarm's comparison, statistic or metric math."""


class Alarms:
    """A thread that updates the states of all metric alarms, and publishes changes to the alarms' SNS topics."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._stopped = threading.Event()
        self._indexes: dict[tuple[str, str], MetricIndex] = defaultdict(MetricIndex)  # by account and region
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def stop(self) -> None:
        """Stop the evaluation of alarms."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            for regions in list(cloudwatch_backends.values()):
                for backend in list(regions.values()):
                    self._update_all(backend)

    def _update_all(self, backend: CloudWatchBackend) -> None:
        alarms = list(backend.alarms.values())
        if alarms:
            index = self._indexes[backend.account_id, backend.region_name]
            index.update(backend.metric_data)
            for alarm in alarms:
                self._try_update(backend, alarm, index)

    def _try_update(self, backend: CloudWatchBackend, alarm: Alarm, index: MetricIndex) -> None:
        """Update one alarm. Print an error instead of raising it, because the thread must evaluate the other alarms."""
        try:
            self._update(backend, alarm, index)
        except Exception as error:
            print(f"alarm {alarm.name}: cannot be evaluated: {type(error).__name__}: {error}", file=sys.stderr)

    def _update(self, backend: CloudWatchBackend, alarm: Alarm, index: MetricIndex) -> None:
        if alarm.rule:
            return
        try:
            state, reason = evaluate(alarm, index, datetime.now(UTC))
        except UnsupportedAlarmError:
            return  # only SetAlarmState changes the state of an unsupported alarm
        if state != alarm.state_value:
            before = alarm.state_value
            alarm.update_state(reason, "{}", state)
            self._publish(backend, alarm, before)

    def _publish(self, backend: CloudWatchBackend, alarm: Alarm, before: str) -> None:
        actions = {
            "ALARM": alarm.alarm_actions,
            "OK": alarm.ok_actions,
            "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
        }
        topics = [each for each in actions[alarm.state_value] or [] if ":sns:" in each]
        if not alarm.actions_enabled:
            return
        for topic in topics:
            try:
                self._emulator.client("sns", backend.region_name).publish(
                    TopicArn=topic,
                    Subject=f'{alarm.state_value}: "{alarm.name}" in {backend.region_name}',
                    Message=json.dumps(_message(backend, alarm, before)),
                )
            except (ClientError, BotoCoreError) as error:
                print(f"alarm {alarm.name}: cannot publish to {topic}: {error}", file=sys.stderr)


def evaluate(alarm: Alarm, index: MetricIndex, now: datetime) -> tuple[str, str]:
    """Return an alarm's new state and the reason for the state.

    On AWS, periods begin at full minutes. Here, the last period ends at `now`, so that an alarm reacts to a new data
    point immediately.

    Raises
    ------
    UnsupportedAlarmError
        The alarm detects anomalies, or its statistic or metric math is not supported.
    """
    breaches = BREACHES.get(alarm.comparison_operator)
    if breaches is None:
        raise UnsupportedAlarmError(f"unsupported comparison: {alarm.comparison_operator}")
    values = _values(alarm, index, now)
    known = [value for value in values if value is not None]
    breaching = sum(breaches(value, alarm.threshold) for value in known)
    missing = len(values) - len(known)
    if not known and alarm.treat_missing_data in (None, "missing"):
        return "INSUFFICIENT_DATA", f"Insufficient Data: {missing} datapoints were unknown."
    if not known and alarm.treat_missing_data == "ignore":
        return alarm.state_value, alarm.state_reason
    if alarm.treat_missing_data == "breaching":
        breaching += missing
    state = "ALARM" if breaching >= (alarm.datapoints_to_alarm or alarm.evaluation_periods) else "OK"
    return state, f"Threshold Crossed: {breaching} of {len(values)} datapoints {known} breach {alarm.threshold}."


def _period(alarm: Alarm) -> int:
    periods = [query.metric_stat.period for query in alarm.metric_data_queries if query.metric_stat]
    return int(alarm.period or (periods[0] if periods else 60))


def _values(alarm: Alarm, index: MetricIndex, now: datetime) -> list[float | None]:
    """Return the alarm's value in each evaluation period, newest first; None for a period without data."""
    ends = [now - timedelta(seconds=_period(alarm) * nth) for nth in range(alarm.evaluation_periods + 1)]
    return [_value(alarm, index, start, end) for end, start in pairwise(ends)]


def _value(alarm: Alarm, index: MetricIndex, start: datetime, end: datetime) -> float | None:
    """Return the alarm's value between two times, or None if there is no data."""
    if not alarm.metric_data_queries:
        found = index.find(alarm.namespace, alarm.metric_name, alarm.dimensions, start, end)
        return statistic(found, alarm.statistic or alarm.extended_statistic or "")
    values: dict[str, float | None] = {}
    for query in alarm.metric_data_queries:
        if query.metric_stat:
            metric = query.metric_stat.metric
            found = index.find(metric.namespace, metric.metric_name, metric.dimensions, start, end)
            values[query.id] = statistic(found, query.metric_stat.stat)
    result = next(query for query in alarm.metric_data_queries if query.return_data)
    return calculate(result.expression or result.id, values)


def statistic(data: Sequence[Any], name: str) -> float | None:
    """Return a statistic of data points, or None if there are no data points.

    As on AWS, percentiles ignore data points that are statistic sets; without other data points, they are None.

    Parameters
    ----------
    data
        moto's data points of one metric.
    name
        `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p99`.

    Raises
    ------
    UnsupportedAlarmError
        `name` is any other statistic, such as the trimmed mean `tm99`:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    percentile = PERCENTILE.fullmatch(name)
    if not percentile and name not in STATISTICS:
        raise UnsupportedAlarmError(f"unsupported statistic: {name}")
    if not data:
        return None
    sets = [_as_set(datum) for datum in data]
    count, total = sum(each[0] for each in sets), sum(each[1] for each in sets)
    if percentile:
        values = sorted(datum.value for datum in data if not isinstance(datum, MetricAggregatedDatum))
        return values[max(math.ceil(float(percentile[1]) / 100 * len(values)) - 1, 0)] if values else None
    return {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count if count else 0.0,
        "Minimum": min(each[2] for each in sets),
        "Maximum": max(each[3] for each in sets),
    }[name]


def calculate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Evaluate metric math: `+`, `-`, `*`, `/`, comparisons, FILL and IF.

    Parameters
    ----------
    expression
        Expression that refers to metrics by their ids, such as `errors / requests`.
    values
        Values by metric id; None for a metric without data.

    Returns
    -------
    float or None
        Value of the expression, or None if the result depends on a metric without data.

    Raises
    ------
    UnsupportedAlarmError
        The expression contains an unsupported operator or function.
    """

    def value(node: ast.expr) -> float | None:
        match node:
            case ast.BinOp(left, operation, right) if type(operation) in OPERATORS:
                return both(OPERATORS[type(operation)], left, right)
            case ast.Compare(left, [operation], [right]) if type(operation) in COMPARISONS:
                return both(COMPARISONS[type(operation)], left, right)
            case ast.Call(ast.Name("FILL"), [metric, filler]):
                found = value(metric)
                return value(filler) if found is None else found
            case ast.Call(ast.Name("IF"), [condition, yes, no]):
                holds = value(condition)
                return None if holds is None else value(yes if holds else no)
            case ast.Name(name) if name in values:
                return values[name]
            case ast.Constant(int() | float() as number):
                return float(number)
        raise UnsupportedAlarmError(f"unsupported metric math: {expression}")

    def both(operation: Callable[[float, float], float], left: ast.expr, right: ast.expr) -> float | None:
        first, second = value(left), value(right)
        return None if first is None or second is None else float(operation(first, second))

    try:
        return value(ast.parse(expression, mode="eval").body)
    except SyntaxError as error:
        raise UnsupportedAlarmError(f"unsupported metric math: {expression}") from error


def _as_set(datum: Any) -> tuple[float, float, float, float]:
    """Return the count, sum, minimum and maximum of a data point, which is a single value or a statistic set."""
    if isinstance(datum, MetricAggregatedDatum):
        return datum.sample_count, datum.sum, datum.min, datum.max
    return 1.0, datum.value, datum.value, datum.value


def _message(backend: CloudWatchBackend, alarm: Alarm, before: str) -> dict[str, Any]:
    """Return the SNS message about a state change. `before` is the alarm's previous state.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": backend.account_id,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": f"{alarm.state_updated_timestamp:%Y-%m-%dT%H:%M:%S.000+0000}",
        "Region": backend.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
    }
