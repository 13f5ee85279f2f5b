"""`ItemBatcher`: several items of a Distributed Map to one child."""

import json
from collections.abc import Iterator
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from sagelocal.services.stepfunctions.failures import failure, raised

MAX_BYTES = 256 * 1024


class Batch(dict[str, Any]):
    """The input of one child: `Items`, and `BatchInput` where the batcher has one."""


def size(job_input: Any) -> int:
    """How many items a child's input holds."""
    return len(job_input["Items"]) if isinstance(job_input, Batch) else 1


def batch(env: Any, eval_input: Any, items: list[Any], batcher: dict[str, Any], *, jsonata: bool) -> list[Batch]:
    """Put items together, each as the item selector leaves it.

    Parameters
    ----------
    env
        Environment of the Map state, its input on top of the stack.
    eval_input
        What moto evaluates the Map with.
    items
        What the Map is to work on.
    batcher
        The state's `ItemBatcher`.
    jsonata
        Whether the state's query language is JSONata.
    """
    state_input = env.states.get_input()
    settings = _evaluate(env, batcher, state_input, jsonata=jsonata)
    extra = {"BatchInput": settings["BatchInput"]} if "BatchInput" in settings else {}
    selected = [_select(env, eval_input.item_selector, number, item) for number, item in enumerate(items)]
    most_items = int(settings.get("MaxItemsPerBatch") or len(items) or 1)
    most_bytes = min(int(settings.get("MaxInputBytesPerBatch") or MAX_BYTES), MAX_BYTES)
    groups = _groups(selected, most_items, most_bytes - _bytes({**extra, "Items": []}))
    return [Batch({**extra, "Items": group}) for group in groups]


def _groups(items: list[Any], most_items: int, most_bytes: int) -> Iterator[list[Any]]:
    group: list[Any] = []
    room = most_bytes
    for item in items:
        needed = _bytes(item) + len(",")
        if group and (len(group) == most_items or needed > room):
            yield group
            group, room = [], most_bytes
        group.append(item)
        room -= needed
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


def _evaluate(env: Any, batcher: dict[str, Any], state_input: Any, *, jsonata: bool) -> dict[str, Any]:
    """The batcher with its paths and expressions replaced by their values: as a Pass state does it."""
    template = batcher if jsonata else {_as_payload(key): value for key, value in batcher.items()}
    state = {"Type": "Pass", "End": True, "Output" if jsonata else "Parameters": template}
    language = "JSONata" if jsonata else "JSONPath"
    definition = {"QueryLanguage": language, "StartAt": "Batch", "States": {"Batch": state}}
    frame = env.open_inner_frame()
    frame.states.reset(input_value=state_input)
    AmazonStateLanguageParser.parse(json.dumps(definition))[0].eval(frame)
    env.delete_frame(frame)
    ended = frame.program_state()
    if isinstance(ended, ProgramError):
        error: Any = ended.error or {}
        event = HistoryEventType.MapRunFailed
        raise raised(failure(env, event, error=error.get("error", ""), cause=error.get("cause", "")))
    settings: dict[str, Any] = frame.states.get_input()
    return settings


def _as_payload(key: str) -> str:
    return f"{key.removesuffix('Path')}.$" if key.endswith("Path") else key
