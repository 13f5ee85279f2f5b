"""Event histories that store each event as JSON text, which needs less than half of the memory of a dictionary."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from sagelocal.core.patching import replace

COMPACT = (",", ":")


class Events:
    """The list of events in a history, with the methods that moto's event manager uses."""

    def __init__(self) -> None:
        self._texts: list[bytes] = []

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (json.loads(text) for text in self._texts)

    def __deepcopy__(self, memo: Any) -> list[dict[str, Any]]:
        """Return the events as dictionaries. moto deep-copies the history for each reader."""
        return list(self)

    def append(self, event: Any) -> None:
        """Add an event."""
        self._texts.append(to_json_str(event, COMPACT).encode())

    def extend(self, events: Iterable[Any]) -> None:
        """Add events."""
        for event in events:
            self.append(event)

    def text(self) -> str:
        """Return all events as a JSON array."""
        return f"[{b','.join(self._texts).decode()}]"


def install() -> None:
    """Replace the event list of moto's event manager with `Events`."""

    def initialize(self: Any, cloud_watch_logging_session: Any = None) -> None:
        original(self, cloud_watch_logging_session)
        self._history_event_list = Events()

    original = replace(EventManager, "__init__", initialize, parameters=("cloud_watch_logging_session",))
