"""Parse definitions: translate the fields that moto's grammar does not support, and cache parsed programs."""

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
MOVED_PREFIX = "Moved: "  # marks a comment that contains moved fields
READER_FIELDS = ("CSVDelimiter", "ManifestType")  # fields of ReaderConfig that moto's grammar lacks


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

    The grammar lacks some fields of Map states. These fields are moved to the state's comment, in hexadecimal, because
    moto loses quotes in comments. The grammar requires a decimal point in percentages, so `5` becomes `5.0`. It has no
    EXPRESS child executions, so moto runs them as STANDARD.
    A definition that needs no change is returned unchanged, so that the line numbers in error messages are those of the
    original text.
    """
    try:
        parsed = json.loads(definition)
    except ValueError:
        return definition
    changed = [_translate_map(state) for state in map_states(parsed)]
    return json.dumps(parsed) if any(changed) else definition


def moved_fields(comment: str | None) -> dict[str, Any]:
    """Return the fields that `translate` moved to a Map state's comment, or an empty dictionary if there are none."""
    if comment is None or not comment.startswith(MOVED_PREFIX):
        return {}
    fields: dict[str, Any] = json.loads(bytes.fromhex(comment.removeprefix(MOVED_PREFIX)))
    return fields


def scopes(definition: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON pointer and the content of every object with `States` in a definition, outermost first."""
    if not isinstance(definition, dict) or not isinstance(definition.get("States"), dict):
        return
    yield path, definition
    for name, state in definition["States"].items():
        if isinstance(state, dict):
            yield from _inner_scopes(state, f"{path}/States/{name}")


def states(definition: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON pointer and the content of every state of a definition, including nested states."""
    for path, scope in scopes(definition):
        for name, state in scope["States"].items():
            if isinstance(state, dict):
                yield f"{path}/States/{name}", state


def map_states(definition: Any) -> Iterator[dict[str, Any]]:
    """Yield every Map state of a definition, including nested Map states."""
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
    moved = _move_fields(state)
    if moved:
        state["Comment"] = MOVED_PREFIX + json.dumps(moved).encode().hex()
    return whole or bool(moved)


def _move_fields(state: dict[str, Any]) -> dict[str, Any]:
    """Remove from a Map state the fields that moto's grammar lacks, and return these fields."""
    moved: dict[str, Any] = {name: state.pop(name) for name in ("ItemBatcher", "ResultWriter") if name in state}
    config = _inner(state, "ItemProcessor", "ProcessorConfig")
    if config.get("ExecutionType") == "EXPRESS":
        config["ExecutionType"] = "STANDARD"
        moved["ExecutionType"] = "EXPRESS"
    reader = _inner(state, "ItemReader", "ReaderConfig")
    fields = {name: reader.pop(name) for name in READER_FIELDS if name in reader}
    return moved | ({"ReaderConfig": fields} if fields else {})


def _inner(state: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the object at a path in a state, or an empty dictionary if there is none."""
    value: Any = state
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


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
