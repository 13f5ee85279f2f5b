"""Check the service integrations in a definition."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.exceptions import UnknownServiceError

from sagelocal.services.stepfunctions.definitions import scopes, states
from sagelocal.services.stepfunctions.service_tasks import client_name, method_name, operation_model

# resource of an optimized integration; not `states:::aws-sdk:SERVICE:ACTION`, which has one more part
OPTIMIZED = re.compile(r"arn:aws[\w-]*:states:::(?P<service>[\w-]+):(?P<action>\w+)(?:\.[\w:]+)?")

# resources that EXPRESS workflows do not support
STANDARD_ONLY = re.compile(r"(\.sync(:2)?|\.waitForTaskToken)$|:activity:")


def missing_parameters(definition: Any) -> Iterator[tuple[str, str]]:
    """Yield the JSON pointer of the parameters and the name of each required parameter that a Task state lacks."""
    for path, state in states(definition):
        found = OPTIMIZED.fullmatch(str(state.get("Resource"))) if state.get("Type") == "Task" else None
        field = "Arguments" if "Arguments" in state else "Parameters"
        given = state.get(field, {})
        if found and isinstance(given, dict):  # Arguments can also be a JSONata expression
            names = {name.removesuffix(".$") for name in given}
            for name in required_parameters(found["service"], found["action"]) - names:
                yield f"{path}/{field}", name


@cache
def required_parameters(service: str, action: str) -> frozenset[str]:
    """Return the required parameters of an integration, or an empty set if the service has no such operation."""
    try:
        shape = operation_model(client_name(None, service), method_name(None, action)).input_shape
    except (LookupError, UnknownServiceError):
        return frozenset()
    required = () if shape is None else shape.required_members
    return frozenset(
        name[:1].upper() + name[1:] for name in required if not shape.members[name].metadata.get("idempotencyToken")
    )


def unsupported_by_express(definition: Any, *, express: bool) -> Iterator[tuple[str, str]]:
    """Yield the JSON pointer of each field that EXPRESS workflows do not support, and an error message.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html

    Parameters
    ----------
    definition
        Parsed definition of the state machine.
    express
        Whether the state machine is EXPRESS. If not, only the states of EXPRESS child executions are checked.
    """
    roots = [path for path, scope in scopes(definition) if _processor(scope, "ExecutionType") == "EXPRESS"]
    for path, state in states(definition):
        if not express and not any(path.startswith(f"{root}/") for root in roots):
            continue
        if STANDARD_ONLY.search(str(state.get("Resource", ""))):
            yield f"{path}/Resource", f"Express workflows do not support the integration {state['Resource']}"
        if state.get("Type") == "Map" and _processor(state.get("ItemProcessor"), "Mode") == "DISTRIBUTED":
            yield path, "Express workflows do not support Distributed Map"


def _processor(scope: Any, field: str) -> Any:
    config = scope.get("ProcessorConfig") if isinstance(scope, dict) else None
    return config.get(field) if isinstance(config, dict) else None
