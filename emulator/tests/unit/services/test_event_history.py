"""Event histories of executions: their content and memory use."""

import copy
import json
import tracemalloc

from sagelocal.services.stepfunctions.event_history import Events


def event(number: int) -> dict[str, object]:
    """Return a PassStateEntered event with `number` as its ID and as the state's input."""
    details = {"name": "State", "input": json.dumps(number), "inputDetails": {"truncated": False}}
    return {
        "stateEnteredEventDetails": details,
        "id": number,
        "previousEventId": number - 1,
        "type": "PassStateEntered",
        "timestamp": f"2026-01-01T00:00:00.{number % 1000:03d}Z",
    }


def test_events_are_returned_as_they_were_added() -> None:
    # GIVEN a history
    events = Events()
    events.append(event(1))
    events.extend([event(2), {"text": "é \ud800"}])

    # WHEN the history is copied, as moto does for each reader
    read: object = copy.deepcopy(events)

    # THEN it contains the events in their order, also as JSON text
    assert read == [event(1), event(2), {"text": "é \ud800"}] == json.loads(events.text())
    assert len(events) == 3


def test_event_needs_less_than_500_bytes() -> None:
    # GIVEN an empty history
    events, count = Events(), 1000
    tracemalloc.start()

    # WHEN many events are added
    for number in range(count):
        events.append(event(number))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    # THEN an event needs less than 500 bytes, so the four events of an inline Map's item need less than 2 kB
    assert size / count < 500
