"""Training jobs: CreateTrainingJob runs the container's contract in a child process."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.models import FakeTrainingJob
from moto.sagemaker.responses import SageMakerResponse

from emulator.context import Emulator
from emulator.replace import add, replace
from emulator.sagemaker.container import HOST, Container
from emulator.sagemaker.logs import LogStream
from emulator.sagemaker.metrics import Metrics
from emulator.sagemaker.objects import (
    MissingObjectError,
    UnsafeKeyError,
    download,
    list_keys,
    upload_archive,
    upload_folder,
)
from emulator.sagemaker.processes import Processes, child_environment

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
    """One job on its way, beside moto's record of it."""

    emulator: Emulator
    processes: Processes
    job: FakeTrainingJob
    region: str
    request: Mapping[str, Any]
    ending: str = "Completed"
    process: subprocess.Popen[str] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def go(self) -> None:
        """From Starting to the end; whatever happens, the job ends."""
        name = self.job.training_job_name
        container = Container.make(self.emulator.directory / "training" / name)
        try:
            self._download(container)
            self._train(container)
            self._upload(container)
            self._end(self.ending, MESSAGES[self.ending])
        except JobFailure as failure:
            self._end("Failed", str(failure))
        except Exception as error:
            self._end("Failed", f"InternalServerError: {type(error).__name__}: {error}")
            raise
        finally:
            shutil.rmtree(container.root, ignore_errors=True)

    def stop(self, ending: str) -> None:
        """Ask the job to end; what it has by then is kept."""
        with self.lock:
            if self.ending != "Completed" or self.job.training_job_status != "InProgress":
                return
            self.ending = ending
            process = self.process
        if ending == "Stopped":
            self.job.training_job_status = "Stopping"
            self._enter("Stopping", MESSAGES["Stopping"])
        if process:
            threading.Thread(target=self.processes.end, args=(process,), kwargs={"grace": STOP_GRACE}).start()

    def _client(self, service: str) -> Any:
        return self.emulator.client(service, self.region)

    def _download(self, container: Container) -> None:
        self._enter("Downloading", MESSAGES["Downloading"])
        channels = self.request.get("InputDataConfig") or []
        try:
            for channel in channels:
                uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
                download(self._client("s3"), uri, container.channel(channel["ChannelName"]))
            checkpoints = (self.request.get("CheckpointConfig") or {}).get("S3Uri")
            if checkpoints and list_keys(self._client("s3"), _folder(checkpoints)):
                download(self._client("s3"), _folder(checkpoints), container.checkpoints)
        except (MissingObjectError, UnsafeKeyError) as error:
            raise JobFailure(f"ClientError: Data download failed: {error}") from error
        except self._client("s3").exceptions.ClientError as error:
            raise JobFailure(f"ClientError: Data download failed: {error}") from error
        container.localize_drivers()
        container.configure(
            hyperparameters=self._hyperparameters,
            channels=channels,
            instance_type=(self.request["ResourceConfig"] or {}).get("InstanceType", "ml.m5.large"),
        )

    @property
    def _hyperparameters(self) -> dict[str, str]:
        return dict(self.request.get("HyperParameters") or {})

    def _train(self, container: Container) -> None:
        name = self.job.training_job_name
        stream = f"{name}/{HOST}-{int(time.time())}"
        log = LogStream(self._client("logs"), LOG_GROUP, stream)
        definitions = self.request["AlgorithmSpecification"].get("MetricDefinitions") or []
        metrics = Metrics(self._client("cloudwatch"), f"{name}/{HOST}", definitions)
        try:
            status = self._execute(container, log, metrics)
        finally:
            log.close()
            self.job.final_metric_data_list = metrics.final
        if status != 0 and self.ending == "Completed":
            self._upload_output(container)
            reason = container.failure()
            raise JobFailure(f"AlgorithmError: {reason + ', ' if reason else ''}exit code: {status}")

    def _execute(self, container: Container, log: LogStream, metrics: Metrics) -> int:
        channels = [each["ChannelName"] for each in self.request.get("InputDataConfig") or []]
        variables = {
            **container.variables(hyperparameters=self._hyperparameters, channels=channels),
            "TRAINING_JOB_NAME": self.job.training_job_name,
            "TRAINING_JOB_ARN": self.job.arn,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            **self.emulator.child_environment,
            **(self.request.get("Environment") or {}),
        }
        command = self._command(container)
        with self.lock:
            if self.ending != "Completed":  # stopped before it began
                return 0
            self._enter("Training", MESSAGES["Training"])
            self.job.training_start_time = datetime.now(UTC)
            try:
                self.process = process = self.processes.start(
                    command,
                    directory=container.root / "code",
                    environment=child_environment(variables),
                    output=subprocess.PIPE,
                )
            except OSError as error:
                raise JobFailure(f"ClientError: the container cannot be started: {error}") from error
        limit = (self.request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", DAY)
        timer = threading.Timer(limit, self.stop, args=("MaxRuntimeExceeded",))
        timer.daemon = True
        timer.start()
        assert process.stdout is not None  # noqa: S101 (it was asked to be a pipe)
        for line in process.stdout:
            log.write(line)
            metrics.read(line)
        status = process.wait()
        timer.cancel()
        self.processes.reap(process)
        self.job.training_end_time = datetime.now(UTC)
        return status

    def _command(self, container: Container) -> list[str]:
        specification = self.request["AlgorithmSpecification"]
        image = specification.get("TrainingImage") or specification.get("AlgorithmName") or ""
        entry = specification.get("ContainerEntrypoint")
        arguments = specification.get("ContainerArguments") or []
        if entry:
            return [container.localize(part) for part in (*entry, *arguments)]
        command = self.emulator.images.command(image, "train")
        if command is None:
            raise JobFailure(
                f"ClientError: no command stands in for the image {image}: name one for `train` in the images file"
            )
        return [*command, *arguments]

    def _upload(self, container: Container) -> None:
        self._enter("Uploading", MESSAGES["Uploading"])
        try:
            self._upload_output(container)
            checkpoints = (self.request.get("CheckpointConfig") or {}).get("S3Uri")
            if checkpoints:
                upload_folder(self._client("s3"), container.checkpoints, checkpoints)
            uri = f"{self._output_uri}/model.tar.gz"
            upload_archive(self._client("s3"), container.model, uri)
        except self._client("s3").exceptions.ClientError as error:
            raise JobFailure(f"ClientError: Artifact upload failed: {error}") from error
        self.job.model_artifacts = {"S3ModelArtifacts": uri}

    def _upload_output(self, container: Container) -> None:
        if any(container.output.iterdir()):
            upload_archive(self._client("s3"), container.output, f"{self._output_uri}/output.tar.gz")

    @property
    def _output_uri(self) -> str:
        path = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return f"{path}/{self.job.training_job_name}/output"

    def _enter(self, status: str, message: str) -> None:
        """Move to a secondary status."""
        now = datetime.now(UTC)
        transitions = self.job.secondary_status_transitions
        transitions[-1].setdefault("EndTime", now)
        transitions.append({"Status": status, "StartTime": now, "StatusMessage": message})
        self.job.secondary_status = status
        self.job.last_modified_time = now

    def _end(self, status: str, message: str) -> None:
        self._enter(status, message)
        job: Any = self.job
        now = datetime.now(UTC)
        job.secondary_status_transitions[-1]["EndTime"] = now
        if status == "Failed":
            job.failure_reason = message
        job.training_end_time = job.training_end_time or now
        begun = job.training_start_time or job.training_end_time
        seconds = round((job.training_end_time - begun).total_seconds())
        job.training_time_in_seconds = job.billable_time_in_seconds = seconds
        with self.lock:
            job.training_job_status = PRIMARY[status]


def install(emulator: Emulator, processes: Processes) -> None:
    """Put training jobs into moto."""
    runs: dict[str, Run] = {}

    def create_training_job(self: SageMakerResponse) -> ActionResult:
        request = {name: self._get_param(name) for name in _REQUEST}
        _validate(self, request)
        answer: ActionResult = create(self)
        job = self.sagemaker_backend.training_jobs[request["TrainingJobName"]]
        _begin(job, request)
        run = Run(emulator, processes, job, self.region, request)
        runs[job.arn] = run
        threading.Thread(target=run.go, name=job.training_job_name, daemon=True).start()
        return answer

    def stop_training_job(self: SageMakerResponse) -> EmptyResult:
        described = self.sagemaker_backend.describe_training_job(self._get_param("TrainingJobName"))
        if described["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            raise ValidationError(
                f"The request was rejected because the training job is in status {described['TrainingJobStatus']}."
            )
        runs[described["TrainingJobArn"]].stop("Stopped")
        return EmptyResult()

    create = replace(SageMakerResponse, "create_training_job", create_training_job)
    add(SageMakerResponse, "stop_training_job", stop_training_job)


_REQUEST = (
    "TrainingJobName",
    "HyperParameters",
    "AlgorithmSpecification",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "CheckpointConfig",
    "Environment",
)
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def _validate(response: SageMakerResponse, request: dict[str, Any]) -> None:
    """Refuse what AWS refuses before a job exists."""
    name = request["TrainingJobName"]
    if not _NAME.fullmatch(name or ""):
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at 'trainingJobName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_NAME.pattern}"
        )
    if name in response.sagemaker_backend.training_jobs:
        raise ResourceInUseException(
            "Training job names must be unique within an AWS account and region, but a training job with this name "
            f"already exists ({response.sagemaker_backend.training_jobs[name].arn})"
        )
    # moto writes a made-up metric into the specification that it is given
    request["AlgorithmSpecification"] = dict(request["AlgorithmSpecification"])


def _begin(job: Any, request: Mapping[str, Any]) -> None:
    """moto's record says that the job is done; make it one that has just begun."""
    job.algorithm_specification = request["AlgorithmSpecification"]
    job.training_job_status = "InProgress"
    job.secondary_status = "Starting"
    job.environment = request["Environment"]
    job.training_start_time = job.training_end_time = job.model_artifacts = None
    job.final_metric_data_list = []
    job.secondary_status_transitions = [
        {"Status": "Starting", "StartTime": job.creation_time, "StatusMessage": MESSAGES["Starting"]}
    ]


def _folder(uri: str) -> str:
    return uri.rstrip("/") + "/"
