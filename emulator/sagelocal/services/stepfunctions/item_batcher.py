"""`ItemBatcher`: groups the items of a Distributed Map into batches for child executions."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from sagelocal.services.stepfunctions.state_failures import as_exception, failure

MAX_BYTES = 256 * 1024  # of one batch as JSON


Batch = dict[str, Any]  # the input of one child execution: `Items`, and `BatchInput` if the batcher has one


def create_batches(
    env: Any, eval_input: Any, items: Iterable[Any], batcher: dict[str, Any], *, jsonata: bool
) -> Iterator[Batch]:
    """Apply the item selector to each item, and yield the results in batches.

    Parameters
    ----------
    env
        moto's environment of the Map state.
    eval_input
        moto's evaluation input of the Map state, which contains the item selector.
    items
        Items of the Map.
    batcher
        The state's `ItemBatcher`.
    jsonata
        Whether the state's query language is JSONata.
    """
    state_input = env.states.get_input()
    template = batcher if jsonata else {_payload_key(key): value for key, value in batcher.items()}
    settings = evaluate_template(env, template, state_input, jsonata=jsonata)
    extra = {"BatchInput": settings["BatchInput"]} if "BatchInput" in settings else {}
    selected = (_select(env, eval_input.item_selector, number, item) for number, item in enumerate(items))
    max_items = settings.get("MaxItemsPerBatch")
    max_bytes = min(int(settings.get("MaxInputBytesPerBatch") or MAX_BYTES), MAX_BYTES)
    limit = None if max_items is None else int(max_items)
    for group in _groups(selected, limit, max_bytes - _bytes({**extra, "Items": []})):
        yield {**extra, "Items": group}


def _groups(items: Iterable[Any], max_items: int | None, max_bytes: int) -> Iterator[list[Any]]:
    group: list[Any] = []
    remaining = max_bytes
    for item in items:
        needed = _bytes(item) + len(",")
        if group and (len(group) == max_items or needed > remaining):
            yield group
            group, remaining = [], max_bytes
        group.append(item)
        remaining -= needed
    if group:
        yield group


def _bytes(value: Any) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _select(env: Any, selector: Any, number: int, item: Any) -> Any:
    if selector is None:
        return item
    frame = env.open_inner_frame()
    frame.states.context_object.context_object_data["Map"] = MapData(Item=ItemData(Index=number, Value=item))
    frame.states.reset(input_value=env.states.get_input())
    frame.stack.append(frame.states.get_input())
    selector.eval(frame)
    env.delete_frame(frame)
    return frame.stack[-1]


def evaluate_template(env: Any, template: Any, state_input: Any, *, jsonata: bool) -> dict[str, Any]:
    """Run a temporary Pass state that evaluates the paths or expressions in a template, and return the result."""
    state = {"Type": "Pass", "End": True, "Output" if jsonata else "Parameters": template}
    language = "JSONata" if jsonata else "JSONPath"
    definition = {"QueryLanguage": language, "StartAt": "Template", "States": {"Template": state}}
    frame = env.open_inner_frame()
    frame.states.reset(input_value=state_input)
    frame.event_manager = EventManager()  # keeps the Pass state out of the execution's history
    AmazonStateLanguageParser.parse(json.dumps(definition))[0].eval(frame)
    env.delete_frame(frame)
    outcome = frame.program_state()
    if isinstance(outcome, ProgramError):
        error: Any = outcome.error or {}
        event = HistoryEventType.MapRunFailed
        raise as_exception(failure(env, event, error=error.get("error", ""), cause=error.get("cause", "")))
    settings: dict[str, Any] = frame.states.get_input()
    return settings


def _payload_key(key: str) -> str:
    """Return the key of a payload template for a field: `MaxItemsPerBatch.$` for `MaxItemsPerBatchPath`."""
    return f"{key.removesuffix('Path')}.$" if key.endswith("Path") else key
