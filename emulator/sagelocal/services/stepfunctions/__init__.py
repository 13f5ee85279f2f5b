"""Step Functions: enable moto's state machine interpreter, and patch it where it differs from AWS."""

from sagelocal.core.emulator import Emulator
from sagelocal.core.imports import import_alone

import_alone("moto.batch.utils")  # the interpreter needs only this module; importing all of moto.batch takes a second


def install(emulator: Emulator) -> None:
    """Enable moto's interpreter and install the patches.

    Raises
    ------
    sagelocal.core.patching.MotoChangedError
        If a patch does not fit the installed release of moto.
    """
    from sagelocal.services.stepfunctions import (
        api_errors,
        choice_states,
        definitions,
        distributed_map,
        error_names,
        event_history,
        executions,
        interpreter,
        item_reader,
        json_paths,
        jsonata_queries,
        redrive,
        sagemaker_task,
        service_tasks,
        state_machines,
    )

    interpreter.install(emulator)
    sagemaker_task.install(emulator)
    for module in (
        definitions,
        json_paths,
        jsonata_queries,
        choice_states,
        error_names,
        event_history,
        service_tasks,
        distributed_map,
        item_reader,
    ):
        module.install()
    for module in (api_errors, executions, redrive, state_machines):
        module.install()
