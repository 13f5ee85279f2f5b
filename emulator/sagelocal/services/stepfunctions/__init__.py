"""Step Functions: moto's interpreter, switched on and mended where it differs from AWS."""

from sagelocal.core.emulator import Emulator
from sagelocal.services.stepfunctions import (
    definitions,
    distributed_map,
    errors,
    executions,
    interpreter,
    item_source,
    json_paths,
    jsonata_queries,
    machines,
    sagemaker_task,
    tasks,
)


def install(emulator: Emulator) -> None:
    """Switch moto's interpreter on and mend it.

    Raises
    ------
    sagelocal.core.patching.MotoChangedError
        If this release of moto is not the one that the changes were written for.
    """
    interpreter.install(emulator)
    sagemaker_task.install(emulator)
    for part in (definitions, json_paths, jsonata_queries, tasks, distributed_map, item_source):
        part.install()
    for part in (errors, executions, machines):
        part.install()
