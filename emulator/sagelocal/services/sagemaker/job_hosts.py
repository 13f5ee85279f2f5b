"""The hosts of a training or processing job: one container process per host.

All containers start together. If one fails, the others are ended.
"""

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.child_processes import Process, Processes, child_environment
from sagelocal.services.sagemaker.errors import JobFailedError
from sagelocal.services.sagemaker.log_stream import LogStream
from sagelocal.services.sagemaker.model_server import PACKAGE_FOLDER
from sagelocal.services.sagemaker.virtual_environment import create_environment

FAILED_HOST_GRACE = 2.0  # seconds between SIGTERM and SIGKILL for the remaining hosts after one host has failed


class Container(Protocol):
    """The container of one host: its folders, and how a command runs in it."""

    @property
    def root(self) -> Path:
        """The folder with the layout of `/opt/ml`."""

    @property
    def number(self) -> int:
        """The host's number, starting at 1."""

    @property
    def working_directory(self) -> Path:
        """The working directory of the container's command."""

    def localize(self, text: str) -> str:
        """Return a text in which `/opt/ml` is replaced with `root`, unless `root` is mounted at `/opt/ml`."""

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs a command in this container."""


C = TypeVar("C", bound=Container)


@dataclass(frozen=True)
class Result(Generic[C]):
    """The outcome of a job's hosts.

    Attributes
    ----------
    status : 0 if all hosts succeeded, otherwise the exit status of the first host that failed
    failed : container of the first host that failed; None if all hosts succeeded
    """

    status: int
    failed: C | None


@dataclass
class Hosts(ABC, Generic[C]):
    """The containers of one job, with one container per host.

    Parameters
    ----------
    name
        The job's name.
    request
        The parameters of the operation that created the job.
    """

    LOG_GROUP: ClassVar[str]
    MODE: ClassVar[str]  # `train` or `process`: the image's command to run if the request has no entry point

    emulator: Emulator
    processes: Processes
    name: str
    region: str
    request: Mapping[str, Any]
    containers: Sequence[C]
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
        except (OSError, ValueError) as error:  # ValueError: an argument or a variable contains NUL
            raise JobFailedError(f"ClientError: the container cannot be started: {error}") from error
        finally:
            if len(self._running) < len(self.containers):
                self.end(0)
                self._close()

    def wait(self) -> Result[C]:
        """Wait until all containers have ended; if one fails, end the others."""
        statuses: SimpleQueue[tuple[int, int]] = SimpleQueue()

        def watch(index: int, process: Process) -> None:
            statuses.put((process.wait(), index))

        for index, process in enumerate(self._running):
            threading.Thread(target=watch, args=(index, process), daemon=True).start()
        result: Result[C] = Result(0, None)
        for _ in self._running:
            status, index = statuses.get()
            if status and not result.status:
                result = Result(status, self.containers[index])
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

    @property
    @abstractmethod
    def _specification(self) -> Mapping[str, Any]:
        """The part of the request that contains the entry point and its arguments."""

    @property
    @abstractmethod
    def _image(self) -> str:
        """The URI of the container image."""

    @abstractmethod
    def _variables(self, container: C) -> dict[str, str]:
        """Return the environment variables that only this type of job has."""

    def _reader(self, container: C) -> Callable[[str], None]:
        """Return the function to call with each line of a container's output; by default, the function does nothing."""
        return lambda line: None

    def _close(self) -> None:
        for log in self._logs:
            log.close()

    def _start(self, container: C) -> Process:
        return self.processes.start(
            container.command(self._command(container)),
            directory=container.working_directory,
            environment=child_environment(
                self._environment(container), commands=create_environment(container.root.parent / "python")
            ),
            output=self._output(container),
        )

    def _output(self, container: C) -> Callable[[str], None]:
        """Return a function that writes a line of a container's output to the host's log stream."""
        stream = f"{self.name}/algo-{container.number}-{int(time.time())}"
        log = LogStream(self.emulator.client("logs", self.region), self.LOG_GROUP, stream)
        self._logs.append(log)
        read = self._reader(container)

        def write(line: str) -> None:
            log.write(line)
            read(line)

        return write

    def _command(self, container: C) -> list[str]:
        entry = self._specification.get("ContainerEntrypoint")
        arguments = [container.localize(part) for part in self._specification.get("ContainerArguments") or []]
        if entry:
            return [*(container.localize(part) for part in entry), *arguments]
        command = self.emulator.images.command(self._image, self.MODE)
        if command is None:
            raise JobFailedError(
                f"ClientError: the images file has no `{self.MODE}` command for the image {self._image}: add one"
            )
        return [*command, *arguments]

    def _environment(self, container: C) -> dict[str, str]:
        variables = {
            **self._variables(container),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **self.emulator.child_environment,
            **{name: container.localize(value) for name, value in (self.request.get("Environment") or {}).items()},
        }
        if not self._specification.get("ContainerEntrypoint"):
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (PACKAGE_FOLDER, variables.get("PYTHONPATH"))))
        return variables
