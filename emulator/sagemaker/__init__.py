"""SageMaker for real: training jobs and model servers as child processes, data capture, batch transform."""

from emulator.context import Emulator
from emulator.sagemaker import answers, endpoints, registry, runtime, training, transform
from emulator.sagemaker.capture import Captures
from emulator.sagemaker.endpoints import Endpoints
from emulator.sagemaker.processes import Processes


def install(emulator: Emulator) -> None:
    """Put all of it into moto."""
    processes = Processes()
    captures = Captures(emulator)
    hosting = Endpoints(emulator, processes, captures)
    # the last that is given is called first: servers end, then what they captured is written
    emulator.on_stop(processes.stop)
    emulator.on_stop(captures.stop)
    answers.install()
    registry.install()
    training.install(emulator, processes)
    endpoints.install(hosting)
    runtime.install(hosting, captures)
    transform.install(emulator, processes)
