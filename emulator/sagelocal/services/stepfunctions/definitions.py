"""From the text of a definition to a program: what moto's grammar refuses, and each text parsed once."""

import json
import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map import tolerated_failure
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from sagelocal.core.patching import replace

PROGRAMS_KEPT = 256
BATCHER_MARK = "ItemBatcher: "


def install() -> None:
    """Put the translation and the cache before moto's parser, and make each parse independent."""
    # it warns that tolerated failures have no effect: `distributed_map` gives them theirs
    logging.getLogger(Preprocessor.__module__).setLevel(logging.ERROR)

    def parse(definition: str) -> Any:
        # components keep no state of an execution, so that executions can share a program
        return programs(definition)

    original = replace(AmazonStateLanguageParser, "parse", parse, parameters=("definition",))
    programs = lru_cache(maxsize=PROGRAMS_KEPT)(lambda definition: original(translate(definition)))
    _separate_parses()
    replace(
        Preprocessor,
        "visitTolerated_failure_count_string_jsonata",
        _visit_tolerated_failure_count,
        parameters=("ctx",),
    )


def translate(definition: str) -> str:
    """A definition in the words that moto's grammar knows.

    The grammar has no `ItemBatcher`, which is kept in the state's comment (as hexadecimal digits, whose quotes
    moto cannot lose), takes percentages only with a decimal point, and knows no EXPRESS children, which run as any
    others do. Any other text comes back as it is, so that messages name the author's own lines.
    """
    try:
        parsed = json.loads(definition)
    except ValueError:
        return definition
    changed = [_translate_map(state) for state in map_states(parsed)]
    return json.dumps(parsed) if any(changed) else definition


def batcher_of(comment: str | None) -> Any:
    """The `ItemBatcher` that `translate` kept in a Map state's comment, or None."""
    if comment is None or not comment.startswith(BATCHER_MARK):
        return None
    return json.loads(bytes.fromhex(comment.removeprefix(BATCHER_MARK)))


def scopes(definition: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a definition that has `States`, outermost first, with its JSON pointer."""
    if not isinstance(definition, dict) or not isinstance(definition.get("States"), dict):
        return
    yield path, definition
    for name, state in definition["States"].items():
        if isinstance(state, dict):
            yield from _inner_scopes(state, f"{path}/States/{name}")


def map_states(definition: Any) -> Iterator[dict[str, Any]]:
    """Every Map state of a definition, nested ones included."""
    for _, scope in scopes(definition):
        for state in scope["States"].values():
            if isinstance(state, dict) and state.get("Type") == "Map":
                yield state


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
        state["Comment"] = BATCHER_MARK + json.dumps(batcher).encode().hex()
    return whole or express or batcher is not None


def _separate_parses() -> None:
    def separate(self: Any) -> None:
        original(self)
        # moto has one list for the whole class: parallel parses, and any after a failed one, would mix
        self._query_language_per_scope = []

    original = replace(Preprocessor, "__init__", separate, parameters=("args", "kwargs"))


def _visit_tolerated_failure_count(self: Any, ctx: Any) -> Any:
    return tolerated_failure.ToleratedFailureCountStringJSONata(
        string_jsonata=self.visitString_jsonata(ctx=ctx.string_jsonata())
    )
