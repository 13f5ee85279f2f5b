"""Parsing of definitions: translates what moto's grammar does not support, and caches parsed programs."""

import json
import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map import tolerated_failure
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from sagelocal.core.patching import replace

CACHE_SIZE = 256
BATCHER_PREFIX = "ItemBatcher: "


def install() -> None:
    """Install the translation and the cache in front of moto's parser, and isolate parses from each other."""
    # the preprocessor warns that tolerated failures have no effect, but `distributed_map` implements them
    logging.getLogger(Preprocessor.__module__).setLevel(logging.ERROR)

    def parse(definition: str) -> Any:
        # executions can share a parsed program, because it holds no state of an execution
        return programs(definition)

    original = replace(AmazonStateLanguageParser, "parse", parse, parameters=("definition",))
    programs = lru_cache(maxsize=CACHE_SIZE)(lambda definition: original(translate(definition)))
    _isolate_parses()
    replace(
        Preprocessor,
        "visitTolerated_failure_count_string_jsonata",
        _visit_tolerated_failure_count,
        parameters=("ctx",),
    )


def translate(definition: str) -> str:
    """Translate a definition to one that moto's grammar accepts.

    The grammar has no `ItemBatcher`, so it is moved to the state's comment, in hexadecimal because moto loses quotes
    in comments. The grammar requires a decimal point in percentages. It does not support EXPRESS child executions,
    which run as STANDARD.
    A definition that needs no change is returned unchanged, so that error messages contain the author's line numbers.
    """
    try:
        parsed = json.loads(definition)
    except ValueError:
        return definition
    changed = [_translate_map(state) for state in map_states(parsed)]
    return json.dumps(parsed) if any(changed) else definition


def batcher_of(comment: str | None) -> Any:
    """Return the `ItemBatcher` that `translate` moved to a Map state's comment, or None."""
    if comment is None or not comment.startswith(BATCHER_PREFIX):
        return None
    return json.loads(bytes.fromhex(comment.removeprefix(BATCHER_PREFIX)))


def scopes(definition: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object with `States` in a definition, outermost first, with its JSON pointer."""
    if not isinstance(definition, dict) or not isinstance(definition.get("States"), dict):
        return
    yield path, definition
    for name, state in definition["States"].items():
        if isinstance(state, dict):
            yield from _inner_scopes(state, f"{path}/States/{name}")


def states(definition: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every state of a definition, including nested ones, with its JSON pointer."""
    for path, scope in scopes(definition):
        for name, state in scope["States"].items():
            if isinstance(state, dict):
                yield f"{path}/States/{name}", state


def map_states(definition: Any) -> Iterator[dict[str, Any]]:
    """Yield every Map state of a definition, including nested ones."""
    return (state for _, state in states(definition) if state.get("Type") == "Map")


def _inner_scopes(state: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in ("ItemProcessor", "Iterator"):
        yield from scopes(state.get(key), f"{path}/{key}")
    branches = state.get("Branches")
    for number, branch in enumerate(branches if isinstance(branches, list) else []):
        yield from scopes(branch, f"{path}/Branches/{number}")


def _translate_map(state: dict[str, Any]) -> bool:
    percentage = state.get("ToleratedFailurePercentage")
    whole = isinstance(percentage, int) and not isinstance(percentage, bool)
    if whole:
        state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
    express = isinstance(config, dict) and config.get("ExecutionType") == "EXPRESS"
    if express:
        state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "STANDARD"
    batcher = state.pop("ItemBatcher", None)
    if batcher is not None:
        state["Comment"] = BATCHER_PREFIX + json.dumps(batcher).encode().hex()
    return whole or express or batcher is not None


def _isolate_parses() -> None:
    def create(self: Any) -> None:
        original(self)
        # moto shares this list among all instances, so that parallel or failed parses would corrupt other parses
        self._query_language_per_scope = []

    original = replace(Preprocessor, "__init__", create, parameters=("args", "kwargs"))


def _visit_tolerated_failure_count(self: Any, ctx: Any) -> Any:
    return tolerated_failure.ToleratedFailureCountStringJSONata(
        string_jsonata=self.visitString_jsonata(ctx=ctx.string_jsonata())
    )
