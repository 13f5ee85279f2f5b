"""The hosts of a training job: one container process per host, which start and end together."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.child_processes import Process, Processes, child_environment
from sagelocal.services.sagemaker.errors import JobFailedError
from sagelocal.services.sagemaker.log_stream import LogStream
from sagelocal.services.sagemaker.model_server import MODULES
from sagelocal.services.sagemaker.training_container import Container
from sagelocal.services.sagemaker.training_metrics import Metrics
from sagelocal.services.sagemaker.virtual_environment import create_environment

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
FAILED_HOST_GRACE = 2.0  # seconds between SIGTERM and SIGKILL for the other hosts when one fails


@dataclass(frozen=True)
class Result:
    """The outcome of a job's hosts.

    Attributes
    ----------
    status : 0 if all hosts succeeded, else the exit status of the first that failed
    failure : the content of that host's failure file
    """

    status: int
    failure: str


@dataclass
class Hosts:
    """The running containers of one job.

    Parameters
    ----------
    job
        moto's record of the job.
    request
        The parameters of CreateTrainingJob.
    """

    emulator: Emulator
    processes: Processes
    job: Any
    region: str
    request: Mapping[str, Any]
    containers: Sequence[Container]
    _running: list[Process] = field(default_factory=list)
    _logs: list[LogStream] = field(default_factory=list)

    def start(self) -> None:
        """Start all containers.

        Raises
        ------
        JobFailedError
            If a container cannot be started.
        """
        try:
            for container in self.containers:
                self._running.append(self._start(container))
        except OSError as error:
            raise JobFailedError(f"ClientError: the container cannot be started: {error}") from error
        finally:
            if len(self._running) < len(self.containers):
                self.end(0)
                self._close()

    def wait(self) -> Result:
        """Wait until all containers have ended; if one fails, end the others."""
        statuses: SimpleQueue[tuple[int, int]] = SimpleQueue()

        def watch(index: int, process: Process) -> None:
            statuses.put((process.wait(), index))

        for index, process in enumerate(self._running):
            threading.Thread(target=watch, args=(index, process), daemon=True).start()
        result = Result(0, "")
        for _ in self._running:
            status, index = statuses.get()
            if status and not result.status:
                result = Result(status, self.containers[index].failure())
                self.end(FAILED_HOST_GRACE)
        for process in self._running:
            self.processes.finish(process)
        self._close()
        return result

    def end(self, grace: float) -> None:
        """Send SIGTERM to all containers at once, and SIGKILL after `grace` seconds."""
        threads = [
            threading.Thread(target=self.processes.end, args=(process,), kwargs={"grace": grace})
            for process in self._running
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _close(self) -> None:
        for log in self._logs:
            log.close()

    def _start(self, container: Container) -> Process:
        commands = create_environment(container.root.parent / "python")
        return self.processes.start(
            self._command(container),
            directory=container.root / "code",
            environment=child_environment(self._variables(container), commands=commands),
            output=self._output(container.number),
        )

    def _output(self, number: int) -> Callable[[str], None]:
        """Return a function that writes a line of a host's output to its log and extracts its metrics."""
        name = self.job.training_job_name
        client = self.emulator.client
        log = LogStream(client("logs", self.region), LOG_GROUP, f"{name}/algo-{number}-{int(time.time())}")
        self._logs.append(log)
        definitions = self.request["AlgorithmSpecification"].get("MetricDefinitions") or []
        metrics = Metrics(client("cloudwatch", self.region), f"{name}/algo-{number}", definitions)

        def write(line: str) -> None:
            log.write(line)
            metrics.read(line)
            if number == 1:
                self.job.final_metric_data_list = metrics.final

        return write

    def _command(self, container: Container) -> list[str]:
        specification = self.request["AlgorithmSpecification"]
        entry = specification.get("ContainerEntrypoint")
        arguments = [container.localize(part) for part in specification.get("ContainerArguments") or []]
        if entry:
            return [*(container.localize(part) for part in entry), *arguments]
        image = specification.get("TrainingImage") or specification.get("AlgorithmName") or ""
        command = self.emulator.images.command(image, "train")
        if command is None:
            raise JobFailedError(f"ClientError: the images file has no `train` command for the image {image}: add one")
        return [*command, *arguments]

    def _variables(self, container: Container) -> dict[str, str]:
        variables = {
            **container.variables(
                hyperparameters=dict(self.request.get("HyperParameters") or {}),
                channels=[each["ChannelName"] for each in self.request.get("InputDataConfig") or []],
            ),
            "TRAINING_JOB_NAME": self.job.training_job_name,
            "TRAINING_JOB_ARN": self.job.arn,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **self.emulator.child_environment,
            **(self.request.get("Environment") or {}),
        }
        if not self.request["AlgorithmSpecification"].get("ContainerEntrypoint"):
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (MODULES, variables.get("PYTHONPATH"))))
        return variables
