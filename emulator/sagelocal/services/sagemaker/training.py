"""Training jobs: CreateTrainingJob runs the container's contract in a child process."""

import re
import threading
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.sagemaker.builtin_metrics import metric_definitions
from sagelocal.services.sagemaker.job import DAY, MESSAGES, Run
from sagelocal.services.sagemaker.limits import check_training
from sagelocal.services.sagemaker.metrics import MetricDefinitionError, patterns
from sagelocal.services.sagemaker.processes import Processes

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
    "EnableManagedSpotTraining",
)
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def install(emulator: Emulator, processes: Processes) -> None:
    """Put training jobs into moto."""
    runs: dict[str, Run] = {}
    creating = threading.Lock()

    def create_training_job(self: SageMakerResponse) -> ActionResult:
        request = {name: self._get_param(name) for name in _REQUEST}
        with creating:
            _validate(self, request)
            check_training(emulator.quotas, self.sagemaker_backend, request)
            answer: ActionResult = create(self)
            job = self.sagemaker_backend.training_jobs[request["TrainingJobName"]]
            _begin(job, request)
            run = runs[job.arn] = Run(emulator, processes, job, self.region, request)
        threading.Thread(target=run.go, name=job.training_job_name, daemon=True).start()
        return answer

    def stop_training_job(self: SageMakerResponse) -> EmptyResult:
        described = self.sagemaker_backend.describe_training_job(self._get_param("TrainingJobName"))
        if described["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            raise ValidationError(
                f"The request was rejected because the training job is in status {described['TrainingJobStatus']}."
            )
        runs[described["TrainingJobArn"]].stop()
        return EmptyResult()

    create = replace(SageMakerResponse, "create_training_job", create_training_job)
    add(SageMakerResponse, "stop_training_job", stop_training_job)


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
    _validate_spot(request)
    # moto writes a made-up metric into the specification that it is given
    request["AlgorithmSpecification"] = dict(request["AlgorithmSpecification"])
    try:
        patterns(request["AlgorithmSpecification"].get("MetricDefinitions") or [])
    except MetricDefinitionError as error:
        raise ValidationError(str(error)) from error
    _define_metrics(request["AlgorithmSpecification"])


def _validate_spot(request: Mapping[str, Any]) -> None:
    """A job on spot instances says how long it may take with its interruptions."""
    condition = request["StoppingCondition"] or {}
    shortest = condition.get("MaxRuntimeInSeconds", DAY)
    if request["EnableManagedSpotTraining"] and condition.get("MaxWaitTimeInSeconds", 0) < shortest:
        raise ValidationError(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if not request["EnableManagedSpotTraining"] and condition.get("MaxWaitTimeInSeconds"):
        raise ValidationError("MaxWaitTimeInSeconds above 0 is not supported when EnableManagedSpotTraining is false.")


def _define_metrics(specification: dict[str, Any]) -> None:
    """AWS's own algorithms have their metrics defined, and let nobody define others."""
    own = metric_definitions(specification.get("TrainingImage") or "")
    if own and specification.get("MetricDefinitions"):
        raise ValidationError(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request "
            "without specifying metric definitions."
        )
    if own:
        specification["MetricDefinitions"] = own


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
