"""The run of one training job: downloads its data, runs its containers, uploads its results."""

import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from sagelocal.core.emulator import Emulator
from sagelocal.services.sagemaker.checkpoint_upload import CheckpointUpload
from sagelocal.services.sagemaker.child_processes import Processes
from sagelocal.services.sagemaker.errors import JobFailedError
from sagelocal.services.sagemaker.model_server import free_port
from sagelocal.services.sagemaker.s3_transfer import (
    DataSourceError,
    MissingObjectError,
    Shard,
    download,
    download_source,
    list_keys,
    upload_archive,
)
from sagelocal.services.sagemaker.training_container import FAILURE_LENGTH, Container
from sagelocal.services.sagemaker.training_hosts import Hosts, Result

KILLED = 137  # exit status after SIGKILL
STOP_GRACE = 120  # seconds between SIGTERM and SIGKILL, as documented for StopTrainingJob
DAY = 86_400
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TrainingJob.html, SecondaryStatus
MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading the training image",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Interrupted": "Training job interrupted: the spot instances were reclaimed",
    "MaxWaitTimeExceeded": "Training job waited longer than MaxWaitTimeInSeconds provided",
}
PRIMARY = {
    "Completed": "Completed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
    "Failed": "Failed",
}


@dataclass
class TrainingRun:
    """The run of one training job.

    Parameters
    ----------
    job
        moto's record of the job, which DescribeTrainingJob returns.
    request
        The parameters of CreateTrainingJob.
    """

    emulator: Emulator
    processes: Processes
    job: Any
    region: str
    request: Mapping[str, Any]
    _ending: str = "Completed"
    _hosts: Hosts | None = None
    _training_seconds: float = 0.0
    _lock: Any = field(default_factory=threading.RLock)

    def run(self) -> None:
        """Run the job from Starting to its end; an internal error also ends it."""
        folder = Path(tempfile.mkdtemp(prefix="training-", dir=self.emulator.directory))
        try:
            self._run(folder)
            self._end(self._ending, MESSAGES[self._ending])
        except JobFailedError as error:
            self._end("Failed", str(error))
        except Exception as error:
            self._end("Failed", f"InternalServerError: {type(error).__name__}: {error}")
            if not self.processes.stopping:  # calls to the emulator fail while it stops
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self, ending: str = "Stopped") -> None:
        """Request the end of the job; the results that its containers have written are uploaded."""
        with self._lock:
            if self._ending != "Completed" or self.job.training_job_status != "InProgress":
                return
            self._ending = ending
            if ending == "Stopped":
                self.job.training_job_status = "Stopping"
                self._enter("Stopping")
            hosts = self._hosts
        if hosts:
            threading.Thread(target=hosts.end, args=(STOP_GRACE,)).start()

    @property
    def _channels(self) -> list[dict[str, Any]]:
        return self.request.get("InputDataConfig") or []

    @property
    def _checkpoints(self) -> str | None:
        return (self.request.get("CheckpointConfig") or {}).get("S3Uri")

    @property
    def _output_uri(self) -> str:
        path = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return f"{path}/{self.job.training_job_name}/output"

    def _client(self, service: str) -> Any:
        return self.emulator.client(service, self.region)

    def _run(self, folder: Path) -> None:
        wait = self._timer("MaxWaitTimeInSeconds", "MaxWaitTimeExceeded")
        wait.start()
        try:
            for number in count(1):
                containers, result = self._attempt(folder / str(number))
                if not result or not self._was_interrupted(result):
                    break
                self._enter("Interrupted")
                self._enter("Starting")
        finally:
            wait.cancel()
        if result is None:  # stopped before the containers were started
            return
        if result.status and self._ending == "Completed":
            self._upload_output(containers)
            raise JobFailedError(failure_reason(result.failure, result.status))
        self._enter("Uploading")
        self._upload(containers)

    def _timer(self, limit: str, ending: str) -> threading.Timer:
        """Return a timer that stops the job at a limit of its StoppingCondition, minus the training time so far."""
        seconds = (self.request.get("StoppingCondition") or {}).get(limit) or DAY
        timer = threading.Timer(max(0.0, seconds - self._training_seconds), self.stop, args=(ending,))
        timer.daemon = True
        return timer

    def _was_interrupted(self, result: Result) -> bool:
        """Whether this is a spot interruption: a host was killed although nobody stopped the job."""
        spot = bool(self.request.get("EnableManagedSpotTraining"))
        return spot and result.status == KILLED and self._ending == "Completed" and not self.processes.stopping

    def _attempt(self, folder: Path) -> tuple[list[Container], Result | None]:
        """Run all hosts once in an empty folder; the result is None if the job was stopped before they started."""
        self._enter("Downloading")
        containers = self._prepare(folder)
        hosts = Hosts(self.emulator, self.processes, self.job, self.region, self.request, containers)
        with self._lock:
            if self._ending != "Completed":
                return containers, None
            self._enter("Training")
            start = datetime.now(UTC)
            self.job.training_start_time = self.job.training_start_time or start
            hosts.start()
            self._hosts = hosts
        limit = self._timer("MaxRuntimeInSeconds", "MaxRuntimeExceeded")
        limit.start()
        folders = [each.checkpoints for each in containers]
        upload = CheckpointUpload(self._client("s3"), folders, self._checkpoints) if self._checkpoints else None
        try:
            result = hosts.wait()
        finally:
            limit.cancel()
            self.job.training_end_time = datetime.now(UTC)
            self._training_seconds += (self.job.training_end_time - start).total_seconds()
        if upload:
            self._close(upload)
        return containers, result

    def _close(self, upload: CheckpointUpload) -> None:
        try:
            upload.close()
        except ClientError as error:
            raise JobFailedError(f"ClientError: Artifact upload failed:{error}") from error

    def _prepare(self, folder: Path) -> list[Container]:
        """Create each host's folder with its configuration and data."""
        resources = self.request["ResourceConfig"] or {}
        size = resources.get("InstanceCount") or 1
        port = free_port()
        containers = [
            Container.create(
                folder / f"algo-{number}" / "ml",
                number=number,
                count=size,
                channels=[each["ChannelName"] for each in self._channels],
            )
            for number in range(1, size + 1)
        ]
        for container in containers:
            self._download(container)
            container.localize_drivers(port)
            container.configure(
                hyperparameters=dict(self.request.get("HyperParameters") or {}),
                channels=self._channels,
                instance_type=resources.get("InstanceType", "ml.m5.large"),
            )
        return containers

    def _download(self, container: Container) -> None:
        shard = Shard(container.number - 1, len(container.hosts))
        try:
            for channel in self._channels:
                source = channel["DataSource"].get("S3DataSource")
                if not source:
                    raise DataSourceError(
                        f"channel {channel['ChannelName']} needs an S3DataSource: the emulator supports no other source"
                    )
                download_source(self._client("s3"), source, container.channel(channel["ChannelName"]), shard)
            if self._checkpoints and list_keys(self._client("s3"), self._checkpoints.rstrip("/") + "/"):
                download(self._client("s3"), self._checkpoints.rstrip("/") + "/", container.checkpoints)
        except MissingObjectError as error:
            hint = (
                f"Please ensure that the bucket exists in the selected region ({self.region}), that objects exist "
                f'under that S3 prefix, and that the role "{self.job.role_arn}" has "s3:ListBucket" permissions.'
            )
            raise JobFailedError(f"ClientError: Data download failed:{error} {hint}") from error
        except (DataSourceError, ClientError) as error:
            raise JobFailedError(f"ClientError: Data download failed:{error}") from error

    def _upload(self, containers: Sequence[Container]) -> None:
        uri = f"{self._output_uri}/model.tar.gz"
        self._upload_output(containers)
        try:
            upload_archive(self._client("s3"), [each.model for each in containers], uri)
        except ClientError as error:
            raise JobFailedError(f"ClientError: Artifact upload failed:{error}") from error
        self.job.model_artifacts = {"S3ModelArtifacts": uri}

    def _upload_output(self, containers: Sequence[Container]) -> None:
        """Upload output.tar.gz; a failed job has one too."""
        outputs = [each.output for each in containers if any(each.output.iterdir())]
        try:
            if outputs:
                upload_archive(self._client("s3"), outputs, f"{self._output_uri}/output.tar.gz")
        except ClientError as error:
            raise JobFailedError(f"ClientError: Artifact upload failed:{error}") from error

    def _enter(self, status: str, message: str | None = None) -> None:
        """Change the secondary status."""
        now = datetime.now(UTC)
        with self._lock:
            transitions = self.job.secondary_status_transitions
            transitions[-1].setdefault("EndTime", now)
            transitions.append({"Status": status, "StartTime": now, "StatusMessage": message or MESSAGES[status]})
            self.job.secondary_status = status
            self.job.last_modified_time = now

    def _end(self, status: str, message: str) -> None:
        now = datetime.now(UTC)
        with self._lock:
            self._enter(status, message)
            self.job.secondary_status_transitions[-1]["EndTime"] = now
            if status == "Failed":
                self.job.failure_reason = message
            self.job.training_end_time = self.job.training_end_time or now
            if self.job.training_start_time:
                seconds = (self.job.training_end_time - self.job.training_start_time).total_seconds()
                self.job.training_time_in_seconds = max(1, round(seconds))
                self.job.billable_time_in_seconds = max(1, round(self._training_seconds))
            self.job.training_job_status = PRIMARY[status]


def failure_reason(failure: str, status: int) -> str:
    """Return the FailureReason for a failure file's content, truncated so that the exit code fits.

    AWS's built-in algorithms write the prefix `ClientError` themselves.
    """
    template = f"{'' if failure.startswith('ClientError: ') else 'AlgorithmError: '}{{}}, exit code: {status}"
    return template.format(failure[: FAILURE_LENGTH - len(template) + 2])
