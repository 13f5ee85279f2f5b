"""Hyperparameter tuning jobs: start training jobs with the hyperparameters that a search suggests.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from botocore.exceptions import ClientError
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.sagemaker.builtin_metrics import metric_definitions
from sagelocal.services.sagemaker.errors import InvalidRequestError
from sagelocal.services.sagemaker.hyperparameter_search import Search
from sagelocal.services.sagemaker.request_limits import check_limits

POLL_INTERVAL = 0.2  # seconds between two checks of the training jobs
OBJECTIVE = "_tuning_objective_metric"  # hyperparameter that AWS adds; its value is the objective metric's name
FINAL_OBJECTIVE = "FinalHyperParameterTuningJobObjectiveMetric"
ENDED = ("Completed", "Failed", "Stopped")
DEFINITION_MEMBERS = (
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "CheckpointConfig",
    "EnableManagedSpotTraining",
    "Environment",
)


def install(emulator: Emulator) -> None:
    """Patch moto's CreateHyperParameterTuningJob, and add the operations that stop a job and list its training jobs."""
    runs: dict[str, TuningRun] = {}

    def create_tuning_job(self: SageMakerResponse) -> ActionResult:
        config = self._get_param("HyperParameterTuningJobConfig")
        definition = self._get_param("TrainingJobDefinition")
        search = _search(self, config, definition)
        response: ActionResult = create(self)
        backend = self.sagemaker_backend
        job: Any = backend.hyper_parameter_tuning_jobs[self._get_param("HyperParameterTuningJobName")]
        run = runs[job.arn] = TuningRun(emulator, backend, job, search)
        threading.Thread(target=run.run, name=job.hyper_parameter_tuning_job_name, daemon=True).start()
        return response

    def stop_tuning_job(self: SageMakerResponse) -> EmptyResult:
        description = self.sagemaker_backend.describe_hyper_parameter_tuning_job(
            self._get_param("HyperParameterTuningJobName")
        )
        status = description["HyperParameterTuningJobStatus"]
        if status not in ("InProgress", "Stopping"):
            raise ValidationError(f"The request was rejected because the tuning job is in status {status}.")
        runs[description["HyperParameterTuningJobArn"]].stop()
        return EmptyResult()

    def list_training_jobs(self: SageMakerResponse) -> ActionResult:
        description = self.sagemaker_backend.describe_hyper_parameter_tuning_job(
            self._get_param("HyperParameterTuningJobName")
        )
        status = self._get_param("StatusEquals")
        summaries = [
            each
            for each in runs[description["HyperParameterTuningJobArn"]].summaries()
            if status in (None, each["TrainingJobStatus"])
        ]
        sort_by = self._get_param("SortBy") or "Name"
        if sort_by == "FinalObjectiveMetricValue":  # SageMaker does not list jobs without a value of the metric
            summaries = [each for each in summaries if FINAL_OBJECTIVE in each]
        summaries.sort(key=SORT_KEYS[sort_by], reverse=self._get_param("SortOrder") == "Descending")
        limit = self._get_param("MaxResults") or 100
        start = int(self._get_param("NextToken") or 0)
        page = summaries[start : start + limit]
        more = {"NextToken": str(start + limit)} if len(summaries) > start + limit else {}
        return ActionResult({"TrainingJobSummaries": page, **more})

    create = replace(SageMakerResponse, "create_hyper_parameter_tuning_job", create_tuning_job)
    add(SageMakerResponse, "stop_hyper_parameter_tuning_job", stop_tuning_job)
    add(SageMakerResponse, "list_training_jobs_for_hyper_parameter_tuning_job", list_training_jobs)


