"""The operations on training jobs: CreateTrainingJob runs the training container in a child process."""

import threading
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.sagemaker.builtin_metrics import metric_definitions
from sagelocal.services.sagemaker.child_processes import Processes
from sagelocal.services.sagemaker.errors import InvalidRequestError
from sagelocal.services.sagemaker.instance_quotas import check_training
from sagelocal.services.sagemaker.job_names import check_name
from sagelocal.services.sagemaker.job_run import DAY
from sagelocal.services.sagemaker.request_limits import check_limits
from sagelocal.services.sagemaker.training_metrics import compile_patterns
from sagelocal.services.sagemaker.training_run import MESSAGES, TrainingRun

PARAMETERS = (
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


def install(emulator: Emulator, processes: Processes) -> None:
    """Patch moto's CreateTrainingJob, and add StopTrainingJob."""
    runs: dict[str, TrainingRun] = {}
    creating = threading.Lock()

    def create_training_job(self: SageMakerResponse) -> ActionResult:
        request = {name: self._get_param(name) for name in PARAMETERS}
        with creating:
            _validate(self, request)
            check_training(emulator.quotas, self.sagemaker_backend, request)
            response: ActionResult = create(self)
            job = self.sagemaker_backend.training_jobs[request["TrainingJobName"]]
            _reset(job, request)
            run = runs[job.arn] = TrainingRun(emulator, processes, job, self.region, request)
        threading.Thread(target=run.run, name=job.training_job_name, daemon=True).start()
        return response

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
    """Refuse a request that AWS would refuse, and set the metric definitions of a built-in algorithm."""
    name = request["TrainingJobName"]
    check_name("trainingJobName", name)
    if name in response.sagemaker_backend.training_jobs:
        raise ResourceInUseException(
            "Training job names must be unique within an AWS account and region, but a training job with this name "
            f"already exists ({response.sagemaker_backend.training_jobs[name].arn})"
        )
    _validate_spot(request)
    # a copy, because moto adds an invented metric to the specification of the request
    request["AlgorithmSpecification"] = dict(request["AlgorithmSpecification"])
    try:
        check_limits("CreateTrainingJob", {"HyperParameters": request["HyperParameters"]})
        compile_patterns(request["AlgorithmSpecification"].get("MetricDefinitions") or [])
    except InvalidRequestError as error:
        raise ValidationError(str(error)) from error
    _define_metrics(request["AlgorithmSpecification"])


def _validate_spot(request: Mapping[str, Any]) -> None:
    """Require MaxWaitTimeInSeconds for spot instances, and refuse it for on-demand instances."""
    condition = request["StoppingCondition"] or {}
    max_runtime = condition.get("MaxRuntimeInSeconds", DAY)
    if request["EnableManagedSpotTraining"] and condition.get("MaxWaitTimeInSeconds", 0) < max_runtime:
        raise ValidationError(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )
    if not request["EnableManagedSpotTraining"] and condition.get("MaxWaitTimeInSeconds"):
        raise ValidationError("MaxWaitTimeInSeconds above 0 is not supported when EnableManagedSpotTraining is false.")


def _define_metrics(specification: dict[str, Any]) -> None:
    """Set the metric definitions of a built-in algorithm, and refuse a request that overrides these definitions."""
    builtin = metric_definitions(specification.get("TrainingImage") or "")
    if builtin and specification.get("MetricDefinitions"):
        raise ValidationError(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request "
            "without specifying metric definitions."
        )
    if builtin:
        specification["MetricDefinitions"] = builtin


def _reset(job: Any, request: Mapping[str, Any]) -> None:
    """Set moto's record, which describes a completed job, to the state of a job that is starting."""
    job.algorithm_specification = request["AlgorithmSpecification"]
    job.secondary_status = "Starting"
    job.environment = request["Environment"]
    job.training_start_time = job.training_end_time = job.model_artifacts = None
    job.final_metric_data_list = []
    job.secondary_status_transitions = [
        {"Status": "Starting", "StartTime": job.creation_time, "StatusMessage": MESSAGES["Starting"]}
    ]
    job.training_job_status = "InProgress"  # last, because this assignment sends an event that describes the job
