"""The operation TestEventPattern, which moto declares but does not implement.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
"""

import json
from typing import Any

from moto.events.exceptions import InvalidEventPatternException, ValidationException
from moto.events.models import EventPattern
from moto.events.responses import EventsHandler

from sagelocal.core.patching import replace

# AWS documents `resources` as mandatory too. It is not in this set, because LocalStack, whose tests run against AWS,
# accepts events without `resources`.
MANDATORY = {"id", "account", "source", "time", "region", "detail-type"}


def install() -> None:
    """Make TestEventPattern return whether an event matches a pattern, with the same matching as for rules."""
    replace(EventsHandler, "test_event_pattern", _test_event_pattern)


def _test_event_pattern(request: Any) -> str:
    event = _parse(request._get_param("Event"))
    if not isinstance(event, dict) or not event.keys() >= MANDATORY:
        raise ValidationException("Parameter Event is not valid.")
    text = request._get_param("EventPattern")
    if not isinstance(_parse(text), dict):
        raise InvalidEventPatternException("The pattern must be a JSON object")
    pattern: Any = EventPattern.load(text)
    try:
        return json.dumps({"Result": pattern.matches_event(event)})
    except (AttributeError, IndexError, KeyError, TypeError) as error:  # moto does not validate filters
        raise InvalidEventPatternException("A filter has an invalid value") from error


def _parse(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None
