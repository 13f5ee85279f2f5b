"""One training job on its way: its data, its process, what it leaves."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from emulator.context import Emulator
from emulator.sagemaker.container import FAILURE_LENGTH, INSTANCE, Container
from emulator.sagemaker.logs import LogStream
from emulator.sagemaker.metrics import Metrics
from emulator.sagemaker.objects import (
    DataSourceError,
    MissingObjectError,
    UnsafeKeyError,
    download,
    download_source,
    list_keys,
    upload_archive,
    upload_folder,
)
from emulator.sagemaker.processes import Process, Processes, child_environment
from emulator.sagemaker.python import create_environment
from emulator.sagemaker.servers import MODULES

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
STOP_GRACE = 120  # seconds that SageMaker gives a job between SIGTERM and SIGKILL
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
}
PRIMARY = {
    "Completed": "Completed",
    "Stopped": "Stopped",
    "MaxRuntimeExceeded": "Stopped",
    "Failed": "Failed",
}


class JobFailure(Exception):  # noqa: N818 (it is how a job ends, not how this code fails)
    """The job fails with this reason."""


@dataclass
class Run:
    """One job.

    Parameters
    ----------
    job
        moto's record, which DescribeTrainingJob shows.
    request
        What CreateTrainingJob was given.
    """

    emulator: Emulator
    processes: Processes
    job: Any
    region: str
    request: Mapping[str, Any]
    _ending: str = "Completed"
    _process: Process | None = None
    _lock: Any = field(default_factory=threading.RLock)

    def go(self) -> None:
        """From Starting to the end; whatever happens, the job ends."""
        folder = Path(tempfile.mkdtemp(prefix="training-", dir=self.emulator.directory))
        try:
            self._run(Container.make(folder / "ml", channels=[each["ChannelName"] for each in self._channels]))
            self._end(self._ending, MESSAGES[self._ending])
        except JobFailure as failure:
            self._end("Failed", str(failure))
        except Exception as error:
            self._end("Failed", f"InternalServerError: {type(error).__name__}: {error}")
            if not self.processes.stopping:  # else what fails is that AWS has gone
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self, ending: str = "Stopped") -> None:
        """Ask the job to end; what it has by then is kept."""
        with self._lock:
            if self._ending != "Completed" or self.job.training_job_status != "InProgress":
                return
            self._ending = ending
            if ending == "Stopped":
                self.job.training_job_status = "Stopping"
                self._enter("Stopping")
            process = self._process
        if process:
            threading.Thread(target=self.processes.end, args=(process,), kwargs={"grace": STOP_GRACE}).start()

    @property
    def _channels(self) -> list[dict[str, Any]]:
        return self.request.get("InputDataConfig") or []

    @property
    def _hyperparameters(self) -> dict[str, str]:
        return dict(self.request.get("HyperParameters") or {})

    @property
    def _checkpoints(self) -> str | None:
        return (self.request.get("CheckpointConfig") or {}).get("S3Uri")

    @property
    def _output_uri(self) -> str:
        path = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return f"{path}/{self.job.training_job_name}/output"

    def _client(self, service: str) -> Any:
        return self.emulator.client(service, self.region)

    def _run(self, container: Container) -> None:
        self._enter("Downloading")
        self._download(container)
        status = self._train(container)
        if status is None:  # stopped before it began
            return
        if status != 0 and self._ending == "Completed":
            self._upload_output(container)
            raise JobFailure(failure_reason(container.failure(), status))
        self._enter("Uploading")
        self._upload(container)

    def _download(self, container: Container) -> None:
        try:
            for channel in self._channels:
                source = channel["DataSource"].get("S3DataSource")
                if not source:
                    raise DataSourceError(f"the emulator brings channel {channel['ChannelName']} from S3 only")
                download_source(self._client("s3"), source, container.channel(channel["ChannelName"]))
            if self._checkpoints and list_keys(self._client("s3"), self._checkpoints.rstrip("/") + "/"):
                download(self._client("s3"), self._checkpoints.rstrip("/") + "/", container.checkpoints)
        except MissingObjectError as error:
            hint = (
                f"Please ensure that the bucket exists in the selected region ({self.region}), that objects exist "
                f'under that S3 prefix, and that the role "{self.job.role_arn}" has "s3:ListBucket" permissions.'
            )
            raise JobFailure(f"ClientError: Data download failed:{error} {hint}") from error
        except (UnsafeKeyError, DataSourceError, ClientError) as error:
            raise JobFailure(f"ClientError: Data download failed:{error}") from error
        container.localize_drivers()
        container.configure(
            hyperparameters=self._hyperparameters,
            channels=self._channels,
            instance_type=(self.request["ResourceConfig"] or {}).get("InstanceType", "ml.m5.large"),
        )

    def _train(self, container: Container) -> int | None:
        """The exit status of the container's process."""
        name = self.job.training_job_name
        command = self._command(container)
        log = LogStream(self._client("logs"), LOG_GROUP, f"{name}/{INSTANCE}-{int(time.time())}")
        definitions = self.request["AlgorithmSpecification"].get("MetricDefinitions") or []
        metrics = Metrics(self._client("cloudwatch"), f"{name}/{INSTANCE}", definitions)

        def output(line: str) -> None:
            log.write(line)
            metrics.read(line)
            self.job.final_metric_data_list = metrics.final

        try:
            process = self._start(command, container, output)
            return self._wait(process) if process else None
        finally:
            log.close()

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

    def _start(self, command: list[str], container: Container, output: Any) -> Process | None:
        commands = create_environment(container.root.parent / "python")
        variables = {
            **container.variables(
                hyperparameters=self._hyperparameters, channels=[each["ChannelName"] for each in self._channels]
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
        with self._lock:
            if self._ending != "Completed":
                return None
            self._enter("Training")
            self.job.training_start_time = datetime.now(UTC)
            try:
                self._process = self.processes.start(
                    command,
                    directory=container.root / "code",
                    environment=child_environment(variables, commands=commands),
                    output=output,
                )
            except OSError as error:
                raise JobFailure(f"ClientError: the container cannot be started: {error}") from error
        return self._process

    def _wait(self, process: Process) -> int:
        limit = (self.request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", DAY)
        timer = threading.Timer(limit, self.stop, args=("MaxRuntimeExceeded",))
        timer.daemon = True
        timer.start()
        try:
            return process.wait()
        finally:
            timer.cancel()
            self.processes.finish(process)
            self.job.training_end_time = datetime.now(UTC)

    def _upload(self, container: Container) -> None:
        uri = f"{self._output_uri}/model.tar.gz"
        self._upload_output(container)
        try:
            upload_archive(self._client("s3"), container.model, uri)
        except ClientError as error:
            raise JobFailure(f"ClientError: Artifact upload failed:{error}") from error
        self.job.model_artifacts = {"S3ModelArtifacts": uri}

    def _upload_output(self, container: Container) -> None:
        """What is kept of a failed job, too."""
        try:
            if any(container.output.iterdir()):
                upload_archive(self._client("s3"), container.output, f"{self._output_uri}/output.tar.gz")
            if self._checkpoints:
                upload_folder(self._client("s3"), container.checkpoints, self._checkpoints)
        except ClientError as error:
            raise JobFailure(f"ClientError: Artifact upload failed:{error}") from error

    def _enter(self, status: str, message: str | None = None) -> None:
        """Move to a secondary status."""
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
                self.job.training_time_in_seconds = self.job.billable_time_in_seconds = max(1, round(seconds))
            self.job.training_job_status = PRIMARY[status]


def failure_reason(said: str, status: int) -> str:
    """As AWS words a failed algorithm: what its failure file says, cut so that the exit code is still in it.

    AWS's own algorithms say themselves that it is the client's error.
    """
    frame = f"{'' if said.startswith('ClientError: ') else 'AlgorithmError: '}{{}}, exit code: {status}"
    return frame.format(said[: FAILURE_LENGTH - len(frame) + 2])
