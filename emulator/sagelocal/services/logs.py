"""CloudWatch Logs: metric filters, which moto keeps, find their metrics in what is logged.

Of the patterns those of JSON events with `=`, `!=`, numbers and `&&` are known; any other finds nothing.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
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
COMPARED: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def install(emulator: Emulator) -> None:
    """Have every log event pass the filters of its group."""

    def put_log_events(backend: Any, log_group_name: str, log_stream_name: str, log_events: Any) -> Any:
        answer = original(backend, log_group_name, log_stream_name, log_events)
        for filtering in backend.filters.get_matching_filters(log_group_name=log_group_name):
            for event in log_events:
                _apply(backend, filtering, event["message"])
        return answer

    original = replace(
        LogsBackend,
        "put_log_events",
        put_log_events,
        parameters=("log_group_name", "log_stream_name", "log_events"),
    )


def matches(pattern: str, event: Any) -> bool:
    """Whether a JSON event fulfils all conditions of a pattern such as `{ $.level = "ERROR" && $.count > 2 }`."""
    inner = re.fullmatch(r"\{(.*)\}", pattern.strip())
    conditions = [CONDITION.fullmatch(part.strip()) for part in inner[1].split("&&")] if inner else []
    return bool(conditions) and all(condition and _holds(condition, event) for condition in conditions)


def value_at(event: Any, path: str) -> Any:
    """What an event has at `a.b`; None where there is nothing."""
    for name in path.split("."):
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _holds(condition: re.Match[str], event: Any) -> bool:
    found, sign, word = value_at(event, condition["path"]), condition["sign"], condition["word"]
    if found is None:
        return False
    if condition["text"] is not None or not isinstance(found, int | float):
        wanted = condition["text"] if condition["text"] is not None else word
        return fnmatch.fnmatchcase(str(found), wanted) == (sign == "=")
    return word == "*" or COMPARED[sign](found, float(word))


def _apply(backend: LogsBackend, filtering: dict[str, Any], message: str) -> None:
    try:
        event = json.loads(message)
    except ValueError:
        return
    if not matches(filtering["filterPattern"], event):
        return
    for each in filtering["metricTransformations"]:
        value = _resolved(event, each["metricValue"])
        dimensions = {name: _resolved(event, path) for name, path in (each.get("dimensions") or {}).items()}
        if value is not None and None not in dimensions.values():
            metrics.put(
                backend.account_id,
                backend.region_name,
                each["metricNamespace"],
                {name: str(found) for name, found in dimensions.items()},
                {each["metricName"]: float(value)},
            )


def _resolved(event: Any, text: str) -> Any:
    """A value as it stands, or the one that `$.path` points at."""
    return value_at(event, text.removeprefix("$.")) if text.startswith("$.") else text
