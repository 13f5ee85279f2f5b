"""Validate definitions, and report the diagnostics of ValidateStateMachineDefinition.

Source of the codes: AWS's API reference, ValidateStateMachineDefinitionDiagnostic.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException

from sagelocal.services.stepfunctions import integrations
from sagelocal.services.stepfunctions.definitions import scopes

ENDING = ("Succeed", "Fail")  # types of terminal states
MAX_NAME = 80  # characters, https://docs.aws.amazon.com/step-functions/latest/dg/concepts-states.html


def diagnose(definition: str, kind: str | None = None) -> list[dict[str, str]]:
    """Return all findings in a definition, each with severity, code, message and, if known, location.

    Parameters
    ----------
    definition
        JSON text of the definition.
    kind
        Type of the state machine, `STANDARD` by default.
    """
    if not definition.strip():
        return [_finding("MISSING_DESCRIPTION", "The definition is empty")]
    try:
        parsed = json.loads(definition)
    except ValueError as error:
        return [_finding("INVALID_JSON_DESCRIPTION", str(error))]
    unsupported = integrations.unsupported_by_express(parsed, express=kind == "EXPRESS")
    findings = [_finding("SCHEMA_VALIDATION_FAILED", message, path) for path, message in unsupported]
    return [*_structure(parsed), *findings] or list(_grammar(definition))


def _finding(code: str, message: str, location: str | None = None) -> dict[str, str]:
    finding = {"severity": "ERROR", "code": code, "message": message}
    return finding | ({"location": location} if location else {})


def _grammar(definition: str) -> Iterator[dict[str, str]]:
    """Yield a finding for each error that the interpreter's parser reports."""
    try:
        AmazonStateLanguageParser.parse(definition)
    except ASLParserException as error:
        yield from (_finding("SCHEMA_VALIDATION_FAILED", message) for message in error.errors)
    except Exception as error:
        # the parser also raises the exceptions of its components' constructors
        yield _finding("SCHEMA_VALIDATION_FAILED", str(error) or type(error).__name__)


def _structure(definition: Any) -> Iterator[dict[str, str]]:
    """Yield findings that the parser does not report, such as missing transition targets and duplicate state names."""
    names: Counter[str] = Counter()
    for path, scope in scopes(definition):
        names.update(list(scope["States"]))
        yield from _scope(path, scope)
    for name, count in names.items():
        if count > 1:
            yield _finding("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", "/States")
    for path, field in integrations.missing_parameters(definition):
        yield _finding("SCHEMA_VALIDATION_FAILED", f'The field "{field}" is required but was missing', path)


def _scope(path: str, scope: dict[str, Any]) -> Iterator[dict[str, str]]:
    states = {name: state for name, state in scope["States"].items() if isinstance(state, dict)}
    names = list(states)
    reached = [scope.get("StartAt")]  # not a set, because an invalid target may be unhashable
    if "StartAt" in scope and scope["StartAt"] not in names:
        yield _missing("StartAt", scope["StartAt"], f"{path}/StartAt")
    for name in names:
        if len(name) > MAX_NAME:
            message = f"State name is longer than {MAX_NAME} characters: {name}"
            yield _finding("SCHEMA_VALIDATION_FAILED", message, f"{path}/States/{name}")
    for name, state in states.items():
        for pointer, target in _targets(state):
            reached.append(target)
            if target not in names:
                yield _missing(pointer.rpartition("/")[2], target, f"{path}/States/{name}/{pointer}")
    for name in [name for name in names if name not in reached]:
        yield _finding("MISSING_TRANSITION_TARGET", f'State "{name}" is not reachable.', f"{path}/States/{name}")
    if not any(state.get("End") or state.get("Type") in ENDING for state in states.values()):
        yield _finding("MISSING_END_STATE", "There is no terminal state", f"{path}/States")


def _missing(field: str, target: Any, location: str) -> dict[str, str]:
    return _finding("MISSING_TRANSITION_TARGET", f"Missing '{field}' target: {target}", location)


def _targets(state: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the JSON pointer, relative to the state, and the target of every transition of a state."""
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Catch", "Choices"):
        rules = state.get(field)
        for number, rule in enumerate(rules if isinstance(rules, list) else []):
            if isinstance(rule, dict) and "Next" in rule:
                yield f"{field}/{number}/Next", rule["Next"]
