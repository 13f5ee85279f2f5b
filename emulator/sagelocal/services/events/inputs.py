"""The input of a rule's target: the whole event, a part of the event, a constant, or a filled-in template.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from jsonpath_ng.ext.parser import parse

VARIABLE = re.compile(r"<([^<>]+)>")


def transform(target: dict[str, Any], event: dict[str, Any], rule: Any) -> str:
    """Return the text that a target receives for an event that matches a rule.

    Parameters
    ----------
    target
        Target of the rule, as in PutTargets.
    event
        Event in the format that targets receive.
    rule
        moto's object for the rule.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return _json(_value(event, target["InputPath"]))
    if "InputTransformer" not in target:
        return _json(event)
    transformer = target["InputTransformer"]
    values = {name: _value(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    return _fill(str(transformer["InputTemplate"]), {**values, **_predefined(event, rule)})


def _predefined(event: dict[str, Any], rule: Any) -> dict[str, Any]:
    return {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event": event,
        "aws.events.event.json": event,
        "aws.events.event.ingestion-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _fill(template: str, values: dict[str, Any]) -> str:
    """Replace a template's variables with their values: as escaped text inside JSON strings, as JSON elsewhere."""

    def replacement(variable: re.Match[str]) -> str:
        if variable[1] not in values:
            return variable[0]
        value = values[variable[1]]
        if not _is_in_string(template, variable.start()):
            return _json(value)
        return _json("" if value is None else value if isinstance(value, str) else _json(value))[1:-1]

    text = VARIABLE.sub(replacement, template)
    try:
        return _json(json.loads(text))  # targets receive minified JSON
    except ValueError:
        return text


def _is_in_string(template: str, position: int) -> bool:
    return len(re.findall(r'(?<!\\)"', template[:position])) % 2 == 1


def _value(event: dict[str, Any], path: str) -> Any:
    """Return the value at a JSONPath, or None if the event has no such value."""
    found = _parse(path).find(event)
    return found[0].value if found else None


@lru_cache(maxsize=1024)
def _parse(path: str) -> Any:
    return parse(path)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
