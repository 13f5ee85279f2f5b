"""The operations on processing jobs: CreateProcessingJob runs the container in a child process."""

import threading
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace
from sagelocal.services.sagemaker.child_processes import Processes
from sagelocal.services.sagemaker.errors import InvalidRequestError
from sagelocal.services.sagemaker.instance_quotas import check_processing
from sagelocal.services.sagemaker.job_names import check_name
from sagelocal.services.sagemaker.job_run import DAY
from sagelocal.services.sagemaker.processing_request import PARAMETERS, check
from sagelocal.services.sagemaker.processing_run import ProcessingRun


def install(emulator: Emulator, processes: Processes) -> None:
    """Patch moto's CreateProcessingJob and StopProcessingJob."""
    runs: dict[str, ProcessingRun] = {}
    creating = threading.Lock()

    def create_processing_job(self: SageMakerResponse) -> ActionResult:
        request = {name: self._get_param(name) for name in PARAMETERS}
        with creating:
            _validate(self, request)
            check_processing(emulator.quotas, self.sagemaker_backend, request["ProcessingResources"]["ClusterConfig"])
            response: ActionResult = create(self)
            job = self.sagemaker_backend.processing_jobs[request["ProcessingJobName"]]
            _reset(job, request)
            run = runs[job.arn] = ProcessingRun(emulator, processes, job, self.region, request)
        threading.Thread(target=run.run, name=job.processing_job_name, daemon=True).start()
        return response

    def stop_processing_job(self: SageMakerResponse) -> EmptyResult:
        described = self.sagemaker_backend.describe_processing_job(self._get_param("ProcessingJobName"))
        if described["ProcessingJobStatus"] not in ("InProgress", "Stopping"):
            raise ValidationError(
                f"The request was rejected because the processing job is in status {described['ProcessingJobStatus']}."
            )
        runs[described["ProcessingJobArn"]].stop()
        return EmptyResult()

    create = replace(SageMakerResponse, "create_processing_job", create_processing_job)
    replace(SageMakerResponse, "stop_processing_job", stop_processing_job)


def _validate(response: SageMakerResponse, request: Mapping[str, Any]) -> None:
    """Refuse a request that AWS would refuse or that the emulator cannot run."""
    name = request["ProcessingJobName"]
    check_name("processingJobName", name)
    existing = response.sagemaker_backend.processing_jobs.get(name)
    if existing:
        raise ResourceInUseException(
            "Job name must be unique within an AWS account and region, and a job with this name already exists "
            f"({existing.arn})"
        )
    try:
        check(request)
    except InvalidRequestError as error:
        raise ValidationError(str(error)) from error


def _reset(job: Any, request: Mapping[str, Any]) -> None:
    """Set moto's record, which describes a completed job, to the state of a job that is starting."""
    job.processing_resources, job.environment = request["ProcessingResources"], request["Environment"]
    job.stopping_condition = request["StoppingCondition"] or {"MaxRuntimeInSeconds": DAY}
    job.exit_message = job.failure_reason = job.processing_start_time = job.processing_end_time = None
    job.processing_job_status = "InProgress"  # last, because this assignment sends an event that describes the job
