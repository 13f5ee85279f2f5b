"""Replaces moto's ListProcessingJobs, which ignores the sort order and omits FailureReason and ExitMessage.

moto's operation also divides the jobs into pages before it filters them, so a page may be empty.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListProcessingJobs.html
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.patching import replace

SORT_KEYS = {"Name": "processing_job_name", "CreationTime": "creation_time", "Status": "processing_job_status"}
# Request parameter of each filter, and the function that compares a job with the parameter's value
FILTERS: dict[str, Callable[[Any, Any], bool]] = {
    "NameContains": lambda job, text: text in job.processing_job_name,
    "StatusEquals": lambda job, status: job.processing_job_status == status,
    "CreationTimeAfter": lambda job, time: job.creation_time > time,
    "CreationTimeBefore": lambda job, time: job.creation_time < time,
    "LastModifiedTimeAfter": lambda job, time: job.last_modified_time > time,
    "LastModifiedTimeBefore": lambda job, time: job.last_modified_time < time,
}
SUMMARY = (
    *("ProcessingJobName", "ProcessingJobArn", "ProcessingJobStatus", "CreationTime", "ProcessingEndTime"),
    *("LastModifiedTime", "FailureReason", "ExitMessage"),
)


def install() -> None:
    """Patch moto's ListProcessingJobs."""

    def list_processing_jobs(self: SageMakerResponse) -> ActionResult:
        original(self)  # raises an error for invalid parameters; its result, moto's list, is not used
        jobs = [job for job in self.sagemaker_backend.processing_jobs.values() if _matches(self, job)]
        key = attrgetter(SORT_KEYS[self._get_param("SortBy", "CreationTime")])
        jobs.sort(key=key, reverse=self._get_param("SortOrder") == "Descending")
        start = int(self._get_param("NextToken") or 0)
        end = start + (self._get_int_param("MaxResults") or len(jobs))
        summaries = [_summary(job.response_object) for job in jobs[start:end]]
        token = {"NextToken": str(end)} if end < len(jobs) else {}
        return ActionResult({"ProcessingJobSummaries": summaries, **token})

    original = replace(SageMakerResponse, "list_processing_jobs", list_processing_jobs)


def _matches(request: SageMakerResponse, job: Any) -> bool:
    values = {name: request._get_param(name) for name in FILTERS}
    return all(FILTERS[name](job, value) for name, value in values.items() if value is not None)


def _summary(description: dict[str, Any]) -> dict[str, Any]:
    return {name: description[name] for name in SUMMARY if name in description}
