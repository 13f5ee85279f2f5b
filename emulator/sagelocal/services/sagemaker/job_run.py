"""The run of one training or processing job, in a folder that is deleted when the job ends."""

import contextlib
import shutil
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.child_processes import Processes
from sagelocal.services.sagemaker.errors import JobFailedError
from sagelocal.services.sagemaker.job_hosts import Hosts
from sagelocal.services.sagemaker.s3_transfer import DataSourceError, MissingObjectError

STOP_GRACE = 120  # seconds between SIGTERM and SIGKILL, as documented for StopTrainingJob
DAY = 86_400  # seconds; the default MaxRuntimeInSeconds
REASON_LENGTH = 1024  # characters of a FailureReason


@dataclass
class JobRun(ABC):
    """The run of one job.

    Parameters
    ----------
    job
        moto's record of the job, which the Describe operation returns.
    request
        The parameters of the operation that created the job.
    """

    emulator: Emulator
    processes: Processes
    job: Any
    region: str
    request: Mapping[str, Any]
    _ending: str = "Completed"  # final status if the job does not fail
    _hosts: Hosts[Any] | None = None
    _lock: Any = field(default_factory=threading.RLock)

    def run(self) -> None:
        """Run the job until it has completed, failed or stopped; an internal error makes the job fail."""
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=self.emulator.directory))
        try:
            self._run(folder)
            self._end(self._ending)
        except JobFailedError as error:
            self._end("Failed", str(error))
        except Exception as error:
            self._end("Failed", f"InternalServerError: {type(error).__name__}: {error}")
            if not self.processes.stopping:  # while the emulator stops, calls to the emulator are expected to fail
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self, ending: str = "Stopped") -> None:
        """Request the end of the job; the results that the job's containers have written are still uploaded.

        Parameters
        ----------
        ending
            Final status of the job, such as `Stopped` or `MaxRuntimeExceeded`.
        """
        with self._lock:
            if self._is_stopped or not self._in_progress:
                return
            self._ending = ending
            if ending == "Stopped":
                self._enter_stopping()
            hosts = self._hosts
        if hosts:
            threading.Thread(target=hosts.end, args=(STOP_GRACE,)).start()

    @property
    def _is_stopped(self) -> bool:
        """Whether a user or a time limit has stopped the job."""
        return self._ending != "Completed"

    @property
    @abstractmethod
    def _in_progress(self) -> bool:
        """Whether the job's status is InProgress."""

    @abstractmethod
    def _enter_stopping(self) -> None:
        """Change the job's status to Stopping."""

    @abstractmethod
    def _run(self, folder: Path) -> None:
        """Run the job in `folder`; the job fails if this method raises a JobFailedError."""

    @abstractmethod
    def _end(self, status: str, reason: str | None = None) -> None:
        """Set the job's final status.

        Parameters
        ----------
        reason
            FailureReason of a failed job; None for any other job.
        """

    def _client(self, service: str) -> Any:
        return self.emulator.client(service, self.region)

    def _timer(self, limit: str, ending: str, *, used: float = 0.0) -> threading.Timer:
        """Return a timer that stops the job when it reaches a limit of the StoppingCondition.

        Parameters
        ----------
        limit
            Name of the limit, such as `MaxRuntimeInSeconds`.
        ending
            Final status of a job that reaches the limit.
        used
            Seconds of the limit that have passed before the timer starts.
        """
        seconds = (self.request.get("StoppingCondition") or {}).get(limit) or DAY
        timer = threading.Timer(max(0.0, seconds - used), self.stop, args=(ending,))
        timer.daemon = True
        return timer

    @contextlib.contextmanager
    def _downloading(self) -> Iterator[None]:
        """Fail the job with AWS's FailureReason if a download fails."""
        try:
            yield
        except MissingObjectError as error:
            hint = (
                f"Please ensure that the bucket exists in the selected region ({self.region}), that objects exist "
                f'under that S3 prefix, and that the role "{self.job.role_arn}" has "s3:ListBucket" permissions.'
            )
            raise JobFailedError(f"ClientError: Data download failed:{error} {hint}") from error
        except (DataSourceError, ClientError) as error:
            raise JobFailedError(f"ClientError: Data download failed:{error}") from error

    @contextlib.contextmanager
    def _uploading(self) -> Iterator[None]:
        """Fail the job with AWS's FailureReason if an upload fails."""
        try:
            yield
        except ClientError as error:
            raise JobFailedError(f"ClientError: Artifact upload failed:{error}") from error


def failure_reason(failure: str, status: int) -> str:
    """Return the FailureReason of a job whose container has failed.

    The reason begins with `AlgorithmError`, unless the container's explanation begins with `ClientError`, as those of
    AWS's built-in algorithms may do.

    Parameters
    ----------
    failure
        Explanation that the container has written, which is shortened so that the exit status fits; may be empty.
    status
        Exit status of the container.
    """
    template = f"{'' if failure.startswith('ClientError: ') else 'AlgorithmError: '}{{}}, exit code: {status}"
    return template.format(failure[: REASON_LENGTH - len(template) + 2])
