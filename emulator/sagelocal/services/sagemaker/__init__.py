"""SageMaker for real: training jobs and model servers as child processes, data capture, batch transform."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sagelocal.core.emulator import Emulator


def install(emulator: "Emulator") -> None:
    """Put all of it into moto."""
    # imported here, since `model_server` lies in this package and brings no moto and boto3 into a model's process
    from sagelocal.services.sagemaker import (
        answers,
        hosting,
        monitoring,
        registry,
        runtime,
        tags,
        training,
        transform,
        tuning,
    )
    from sagelocal.services.sagemaker.capture import Captures
    from sagelocal.services.sagemaker.endpoints import Endpoints
    from sagelocal.services.sagemaker.invocations import Invocations
    from sagelocal.services.sagemaker.processes import Processes

    processes = Processes()
    captures = Captures(emulator)
    invocations = Invocations()
    endpoints = Endpoints(emulator, processes, captures)
    schedules = monitoring.Schedules()
    # the last that is given is called first: no server is started anew, all end, their captures are over
    emulator.on_stop(captures.stop)
    emulator.on_stop(invocations.stop)
    emulator.on_stop(processes.stop)
    emulator.on_stop(endpoints.stop)
    answers.install()
    registry.install()
    monitoring.mend_job_definitions()
    schedules.install()
    tags.install(schedules)
    training.install(emulator, processes)
    tuning.install(emulator)
    hosting.install(endpoints)
    runtime.install(emulator, endpoints, captures, invocations)
    transform.install(emulator, processes)