def _search(response: SageMakerResponse, config: Mapping[str, Any], definition: Mapping[str, Any] | None) -> Search:
    """Create the search for a request; refuse a request that AWS refuses or the emulator does not support."""
    if not definition or response._get_param("TrainingJobDefinitions") or response._get_param("WarmStartConfig"):
        raise ValidationError(
            "the emulator supports neither TrainingJobDefinitions nor WarmStartConfig: use one TrainingJobDefinition"
        )
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise ValidationError(
            "the emulator does not support early stopping of training jobs: set TrainingJobEarlyStoppingType to Off"
        )
    specification = definition["AlgorithmSpecification"]
    defined = [
        *(specification.get("MetricDefinitions") or []),
        *metric_definitions(specification.get("TrainingImage") or ""),
    ]
    metric = config["HyperParameterTuningJobObjective"]["MetricName"]
    if metric not in {each["Name"] for each in defined}:
        raise ValidationError(f"The objective metric {metric} is not defined for the algorithm.")
    limits = config["ResourceLimits"]
    if limits["MaxParallelTrainingJobs"] > limits.get("MaxNumberOfTrainingJobs", limits["MaxParallelTrainingJobs"]):
        raise ValidationError("MaxParallelTrainingJobs must not be greater than MaxNumberOfTrainingJobs.")
    static = {"StaticHyperParameters": definition.get("StaticHyperParameters")}
    try:
        check_limits("CreateHyperParameterTuningJob", {"TrainingJobDefinition": static})
        return Search(config)
    except InvalidRequestError as error:
        raise ValidationError(str(error)) from error


