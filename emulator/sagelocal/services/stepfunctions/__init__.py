"""Step Functions: enables moto's interpreter and fixes its differences from AWS."""

from sagelocal.core.emulator import Emulator
from sagelocal.services.stepfunctions import (
    api_errors,
    definitions,
    distributed_map,
    executions,
    interpreter,
    item_reader,
    json_paths,
    jsonata_queries,
    sagemaker_task,
    service_tasks,
    state_failures,
    state_machines,
)


def install(emulator: Emulator) -> None:
    """Enable moto's interpreter and install the fixes.

    Raises
    ------
    sagelocal.core.patching.MotoChangedError
        If the fixes do not fit this release of moto.
    """
    interpreter.install(emulator)
    sagemaker_task.install(emulator)
    for module in (
        *(definitions, json_paths, jsonata_queries, state_failures),
        *(service_tasks, distributed_map, item_reader),
    ):
        module.install()
    for module in (api_errors, executions, state_machines):
        module.install()
