"""CloudWatch Logs: publishes metrics from log events, as specified by metric filters. moto only stores these filters.

The supported filter patterns compare the values of a JSON event and join the comparisons with `&&`. Any other pattern
matches no event.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import fnmatch
import json
import operator
import re
from collections.abc import Callable
from typing import Any

from moto.logs.models import LogsBackend

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.cloudwatch import metrics

CONDITION = re.compile(r'\$\.(?P<path>[\w.]+)\s*(?P<sign>!=|<=|>=|=|<|>)\s*(?:"(?P<text>[^"]*)"|(?P<word>[^\s"]+))')
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def install(emulator: Emulator) -> None:
    """Apply the metric filters of a log group to every new log event of the group."""

    def put_log_events(backend: Any, log_group_name: str, log_stream_name: str, log_events: Any) -> Any:
        response = original(backend, log_group_name, log_stream_name, log_events)
        for metric_filter in backend.filters.get_matching_filters(log_group_name=log_group_name):
            for event in log_events:
                _apply(backend, metric_filter, event["message"])
        return response

    original = replace(
        LogsBackend,
        "put_log_events",
        put_log_events,
        parameters=("log_group_name", "log_stream_name", "log_events"),
    )


def matches(pattern: str, event: Any) -> bool:
    """Return whether a JSON event meets all conditions of a pattern, such as `{ $.level = "ERROR" && $.count > 2 }`."""
    inner = re.fullmatch(r"\{(.*)\}", pattern.strip())
    conditions = [CONDITION.fullmatch(part.strip()) for part in inner[1].split("&&")] if inner else []
    return bool(conditions) and all(condition and _holds(condition, event) for condition in conditions)


def value_at(event: Any, path: str) -> Any:
    """Return the value of a JSON event at a path, such as `a.b`, or None if the event has no value at the path."""
    for name in path.split("."):
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _holds(condition: re.Match[str], event: Any) -> bool:
    """Return whether an event meets a condition. Only numbers can meet conditions with `<`, `<=`, `>` or `>=`."""
    found, sign, text, word = value_at(event, condition["path"]), *condition.group("sign", "text", "word")
    if found is None:
        return False
    number = None if text is not None or isinstance(found, bool | str) else _number(word)
    if number is not None and isinstance(found, int | float):
        return COMPARISONS[sign](found, number)
    written = found if isinstance(found, str) else json.dumps(found)  # as in the event: `true`, not `True`
    return sign in ("=", "!=") and fnmatch.fnmatchcase(written, word if text is None else text) == (sign == "=")


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _apply(backend: LogsBackend, metric_filter: dict[str, Any], message: str) -> None:
    try:
        event = json.loads(message)
    except ValueError:
        return
    if not matches(metric_filter["filterPattern"], event):
        return
    for transformation in metric_filter["metricTransformations"]:
        value = _number(str(_resolve(event, transformation["metricValue"])))
        dimensions = {name: _resolve(event, path) for name, path in (transformation.get("dimensions") or {}).items()}
        if value is not None and None not in dimensions.values():
            metrics.put(
                backend.account_id,
                backend.region_name,
                transformation["metricNamespace"],
                {name: str(found) for name, found in dimensions.items()},
                {transformation["metricName"]: value},
            )


def _resolve(event: Any, text: str) -> Any:
    """Return the event's value at the path in `text` (such as `$.a.b`), or `text` itself if it is not a path."""
    return value_at(event, text.removeprefix("$.")) if text.startswith("$.") else text