@dataclass
class TuningRun:
    """The run of one tuning job.

    Parameters
    ----------
    job
        moto's record of the job, which DescribeHyperParameterTuningJob returns.
    """

    emulator: Emulator
    backend: SageMakerModelBackend
    job: Any
    search: Search
    _children: dict[str, dict[str, str]] = field(default_factory=dict)  # tuned hyperparameters by training job
    _recorded: set[str] = field(default_factory=set)  # training jobs whose result is recorded in the search
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Set moto's record, which describes a completed job, to the state of a job that is starting."""
        self.job.hyper_parameter_tuning_end_time = None
        self.job.failure_reason = self.job.tuning_job_completion_details = None
        self.job.OverallBestTrainingJob = None
        self._start_time = datetime.now(UTC)
        self._update_counters()
        self.job.hyper_parameter_tuning_job_status = "InProgress"  # last, because this assignment sends an event

    def run(self) -> None:
        """Run the job until it has completed, failed or stopped; an internal error makes the job fail."""
        try:
            while self._launch() or len(self._recorded) < len(self._children):
                self._poll()
                time.sleep(POLL_INTERVAL)
            self._end()
        except ClientError as error:
            self._end(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}")
        except Exception as error:
            self._end(f"InternalServerError: {type(error).__name__}: {error}")
            raise

    def stop(self) -> None:
        """Stop the running training jobs and start no more training jobs."""
        if not self._stopped.is_set():
            self._stopped.set()
            self.job.hyper_parameter_tuning_job_status = "Stopping"

    def summaries(self) -> list[dict[str, Any]]:
        """Return the summaries for ListTrainingJobsForHyperParameterTuningJob, oldest first."""
        return [self._summary(name) for name in self._children]

    @property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.job.hyper_parameter_tuning_job_config
        return config

    @property
    def _metric(self) -> str:
        return str(self._config["HyperParameterTuningJobObjective"]["MetricName"])

    def _launch(self) -> bool:
        """Start as many training jobs as the limits allow; return whether more are to be started later."""
        limits = self._config["ResourceLimits"]
        max_jobs = min(filter(None, (limits.get("MaxNumberOfTrainingJobs"), self.search.size)), default=1)
        while not self._stopped.is_set() and len(self._children) < max_jobs:
            if len(self._children) - len(self._recorded) >= limits["MaxParallelTrainingJobs"]:
                return True
            self._start()
        return False

    def _start(self) -> None:
        definition: Mapping[str, Any] = self.job.training_job_definition
        name = f"{self.job.hyper_parameter_tuning_job_name}-{len(self._children) + 1:03d}-{secrets.token_hex(4)}"
        tuned = self.search.suggest(name)
        static = definition.get("StaticHyperParameters") or {}
        self.emulator.client("sagemaker", self.backend.region_name).create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={
                key: value
                for key, value in definition["AlgorithmSpecification"].items()
                if key in ("TrainingImage", "TrainingInputMode", "MetricDefinitions") and value
            },
            HyperParameters={**static, **tuned, OBJECTIVE: self._metric},
            # AWS documents that the training jobs get the tuning job's tags
            Tags=list(self.job.tags or []),
            **{key: definition[key] for key in DEFINITION_MEMBERS if definition.get(key)},
        )
        child: Any = self.backend.training_jobs[name]
        child.tuning_job_arn = self.job.arn
        self._children[name] = tuned

    def _poll(self) -> None:
        """Record the results of ended training jobs; if the tuning job is stopped, stop the running training jobs."""
        for name in set(self._children) - self._recorded:
            job: Any = self.backend.training_jobs[name]
            if job.training_job_status in ENDED:
                self.search.record(name, self._objective(name))
                self._recorded.add(name)
            elif self._stopped.is_set() and job.training_job_status == "InProgress":
                self.emulator.client("sagemaker", self.backend.region_name).stop_training_job(TrainingJobName=name)
        self._update_counters()

    def _objective(self, name: str) -> float | None:
        """Return a training job's objective value, or None if the job has not completed or has no such metric."""
        job: Any = self.backend.training_jobs[name]
        values = {each["MetricName"]: each["Value"] for each in job.final_metric_data_list}
        return values.get(self._metric) if job.training_job_status == "Completed" else None

    def _summary(self, name: str) -> dict[str, Any]:
        job: Any = self.backend.training_jobs[name]
        value = self._objective(name)
        ended = job.training_job_status in ENDED
        status = "Succeeded" if value is not None else "Failed" if ended else "Pending"
        summary = {
            "TrainingJobName": name,
            "TrainingJobArn": job.arn,
            "CreationTime": job.creation_time,
            "TrainingStartTime": job.training_start_time,
            "TrainingEndTime": job.training_end_time if ended else None,
            "TrainingJobStatus": job.training_job_status,
            "TunedHyperParameters": self._children[name],
            "FailureReason": getattr(job, "failure_reason", None),
            "ObjectiveStatus": status,
        }
        if value is not None:
            objective = self._config["HyperParameterTuningJobObjective"]
            summary[FINAL_OBJECTIVE] = {**objective, "Value": value}
        return {key: each for key, each in summary.items() if each is not None}

    def _update_counters(self) -> None:
        """Update the job's counters and its best training job so far."""
        summaries = self.summaries()
        statuses = [each["TrainingJobStatus"] for each in summaries]
        objectives = [each["ObjectiveStatus"] for each in summaries]
        self.job.training_job_status_counters = {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        }
        self.job.objective_status_counters = {
            name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")
        }
        succeeded = [each for each in summaries if each["ObjectiveStatus"] == "Succeeded"]
        maximize = self._config["HyperParameterTuningJobObjective"]["Type"] == "Maximize"
        choose = max if maximize else min
        self.job.best_training_job = choose(succeeded, key=_objective_value) if succeeded else None
        seconds = int((datetime.now(UTC) - self._start_time).total_seconds())
        self.job.consumed_resources = {"RuntimeInSeconds": seconds}
        self.job.last_modified_time = datetime.now(UTC)

    def _end(self, reason: str | None = None) -> None:
        self._update_counters()
        if reason is None and not self.job.best_training_job and not self._stopped.is_set():
            reason = "No training job succeeded with a value of the objective metric."
        self.job.failure_reason = reason
        self.job.hyper_parameter_tuning_end_time = datetime.now(UTC)
        status = "Failed" if reason else "Stopped" if self._stopped.is_set() else "Completed"
        self.job.hyper_parameter_tuning_job_status = status


def _objective_value(summary: Mapping[str, Any]) -> float:
    return float(summary[FINAL_OBJECTIVE]["Value"])


SORT_KEYS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "Name": itemgetter("TrainingJobName"),
    "CreationTime": itemgetter("CreationTime"),
    "Status": itemgetter("TrainingJobStatus"),
    "FinalObjectiveMetricValue": _objective_value,
}
