"""The run of one training job: downloads its data, runs its containers, uploads its results."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from moto.core.utils import utcnow

from sagelocal.services.sagemaker.errors import JobFailedError
from sagelocal.services.sagemaker.folder_upload import FolderUpload
from sagelocal.services.sagemaker.job_hosts import Result
from sagelocal.services.sagemaker.job_run import JobRun, failure_reason
from sagelocal.services.sagemaker.model_server import free_port
from sagelocal.services.sagemaker.s3_transfer import (
    DataSourceError,
    Shard,
    download,
    download_source,
    list_keys,
    upload_archive,
)
from sagelocal.services.sagemaker.training_container import TrainingContainer
from sagelocal.services.sagemaker.training_hosts import TrainingHosts

KILLED = 137  # exit status after SIGKILL
# StatusMessage of each SecondaryStatus: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TrainingJob.html
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
# TrainingJobStatus by final SecondaryStatus
PRIMARY = {
    "Completed": "Completed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
    "Failed": "Failed",
}


@dataclass
class TrainingRun(JobRun):
    """The run of one training job."""

    _training_seconds: float = 0.0

    @property
    def _in_progress(self) -> bool:
        return bool(self.job.training_job_status == "InProgress")

    def _enter_stopping(self) -> None:
        self.job.training_job_status = "Stopping"
        self._enter("Stopping")

    @property
    def _is_spot(self) -> bool:
        return bool(self.request.get("EnableManagedSpotTraining"))

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

    def _run(self, folder: Path) -> None:
        wait = self._timer("MaxWaitTimeInSeconds", "MaxWaitTimeExceeded")
        if self._is_spot:  # only jobs on spot instances have this limit
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
        if result.status and not self._is_stopped:
            self._upload_output(containers)
            raise JobFailedError(failure_reason(result.failed.failure() if result.failed else "", result.status))
        self._enter("Uploading")
        self._upload(containers)

    def _was_interrupted(self, result: Result[TrainingContainer]) -> bool:
        """Return whether the spot instances were interrupted: a host was killed although nobody stopped the job."""
        return self._is_spot and result.status == KILLED and not self._is_stopped and not self.processes.stopping

    def _attempt(self, folder: Path) -> tuple[list[TrainingContainer], Result[TrainingContainer] | None]:
        """Run all hosts once in a new folder; the result is None if the job was stopped before the hosts started."""
        self._enter("Downloading")
        containers = self._prepare(folder)
        name = self.job.training_job_name
        hosts = TrainingHosts(self.emulator, self.processes, name, self.region, self.request, containers, job=self.job)
        folders = [each.checkpoints for each in containers]
        upload: FolderUpload | None = None
        if self._checkpoints:
            # checkpoints that exist before the containers start were downloaded from S3, so they are not uploaded again
            s3 = self._client("s3")
            upload = FolderUpload(s3, folders, self._checkpoints, skip_existing=True, follow_links=True)
        with self._lock:
            if self._is_stopped:
                return containers, None
            self._enter("Training")
            start = utcnow()
            self.job.training_start_time = self.job.training_start_time or start
            hosts.start()
            self._hosts = hosts
        limit = self._timer("MaxRuntimeInSeconds", "MaxRuntimeExceeded", used=self._training_seconds)
        limit.start()
        if upload:
            upload.start()
        try:
            result = hosts.wait()
        finally:
            limit.cancel()
            self.job.training_end_time = utcnow()
            self._training_seconds += (self.job.training_end_time - start).total_seconds()
        if upload:
            with self._uploading():
                upload.close()
        return containers, result

    def _prepare(self, folder: Path) -> list[TrainingContainer]:
        """Create each host's folder, with configuration files and downloaded data."""
        resources = self.request["ResourceConfig"] or {}
        size = resources.get("InstanceCount") or 1
        port = free_port()
        containers = [
            TrainingContainer.create(
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

    def _download(self, container: TrainingContainer) -> None:
        shard = Shard(container.number - 1, len(container.hosts))
        s3 = self._client("s3")
        with self._downloading():
            for channel in self._channels:
                source = channel["DataSource"].get("S3DataSource")
                if not source:
                    raise DataSourceError(
                        f"channel {channel['ChannelName']} needs an S3DataSource: the emulator supports no other source"
                    )
                download_source(s3, source, container.channel(channel["ChannelName"]), shard)
            if self._checkpoints and list_keys(s3, self._checkpoints.rstrip("/") + "/"):
                download(s3, self._checkpoints.rstrip("/") + "/", container.checkpoints)

    def _upload(self, containers: Sequence[TrainingContainer]) -> None:
        uri = f"{self._output_uri}/model.tar.gz"
        self._upload_output(containers)
        with self._uploading():
            upload_archive(self._client("s3"), [each.model for each in containers], uri)
        self.job.model_artifacts = {"S3ModelArtifacts": uri}

    def _upload_output(self, containers: Sequence[TrainingContainer]) -> None:
        """Upload output.tar.gz, unless all output folders are empty. A failed job has this archive too."""
        outputs = [each.output for each in containers if any(each.output.iterdir())]
        with self._uploading():
            if outputs:
                upload_archive(self._client("s3"), outputs, f"{self._output_uri}/output.tar.gz")

    def _enter(self, status: str, message: str | None = None) -> None:
        """Change the secondary status, and add the change to the job's SecondaryStatusTransitions."""
        now = utcnow()
        with self._lock:
            transitions = self.job.secondary_status_transitions
            transitions[-1].setdefault("EndTime", now)
            transitions.append({"Status": status, "StartTime": now, "StatusMessage": message or MESSAGES[status]})
            self.job.secondary_status = status
            self.job.last_modified_time = now

    def _end(self, status: str, reason: str | None = None) -> None:
        now = utcnow()
        with self._lock:
            self._enter(status, reason)
            self.job.secondary_status_transitions[-1]["EndTime"] = now
            if reason:
                self.job.failure_reason = reason
            self.job.training_end_time = self.job.training_end_time or now
            if self.job.training_start_time:
                seconds = (self.job.training_end_time - self.job.training_start_time).total_seconds()
                self.job.training_time_in_seconds = max(1, round(seconds))
                self.job.billable_time_in_seconds = max(1, round(self._training_seconds))
            self.job.training_job_status = PRIMARY[status]
