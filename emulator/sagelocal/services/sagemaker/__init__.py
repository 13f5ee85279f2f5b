"""SageMaker emulation: jobs and model servers run as child processes, and endpoints capture their data."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sagelocal.core.emulator import Emulator


def install(emulator: "Emulator") -> None:
    """Patch moto with the emulator's SageMaker operations, and start the background threads that they need."""
    from sagelocal.services.sagemaker import (
        batch_transform,
        endpoint_operations,
        invoke_endpoint,
        model_packages,
        processing_jobs,
        processing_list,
        refused_operations,
        response_fixes,
        state_events,
        tags,
        training_jobs,
        tuning_jobs,
    )
    from sagelocal.services.sagemaker.child_processes import Processes
    from sagelocal.services.sagemaker.data_capture import Captures
    from sagelocal.services.sagemaker.endpoints import Endpoints
    from sagelocal.services.sagemaker.invocation_metrics import Invocations

    processes = Processes(emulator.watch)
    captures = Captures(emulator)
    invocations = Invocations()
    endpoints = Endpoints(emulator, processes, captures)
    # Callbacks run in reverse order of registration: first the endpoints stop restarting servers, then all processes
    # end, and then the threads stop that write invocation metrics and captured data.
    emulator.on_stop(captures.stop)
    emulator.on_stop(invocations.stop)
    emulator.on_stop(processes.stop)
    emulator.on_stop(endpoints.stop)
    response_fixes.install()
    model_packages.install()
    state_events.install()
    refused_operations.install()
    tags.install()
    training_jobs.install(emulator, processes)
    processing_jobs.install(emulator, processes)
    processing_list.install()
    tuning_jobs.install(emulator)
    endpoint_operations.install(endpoints)
    invoke_endpoint.install(emulator, endpoints, captures, invocations)
    batch_transform.install(emulator, processes)
