"""The hosts of a training job: a container's process each, which begin and end together."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.container import Container
from sagelocal.services.sagemaker.logs import LogStream
from sagelocal.services.sagemaker.metrics import Metrics
from sagelocal.services.sagemaker.processes import Process, Processes, child_environment
from sagelocal.services.sagemaker.python import create_environment
from sagelocal.services.sagemaker.servers import MODULES

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
LOST_GRACE = 2.0  # seconds for the other hosts once one has failed


class JobFailure(Exception):  # noqa: N818 (it is how a job ends, not how this code fails)
    """The job fails with this reason."""


@dataclass(frozen=True)
class Ended:
    """How the hosts ended.

    Attributes
    ----------
    status : 0 where all did well, else of the first that did not
    said : what that one's failure file says
    """

    status: int
    said: str


@dataclass
class Hosts:
    """The containers of one job.

    Parameters
    ----------
    job
        moto's record.
    request
        What CreateTrainingJob was given.
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
        """Start all of them.

        Raises
        ------
        JobFailure
            One cannot be started.
        """
        try:
            for container in self.containers:
                self._running.append(self._start(container))
        except OSError as error:
            raise JobFailure(f"ClientError: the container cannot be started: {error}") from error
        finally:
            if len(self._running) < len(self.containers):
                self.end(0)
                self._close()

    def wait(self) -> Ended:
        """Wait for all of them; where one fails, the others are ended."""
        statuses: SimpleQueue[tuple[int, int]] = SimpleQueue()

        def watch(place: int, process: Process) -> None:
            statuses.put((process.wait(), place))

        for place, process in enumerate(self._running):
            threading.Thread(target=watch, args=(place, process), daemon=True).start()
        ended = Ended(0, "")
        for _ in self._running:
            status, place = statuses.get()
            if status and not ended.status:
                ended = Ended(status, self.containers[place].failure())
                self.end(LOST_GRACE)
        for process in self._running:
            self.processes.finish(process)
        self._close()
        return ended

    def end(self, grace: float) -> None:
        """Ask all of them to end, at once; `grace` seconds later they are no longer asked."""
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
        """Where a host's lines go."""
        name = self.job.training_job_name
        client = self.emulator.client
        log = LogStream(client("logs", self.region), LOG_GROUP, f"{name}/algo-{number}-{int(time.time())}")
        self._logs.append(log)
        definitions = self.request["AlgorithmSpecification"].get("MetricDefinitions") or []
        metrics = Metrics(client("cloudwatch", self.region), f"{name}/algo-{number}", definitions)

        def take(line: str) -> None:
            log.write(line)
            metrics.read(line)
            if number == 1:
                self.job.final_metric_data_list = metrics.final

        return take

    def _command(self, container: Container) -> list[str]:
        specification = self.request["AlgorithmSpecification"]
        entry = specification.get("ContainerEntrypoint")
        arguments = [container.localize(part) for part in specification.get("ContainerArguments") or []]
        if entry:
            return [*(container.localize(part) for part in entry), *arguments]
        image = specification.get("TrainingImage") or specification.get("AlgorithmName") or ""
        command = self.emulator.images.command(image, "train")
        if command is None:
            raise JobFailure(
                f"ClientError: no command stands in for the image {image}: name one for `train` in the images file"
            )
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
